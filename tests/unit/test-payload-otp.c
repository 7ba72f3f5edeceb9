#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"

#include "boot/chip.h"
#include "payload/otp.h"
#include "payload/payload.h"

/* The guard on texts, and on all that a payload holds. For images: test-payload-otp-image. */

#define CM3 boot_chip_by_model("cm3")
#define CM4 boot_chip_by_model("cm4")
#define CM5 boot_chip_by_model("cm5")

#define A_STAGE "\x7f second stage"

static struct otp_finding finding;

static void assert_finds(
	const void *text, size_t size, const char *key, const char *value, uint64_t line)
{
	memset(&finding, 0, sizeof(finding));
	if (!otp_scan(text, size, &finding))
		fail_msg("nothing in: %s", (const char *)text);
	assert_string_equal(finding.key, key);
	assert_string_equal(finding.value, value);
	assert_int_equal(finding.line, line);
}

#define FINDS(text, key, value, line) assert_finds(text, sizeof(text) - 1, key, value, line)

static void assert_passes(const void *text, size_t size)
{
	if (otp_scan(text, size, &finding))
		fail_msg("%s=%s, line %d, in: %s", finding.key, finding.value, (int)finding.line,
			(const char *)text);
}

#define PASSES(text) assert_passes(text, sizeof(text) - 1)

static void each_key_is_found(void **state)
{
	FINDS("program_pubkey=1\n", "program_pubkey", "1", 1);
	FINDS("a=b\nprogram_jtag_lock=1", "program_jtag_lock", "1", 2);
	FINDS("a=b\n\n\nprogram_rpiboot_gpio=8\n", "program_rpiboot_gpio", "8", 4);
	FINDS("revoke_devkey=1", "revoke_devkey", "1", 1);
}

static void whatever_way_it_is_written(void **state)
{
	FINDS("a=b\r\nprogram_pubkey=1\r\n", "program_pubkey", "1", 2);
	FINDS("a=b\rprogram_pubkey=1\r", "program_pubkey", "1", 2);
	FINDS("  \t program_pubkey \t = \t 1  \n", "program_pubkey", "1  ", 1);
	FINDS("PROGRAM_PUBKEY=1\n", "program_pubkey", "1", 1);
	FINDS("Program_PubKey=1\n", "program_pubkey", "1", 1);
	FINDS("\xef\xbb\xbfprogram_pubkey=1\n", "program_pubkey", "1", 1);
	FINDS("[none]\nprogram_pubkey=1\n[all]\n", "program_pubkey", "1", 2);
	FINDS("\0\0program_pubkey=1\n", "program_pubkey", "1", 1);
	FINDS("a=b\0program_pubkey=1\n", "program_pubkey", "1", 1);
	FINDS("program_pubkey\0=\0"
	      "1\n",
		"program_pubkey", "1", 1);
	FINDS("\xc2\xa0program_pubkey=1\n", "program_pubkey", "1", 1);
	FINDS("\x01program_pubkey=1\n", "program_pubkey", "1", 1);
}

static void whatever_the_value_is_but_zero(void **state)
{
	FINDS("program_pubkey=01\n", "program_pubkey", "01", 1);
	FINDS("program_pubkey=0x1\n", "program_pubkey", "0x1", 1);
	FINDS("program_pubkey=10\n", "program_pubkey", "10", 1);
	FINDS("program_pubkey=-1\n", "program_pubkey", "-1", 1);
	FINDS("program_pubkey=yes\n", "program_pubkey", "yes", 1);
	FINDS("program_pubkey=0b1\n", "program_pubkey", "0b1", 1);
	FINDS("program_pubkey=\"1\"\n", "program_pubkey", "\"1\"", 1);
	FINDS("program_pubkey=1#no\n", "program_pubkey", "1#no", 1);
	FINDS("program_pubkey==1\n", "program_pubkey", "=1", 1);
	FINDS("program_pubkey=1\x1b[0m\n", "program_pubkey", "1?[0m", 1);
}

static void zero_comments_and_other_keys_pass(void **state)
{
	PASSES("");
	PASSES("program_pubkey=0\nprogram_pubkey=00\nprogram_pubkey = 0x0\nprogram_pubkey=0 # 1\n");
	PASSES("program_pubkey=\nprogram_pubkey\nprogram_pubkey 1\nprogram_pubkey");
	PASSES("#program_pubkey=1\n # program_pubkey=1\n\t#\tprogram_pubkey=1\n");
	PASSES("# Uncomment program_pubkey=1 to enable this\n");
	PASSES("my_program_pubkey=1\nprogram_pubkeys=1\nprogram_pub=1\nrevoke_devke=1\n");
	PASSES("kernel=program_pubkey=1\n");
	PASSES("program_pubkey=0\n=1\n");
	PASSES("_");
	PASSES("program_");
}

static void the_first_is_named(void **state)
{
	FINDS("#revoke_devkey=1\nprogram_pubkey=0\nprogram_jtag_lock=1\nrevoke_devkey=1\n",
		"program_jtag_lock", "1", 3);
}

static void very_long_lines_are_searched_to_their_end(void **state)
{
	const size_t size = 1u << 20;
	char *text = malloc(size);

	assert_non_null(text);
	memset(text, ' ', size);
	memcpy(text + size - 17, "program_pubkey= 1", 17);
	assert_finds(text, size, "program_pubkey", "1", 1);
	memset(text, 'x', size - 17);
	assert_passes(text, size);
	memset(text, ' ', size);
	memcpy(text, "program_pubkey=", 15);
	text[size - 1] = '1';
	assert_finds(text, size, "program_pubkey", "1", 1);
	for (size_t i = 0; i + 17 <= size; i += 17)
		memcpy(text + i, "program_pubkey=1 ", 17);
	text[0] = '#';
	assert_passes(text, size);
	free(text);
}

static struct scratch dir;
static char sentence[256];

static int make_scratch(void **state)
{
	scratch_new(&dir);
	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	return 0;
}

static int remove_scratch(void **state)
{
	scratch_free(&dir);
	return 0;
}

static int check(const struct boot_chip *chip, const char *port)
{
	struct payload *payload;
	int r;

	r = payload_open(dir.path, &payload, sentence, sizeof(sentence));
	if (r < 0)
		fail_msg("%d: %s", r, sentence);
	r = otp_check_payload(payload, chip, port, sentence, sizeof(sentence));
	payload_free(payload);
	return r;
}

static void assert_refused(const struct boot_chip *chip, const char *port, const char *word)
{
	int r = check(chip, port);

	if (r != -EPERM || !strstr(sentence, word))
		fail_msg("%d, and no \"%s\" in: %s", r, word, sentence);
}

static void assert_allowed(const struct boot_chip *chip, const char *port)
{
	int r = check(chip, port);

	if (r != 0 || *sentence)
		fail_msg("%d: %s", r, sentence);
}

static void config_txt_is_looked_at_where_it_is_served_from(void **state)
{
	assert_allowed(CM4, "1-1");
	scratch_text(&dir, "config.txt", "uart_2ndstage=1\n#program_pubkey=1\n");
	assert_allowed(CM4, "1-1");
	scratch_text(&dir, "config.txt", "uart_2ndstage=1\nprogram_pubkey=1\n");
	assert_refused(CM4, "1-1", "config.txt, line 2: program_pubkey=1");
	assert_refused(CM5, NULL, "--allow-otp");

	scratch_mkdir(&dir, "2711");
	scratch_text(&dir, "2711/config.txt", "");
	assert_allowed(CM4, "1-1");
	assert_refused(CM5, "1-1", "config.txt");
	scratch_mkdir(&dir, "1-1");
	scratch_text(&dir, "1-1/config.txt", "revoke_devkey=1");
	assert_refused(CM4, "1-1", "line 1: revoke_devkey=1");
	assert_allowed(CM4, "1-2");
}

static void files_that_take_its_place_are_looked_at(void **state)
{
	scratch_text(&dir, "tryboot.txt", "program_pubkey=1\n");
	assert_refused(CM4, NULL, "tryboot.txt");
}

static void what_it_includes_is_looked_at_however_deep(void **state)
{
	scratch_mkdir(&dir, "sub");
	scratch_text(&dir, "config.txt",
		"include missing.txt\nInclude\t sub/a.conf \r\ninclude config.txt\n");
	scratch_text(&dir, "sub/a.conf", "include b\ninclude sub/a.conf\n");
	scratch_text(&dir, "b", "program_jtag_lock=0\n");
	scratch_text(&dir, "README.md", "program_jtag_lock=1\n");
	assert_allowed(CM4, NULL);
	scratch_text(&dir, "b", "\nprogram_jtag_lock=1\n");
	assert_refused(CM4, NULL, "b, line 2: program_jtag_lock=1");
}

static void what_it_includes_stays_within_the_payload(void **state)
{
	scratch_mkdir(&dir, "inner");
	scratch_text(&dir, "secret", "program_pubkey=1\n");
	scratch_text(&dir, "inner/bootcode4.bin", A_STAGE);
	scratch_text(
		&dir, "inner/config.txt", "include ../secret\ninclude link\ninclude /etc/passwd\n");
	scratch_link(&dir, "../secret", "inner/link");
	strcat(dir.path, "/inner");
	assert_allowed(CM4, NULL);
	*strrchr(dir.path, '/') = '\0';
}

static void endless_includes_are_refused(void **state)
{
	for (int i = 0; i < 100; i++) {
		char name[32], text[32];

		snprintf(name, sizeof(name), i ? "%d.txt" : "config.txt", i);
		snprintf(text, sizeof(text), "include %d.txt\n", i + 1);
		scratch_text(&dir, name, text);
	}
	assert_refused(CM4, NULL, "more files");
}

static void what_is_too_large_to_be_a_text_is_refused(void **state)
{
	scratch_text(&dir, "config.txt", "x");
	assert_int_equal(truncate(scratch_path(&dir, "config.txt"), OTP_TEXT_SIZE_MAX), 0);
	assert_allowed(CM4, NULL);
	assert_int_equal(truncate(scratch_path(&dir, "config.txt"), OTP_TEXT_SIZE_MAX + 1), 0);
	assert_refused(CM4, NULL, "too large");
}

static void boot_img_is_searched(void **state)
{
	static uint8_t image[200 * 1024];

	memcpy(image + 150 * 1024, "[all]\nprogram_pubkey=1\n", 23);
	scratch_write(&dir, "boot.img", image, sizeof(image));
	assert_refused(CM4, NULL, "boot.img, byte 153606: program_pubkey=1");
	image[150 * 1024 + 6] = '#';
	scratch_write(&dir, "boot.img", image, sizeof(image));
	assert_allowed(CM4, NULL);
}

static void put_member(struct archive *tar, const char *path, const char *text)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, (la_int64_t)strlen(text));
	assert_int_equal(archive_write_header(tar, entry), ARCHIVE_OK);
	assert_int_equal(archive_write_data(tar, text, strlen(text)), strlen(text));
	archive_entry_free(entry);
}

static void members_of_bootfiles_bin_are_searched(void **state)
{
	struct archive *tar = archive_write_new();

	assert_int_equal(archive_write_set_format_ustar(tar), ARCHIVE_OK);
	assert_int_equal(
		archive_write_open_filename(tar, scratch_path(&dir, "bootfiles.bin")), ARCHIVE_OK);
	put_member(tar, "2711/bootcode4.bin", A_STAGE);
	put_member(tar, "2711/Config.TXT", "include more\n");
	put_member(tar, "2711/more", "program_rpiboot_gpio=5\n");
	assert_int_equal(archive_write_free(tar), ARCHIVE_OK);

	assert_refused(CM4, NULL, "more, line 1: program_rpiboot_gpio=5");
	assert_refused(CM3, NULL, "bootfiles.bin, byte");
}

static void what_cannot_be_read_is_no_proof(void **state)
{
	uid_t user = geteuid();

	scratch_text(&dir, "config.txt", "");
	assert_int_equal(chmod(dir.path, 0755), 0);
	assert_int_equal(chmod(scratch_path(&dir, "config.txt"), 0), 0);
	assert_int_equal(seteuid(user == 0 ? 65534 : user), 0);
	assert_int_equal(check(CM4, NULL), -EACCES);
	assert_non_null(strstr(sentence, "config.txt"));
	assert_int_equal(seteuid(user), 0);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_is_found),
		cmocka_unit_test(whatever_way_it_is_written),
		cmocka_unit_test(whatever_the_value_is_but_zero),
		cmocka_unit_test(zero_comments_and_other_keys_pass),
		cmocka_unit_test(the_first_is_named),
		cmocka_unit_test(very_long_lines_are_searched_to_their_end),
		IN_SCRATCH(config_txt_is_looked_at_where_it_is_served_from),
		IN_SCRATCH(files_that_take_its_place_are_looked_at),
		IN_SCRATCH(what_it_includes_is_looked_at_however_deep),
		IN_SCRATCH(what_it_includes_stays_within_the_payload),
		IN_SCRATCH(endless_includes_are_refused),
		IN_SCRATCH(what_is_too_large_to_be_a_text_is_refused),
		IN_SCRATCH(boot_img_is_searched),
		IN_SCRATCH(members_of_bootfiles_bin_are_searched),
		IN_SCRATCH(what_cannot_be_read_is_no_proof),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
