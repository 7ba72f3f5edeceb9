#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "payload/otp.h"
#include "util/clock.h"

/* Texts in sectors of a FAT image or a tar, whole and in pieces. */

#define SECTOR 512
#define SIZE   (300 * SECTOR) /* more than two windows */

static uint8_t image[SIZE];
static struct otp_finding finding;

static int clear(void **state)
{
	memset(image, 0, sizeof(image));
	return 0;
}

static void put(size_t at, const char *text)
{
	memcpy(image + at, text, strlen(text));
}

static bool scan_in_pieces(size_t size, size_t piece)
{
	struct otp_image *scan;
	bool found;

	assert_int_equal(otp_image_new(&scan), 0);
	for (size_t done = 0; done < size; done += piece)
		otp_image_add(scan, image + done, piece < size - done ? piece : size - done);
	found = otp_image_end(scan, &finding);
	otp_image_free(scan);
	return found;
}

static void assert_found(const char *key, const char *value)
{
	memset(&finding, 0, sizeof(finding));
	assert_int_equal(otp_scan_image(image, SIZE, &finding), 1);
	assert_string_equal(finding.key, key);
	assert_string_equal(finding.value, value);
	assert_int_equal(finding.line, 0);
}

static void assert_clean(void)
{
	if (otp_scan_image(image, SIZE, &finding) != 0)
		fail_msg("%s=%s at %llu", finding.key, finding.value,
			(unsigned long long)finding.offset);
}

static void a_key_is_found_wherever_it_lies(void **state)
{
	static const char text[] = "[all]\r\nProgram_PubKey = 1\r\n";

	/* Also across the edges of windows, and in all positions within a sector. */
	for (size_t at = 0; at < SIZE - sizeof(text); at += 61) {
		clear(NULL);
		put(at, text);
		assert_found("program_pubkey", "1");
		assert_int_equal(finding.offset, at + 7);
	}
}

static void pieces_of_any_size_make_no_difference(void **state)
{
	static const size_t pieces[] = {1, 7, 511, 512, 513, 65535, 65536, 65537, SIZE};

	put(64512 - 9, "\nrevoke_devkey=1\n");
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		assert_true(scan_in_pieces(SIZE, pieces[i]));
		assert_int_equal(finding.offset, 64512 - 8);
		assert_string_equal(finding.key, "revoke_devkey");
	}
}

static void a_comment_in_its_sector_is_none(void **state)
{
	put(1024, "# set program_pubkey=1 to lock it\n \t#program_jtag_lock=1\n#revoke_devkey=1");
	assert_clean();
	put(2048, "#\nprogram_jtag_lock=1\n");
	assert_found("program_jtag_lock", "1");
}

/* The sector before may belong to any other file. */
static void a_comment_in_the_sector_before_does_not_hide_it(void **state)
{
	put(1024 - 8, "# of xyz");
	put(1024, "program_pubkey=1\n");
	assert_found("program_pubkey", "1");
}

static void zero_nothing_and_longer_words_are_none(void **state)
{
	put(1024, "program_pubkey=0\nprogram_pubkey = 0x00\nprogram_pubkey=0 # "
		  "no\nprogram_pubkey=\n");
	put(2048, "my_program_pubkey=1\nxrevoke_devkey=1\nprogram_pubkeys=1\nprogram_pubkey 1\n");
	put(3072, "program_pubkey=%d\nprogram_pubkey: 1\nprogram_pubkey\n");
	assert_clean();
}

static void what_stands_before_it_is_no_excuse(void **state)
{
	put(1024, "\x8f\xffprogram_pubkey=1");
	assert_found("program_pubkey", "1");
	clear(NULL);
	put(1024, "echo program_rpiboot_gpio=8 >> config.txt");
	assert_found("program_rpiboot_gpio", "8 >> config.txt");
}

static void a_value_that_lies_elsewhere_counts(void **state)
{
	put(2048 - 14, "program_pubkey");
	put(2048, "other file");
	assert_clean(); /* a name in a table of names: a NUL stands before it */

	put(2048 - 15, "\nprogram_pubkey");
	assert_found("program_pubkey", "");

	clear(NULL);
	put(2048 - 16, "\nprogram_pubkey=");
	put(2048, "other file");
	assert_found("program_pubkey", "other file");
	clear(NULL);
	put(2048 - 16, "\nprogram_pubkey=");
	assert_found("program_pubkey", "");
	put(2048, "0\n");
	assert_clean();
}

static void assert_split_is_found(const char *key, const char *line, size_t n)
{
	clear(NULL);
	/* Its second half first, as a full disk has it. */
	put(100 * SECTOR, line + n);
	memcpy(image + 200 * SECTOR - n, line, n);
	image[200 * SECTOR - n - 1] = '\n';
	put(200 * SECTOR, "other file");
	assert_found(key, "1");
}

static void a_key_in_two_pieces_is_put_together(void **state)
{
	static const char *const keys[] = {
		"program_pubkey", "program_jtag_lock", "program_rpiboot_gpio", "revoke_devkey"};

	for (size_t i = 0; i < 4; i++)
		for (size_t n = 1; n < strlen(keys[i]); n++) {
			char line[64];

			snprintf(line, sizeof(line), "%s=1\n", keys[i]);
			assert_split_is_found(keys[i], line, n);
		}
}

static void pieces_of_different_keys_are_not(void **state)
{
	put(100 * SECTOR, "bkey=1\n");
	put(200 * SECTOR - 9, "\nprogram_");
	put(200 * SECTOR, "other file");
	assert_clean(); /* program_bkey */
	put(50 * SECTOR - 12, "#program_pu");
	put(50 * SECTOR, "other file");
	assert_clean(); /* a comment */
	put(20 * SECTOR - 14, "\nxprogram_pu");
	assert_clean();
}

static void noise_is_clean(void **state)
{
	uint32_t x = 1;

	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		image[i] = (uint8_t)(x >> 24);
	}
	assert_clean();
}

/* As large as the gadget's boot.img, and made of what is slow to look at. */
static void a_large_image_is_searched_at_once(void **state)
{
	const size_t size = 31u << 20;
	uint8_t *large = malloc(size);
	uint64_t began;

	assert_non_null(large);
	for (size_t i = 0; i < size; i++)
		large[i] = "program_ revoke_ text\n"[i % 22];
	began = clock_ms();
	assert_int_equal(otp_scan_image(large, size, &finding), 0);
	print_message("# %llu ms\n", (unsigned long long)(clock_ms() - began));
	memcpy(large + size - 17, "\nprogram_pubkey=1", 17);
	assert_int_equal(otp_scan_image(large, size, &finding), 1);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_key_is_found_wherever_it_lies, clear),
		cmocka_unit_test_setup(pieces_of_any_size_make_no_difference, clear),
		cmocka_unit_test_setup(a_comment_in_its_sector_is_none, clear),
		cmocka_unit_test_setup(a_comment_in_the_sector_before_does_not_hide_it, clear),
		cmocka_unit_test_setup(zero_nothing_and_longer_words_are_none, clear),
		cmocka_unit_test_setup(what_stands_before_it_is_no_excuse, clear),
		cmocka_unit_test_setup(a_value_that_lies_elsewhere_counts, clear),
		cmocka_unit_test_setup(a_key_in_two_pieces_is_put_together, clear),
		cmocka_unit_test_setup(pieces_of_different_keys_are_not, clear),
		cmocka_unit_test_setup(noise_is_clean, clear),
		cmocka_unit_test(a_large_image_is_searched_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
