#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/chip.h"
#include "payload/eeprom.h"
#include "payload/otp.h"
#include "payload/payload.h"
#include "payload/staged.h"

/* What is served of staged files, over a payload and without one, and what is said of a set before it is. */

#define CM3 boot_chip_by_model("cm3")
#define CM4 boot_chip_by_model("cm4")
#define CM5 boot_chip_by_model("cm5")

#define A_STAGE "\x7f second stage"

/* The SHA-256 of 524288 zeros. */
#define ZEROS_SIZE 524288
#define ZEROS_HASH "07854d2fef297a06ba81685e660c332de36d5d18d546927d30daad6d7fda1541"

static const struct payload_blob base_blobs[] = {
	{"bootcode4.bin", A_STAGE " of base", 22},
	{"bootcode.bin", A_STAGE, 14},
	{"config.txt", "base", 4},
	{"boot.img", "base image", 10},
	{"2711/mcb.bin", "base mcb", 8},
	{"pieeprom.sig", "base sig", 8},
};

static const uint8_t zeros[4 * ZEROS_SIZE];

static struct staged *staged;
static struct payload *base, *payload;
static char message[256];

static int make(void **state)
{
	payload = NULL;
	if (payload_new_blobs(
		    "base", base_blobs, sizeof(base_blobs) / sizeof(base_blobs[0]), &base))
		return -1;
	return staged_new(&staged);
}

static int drop(void **state)
{
	staged_unref(staged);
	payload_free(payload);
	payload_free(base);
	return 0;
}

static void put_bytes(const char *path, const void *data, size_t size)
{
	int r = staged_put(staged, path, data, size, message, sizeof(message));

	if (r < 0)
		fail_msg("%s: %d: %s", path, r, message);
}

static void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

static void take(struct payload *over)
{
	int r;

	payload_free(payload);
	payload = NULL;
	r = staged_payload(staged, over, &payload, message, sizeof(message));
	if (r < 0)
		fail_msg("%d: %s", r, message);
	assert_string_equal(message, "");
}

/* "" for a file that is not there. */
static const char *text_of(const struct boot_chip *chip, const char *port, const char *name)
{
	static char text[256];
	struct payload_file *file;
	size_t size;

	if (payload_find(payload, chip, port, name, &file) < 0)
		return "";
	size = (size_t)payload_file_size(file);
	assert_true(size < sizeof(text));
	assert_int_equal(payload_file_read(file, text, size, 0), 0);
	text[size] = '\0';
	payload_file_close(file);
	return text;
}

static void a_staged_file_wins_over_the_payloads(void **state)
{
	put("config.txt", "staged");
	put("mcb.bin", "staged mcb");
	put("1-1/config.txt", "staged for the port");
	take(base);

	assert_string_equal(text_of(CM4, NULL, "config.txt"), "staged");
	assert_string_equal(text_of(CM4, "1-1", "config.txt"), "staged for the port");
	assert_string_equal(text_of(CM4, "1-2", "config.txt"), "staged");
	assert_string_equal(text_of(CM4, NULL, "mcb.bin"), "staged mcb");
	assert_string_equal(text_of(CM4, NULL, "boot.img"), "base image");
	assert_string_equal(text_of(CM4, NULL, "bootcode4.bin"), A_STAGE " of base");
	assert_true(payload_serves(payload, CM4));
	assert_false(payload_serves(payload, CM5));
	assert_string_equal(text_of(CM4, NULL, "../config.txt"), "");
	assert_non_null(strstr(payload_label(payload), "base"));
}

static void places_have_a_directorys_order(void **state)
{
	put("a", "dir");
	put("b", "dir");
	put("2711/b", "chip");
	put("c", "dir");
	put("2711/c", "chip");
	put("1-1/c", "port");
	take(NULL);
	assert_string_equal(text_of(CM4, "1-1", "a"), "dir");
	assert_string_equal(text_of(CM4, "1-1", "b"), "chip");
	assert_string_equal(text_of(CM4, "1-1", "c"), "port");
	assert_string_equal(text_of(CM5, "1-2", "c"), "dir");
	assert_string_equal(text_of(CM4, "1-1", "d"), "");
}

static void assert_is_complete(const char *path, bool expected)
{
	struct staged *set;

	assert_int_equal(staged_new(&set), 0);
	assert_false(staged_is_complete(set));
	assert_int_equal(staged_put(set, path, "x", 1, message, sizeof(message)), 0);
	if (staged_is_complete(set) != expected)
		fail_msg("%s: %d", path, !expected);
	staged_unref(set);
}

static void a_second_stage_makes_a_set_complete(void **state)
{
	static const char *const stages[] = {"bootcode.bin", "bootcode4.bin", "bootcode5.bin",
		"bootfiles.bin", "recovery.bin", "2711/bootcode4.bin", "2710/bootcode.bin",
		"2712/recovery.bin"};
	static const char *const others[] = {"config.txt", "boot.img", "pieeprom.bin",
		"1-1/bootcode4.bin", "2710/bootcode4.bin", "2711/bootfiles.bin",
		"2710/recovery.bin", "sub/2711/bootcode4.bin", "bootcode4.bin.part"};

	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
		assert_is_complete(stages[i], true);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_is_complete(others[i], false);
}

static void a_complete_set_asks_for_nothing_else(void **state)
{
	put("bootcode5.bin", A_STAGE);
	take(base);
	assert_true(payload_serves(payload, CM5));
	assert_false(payload_serves(payload, CM4));
	assert_string_equal(text_of(CM4, NULL, "config.txt"), "");
	assert_string_equal(text_of(CM5, NULL, "boot.img"), "");
	assert_string_equal(payload_label(payload), "staged files");
}

static void a_snapshot_stays_as_it_was(void **state)
{
	put("config.txt", "then");
	take(NULL);
	put("config.txt", "now");
	assert_int_equal(staged_remove(staged, "config.txt"), 0);
	assert_string_equal(text_of(CM4, NULL, "config.txt"), "then");
	staged_unref(staged);
	assert_string_equal(text_of(CM4, NULL, "config.txt"), "then");
	assert_int_equal(staged_new(&staged), 0);
}

static void recovery_bin_stands_in_for_the_second_stage(void **state)
{
	put("recovery.bin", A_STAGE " recovery");
	take(NULL);
	assert_string_equal(text_of(CM4, NULL, "bootcode4.bin"), A_STAGE " recovery");
	assert_string_equal(text_of(CM5, NULL, "bootcode5.bin"), A_STAGE " recovery");
	assert_string_equal(text_of(CM4, NULL, "bootcode5.bin"), "");
	assert_string_equal(text_of(CM3, NULL, "bootcode.bin"), "");
	assert_string_equal(text_of(CM4, NULL, "recovery.bin"), A_STAGE " recovery");

	put("2712/recovery.bin", A_STAGE " 2712");
	put("bootcode4.bin", A_STAGE " itself");
	take(NULL);
	assert_string_equal(text_of(CM4, NULL, "bootcode4.bin"), A_STAGE " itself");
	assert_string_equal(text_of(CM5, NULL, "bootcode5.bin"), A_STAGE " 2712");
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

static void put_bootfiles(const char *config)
{
	struct archive *tar = archive_write_new();
	static char bytes[32768];
	size_t size;

	assert_int_equal(archive_write_set_format_ustar(tar), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(tar, bytes, sizeof(bytes), &size), ARCHIVE_OK);
	put_member(tar, "2711/bootcode4.bin", A_STAGE " member");
	put_member(tar, "2711/mcb.bin", "member mcb");
	put_member(tar, "2711/other.txt", config);
	assert_int_equal(archive_write_free(tar), ARCHIVE_OK);
	put_bytes("bootfiles.bin", bytes, size);
}

static void bootfiles_bin_is_a_tar(void **state)
{
	put_bootfiles("");
	put("mcb.bin", "loose mcb");
	put("bootcode4.bin", A_STAGE " loose");
	put("config.txt", "loose config");
	take(base);
	assert_string_equal(text_of(CM4, NULL, "mcb.bin"), "member mcb");
	assert_string_equal(text_of(CM4, NULL, "bootcode4.bin"), A_STAGE " member");
	assert_string_equal(text_of(CM4, NULL, "config.txt"), "loose config");
	assert_string_equal(text_of(CM4, NULL, "boot.img"), "");

	put("2711/mcb.bin", "overriding mcb");
	put("2711/bootcode4.bin", A_STAGE " overriding");
	take(base);
	assert_string_equal(text_of(CM4, NULL, "mcb.bin"), "overriding mcb");
	assert_string_equal(text_of(CM4, NULL, "bootcode4.bin"), A_STAGE " overriding");
}

static void what_is_no_tar_is_said(void **state)
{
	struct payload *none = NULL;

	put("bootfiles.bin", "../firmware/bootfiles.bin");
	assert_int_equal(staged_payload(staged, NULL, &none, message, sizeof(message)), -EBADMSG);
	assert_null(none);
	assert_non_null(strstr(message, "cp -rL"));
	put_bytes("bootfiles.bin", zeros, 5000);
	assert_int_equal(staged_payload(staged, NULL, &none, message, sizeof(message)), -EBADMSG);
	assert_non_null(strstr(message, "no sound tar"));
}

static void the_image_of_an_eeprom_is_signed(void **state)
{
	unsigned char hash[EEPROM_HASH_SIZE];
	struct staged_entry entry;
	char expected[128];

	put_bytes("pieeprom.bin", zeros, ZEROS_SIZE);
	assert_true(staged_at(staged, 0, &entry));
	snprintf(expected, sizeof(expected), "%s\nts: %lld\n", ZEROS_HASH, (long long)entry.date);
	take(base); /* whose own is of another image */
	assert_string_equal(text_of(CM4, NULL, "pieeprom.sig"), expected);
	assert_int_equal(payload_eeprom_hash(payload, CM4, NULL, hash), 0);
	assert_int_equal(hash[0], 0x07);
	assert_int_equal(hash[31], 0x41);

	put("pieeprom.sig", "own");
	take(base);
	assert_string_equal(text_of(CM4, NULL, "pieeprom.sig"), "own");
	assert_int_equal(staged_rename(staged, "pieeprom.bin", "pieeprom.upd", message, 256), 0);
	assert_int_equal(staged_remove(staged, "pieeprom.sig"), 0);
	take(NULL);
	assert_string_equal(text_of(CM4, NULL, "pieeprom.sig"), expected);

	staged_clear(staged);
	take(base);
	assert_string_equal(text_of(CM4, NULL, "pieeprom.sig"), "base sig");
	assert_int_equal(payload_eeprom_hash(payload, CM4, NULL, hash), -ENOENT);
}

static void an_eeprom_update_is_known_by_its_files(void **state)
{
	put("pieeprom.bin", "image");
	assert_false(staged_is_eeprom_update(staged, CM4)); /* over another payload */
	put("recovery.bin", A_STAGE);
	assert_true(staged_is_eeprom_update(staged, CM4));
	assert_true(staged_is_eeprom_update(staged, CM5));
	assert_false(staged_is_eeprom_update(staged, CM3));

	assert_int_equal(staged_rename(staged, "recovery.bin", "bootcode4.bin", message, 256), 0);
	assert_true(staged_is_eeprom_update(staged, CM4));
	assert_false(staged_is_eeprom_update(staged, CM5));
	put("boot.img", "a gadget, and an image left over");
	assert_false(staged_is_eeprom_update(staged, CM4));
	assert_int_equal(staged_remove(staged, "boot.img"), 0);
	put_bootfiles("");
	assert_false(staged_is_eeprom_update(staged, CM4));
	assert_int_equal(staged_remove(staged, "bootcode4.bin"), 0);
	put("recovery.bin", A_STAGE);
	assert_true(staged_is_eeprom_update(staged, CM4));
	take(NULL);
	assert_string_equal(text_of(CM4, NULL, "bootcode4.bin"), A_STAGE);
}

static void an_eeprom_update_asks_for_metadata(void **state)
{
	put("pieeprom.bin", "image");
	put("bootcode4.bin", A_STAGE);
	take(base);
	assert_string_equal(text_of(CM4, NULL, "config.txt"), "recovery_metadata=1\n");
	assert_string_equal(text_of(CM5, NULL, "config.txt"), "");
	put("config.txt", "own");
	take(base);
	assert_string_equal(text_of(CM4, NULL, "config.txt"), "own");
}

static void assert_check(
	struct payload *over, const struct boot_chip *chip, int expected, const char *word)
{
	int r = staged_check(staged, over, chip, message, sizeof(message));

	if (r != expected || !strstr(message, word) || (r == 0 && *message))
		fail_msg("%d, and no \"%s\" in: %s", r, word, message);
}

static void a_set_must_be_for_this_chip(void **state)
{
	put("config.txt", "x");
	assert_check(NULL, CM4, -ENOPKG, "no second stage is staged");
	assert_check(base, CM4, 0, "");
	assert_check(base, CM5, -ENOPKG, "bootcode5.bin");
	put("bootcode5.bin", A_STAGE);
	assert_check(base, CM4, -ENOPKG, "another chip");
	assert_check(NULL, CM5, 0, "");
	staged_clear(staged);
	put_bootfiles("");
	assert_check(NULL, CM4, 0, "");
	assert_check(NULL, CM5, -ENOPKG, "bootcode5.bin");
	staged_clear(staged);
	put("recovery.bin", A_STAGE);
	assert_check(NULL, CM4, 0, "");
	assert_check(NULL, CM3, -ENOPKG, "bootcode.bin");
}

static void the_image_must_be_of_the_eeproms_size(void **state)
{
	put("recovery.bin", A_STAGE);
	put_bytes("pieeprom.bin", zeros, ZEROS_SIZE);
	assert_check(NULL, CM4, 0, "");
	assert_check(NULL, CM5, -EINVAL, "2097152");
	put_bytes("pieeprom.bin", zeros, 4 * ZEROS_SIZE);
	assert_check(NULL, CM4, -EINVAL, "524288");
	assert_check(NULL, CM5, 0, "");
	put_bytes("pieeprom.bin", zeros, ZEROS_SIZE - 1);
	assert_check(NULL, CM4, -EINVAL, "524287");
	put("bootcode.bin", A_STAGE);
	assert_check(NULL, CM3, 0, "");
}

static void a_signature_must_be_the_images(void **state)
{
	put("recovery.bin", A_STAGE);
	put_bytes("pieeprom.bin", zeros, ZEROS_SIZE);
	put("pieeprom.sig", ZEROS_HASH "\nts: 1700000000\nrsa2048: 00\n");
	assert_check(NULL, CM4, 0, "");
	put("pieeprom.sig", ZEROS_HASH);
	assert_check(NULL, CM4, 0, "");
	put("pieeprom.sig", "17" ZEROS_HASH);
	assert_check(NULL, CM4, -EBADMSG, "remove it");
	put("pieeprom.sig", "0785\n\n");
	assert_check(NULL, CM4, -EBADMSG, "remove it");
}

static void a_signature_of_a_boot_img_has_one(void **state)
{
	put("bootcode4.bin", A_STAGE);
	put("boot.sig", ZEROS_HASH "\nts: 1700000000\n");
	assert_check(base, CM4, -EINVAL, "boot.img");
	put("boot.img", "image, and more than a line of it\n\n");
	assert_check(base, CM4, 0, "");
	assert_int_equal(staged_remove(staged, "bootcode4.bin"), 0);
	assert_int_equal(staged_remove(staged, "boot.img"), 0);
	assert_check(base, CM4, 0, "");
}

static void a_symlinks_text_is_explained(void **state)
{
	put("bootcode4.bin", "../firmware/2711/bootcode4.bin");
	assert_check(NULL, CM4, -EBADMSG, "cp -rL");
	assert_non_null(strstr(message, "bootcode4.bin"));
	put("bootcode4.bin", A_STAGE);
	put("config.txt", "uart_2ndstage=1");
	assert_check(NULL, CM4, 0, "");
	put("pieeprom.sig", "../recovery/pieeprom.sig\n");
	assert_check(NULL, CM4, -EBADMSG, "symlink");
	put("pieeprom.sig", ZEROS_HASH "\n");
	put("2711/start4.elf", "../start4.elf");
	assert_check(NULL, CM4, -EBADMSG, "2711/start4.elf");
	put("2711/start4.elf", "");
	assert_check(NULL, CM4, -EBADMSG, "empty");
}

static void the_guard_sees_what_is_staged(void **state)
{
	put("config.txt", "include more\n");
	take(base);
	assert_int_equal(otp_check_payload(payload, CM4, NULL, message, sizeof(message)), 0);
	put("more", "program_pubkey=1\n");
	take(base);
	assert_int_equal(otp_check_payload(payload, CM4, NULL, message, sizeof(message)), -EPERM);
	assert_non_null(strstr(message, "more, line 1: program_pubkey=1"));

	staged_clear(staged);
	put_bootfiles("revoke_devkey=1\n");
	take(base);
	assert_int_equal(otp_check_payload(payload, CM4, NULL, message, sizeof(message)), -EPERM);
	assert_non_null(strstr(message, "bootfiles.bin"));
}

#define WITH_BASE(test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BASE(a_staged_file_wins_over_the_payloads),
		WITH_BASE(places_have_a_directorys_order),
		WITH_BASE(a_second_stage_makes_a_set_complete),
		WITH_BASE(a_complete_set_asks_for_nothing_else),
		WITH_BASE(a_snapshot_stays_as_it_was),
		WITH_BASE(recovery_bin_stands_in_for_the_second_stage),
		WITH_BASE(bootfiles_bin_is_a_tar),
		WITH_BASE(what_is_no_tar_is_said),
		WITH_BASE(the_image_of_an_eeprom_is_signed),
		WITH_BASE(an_eeprom_update_is_known_by_its_files),
		WITH_BASE(an_eeprom_update_asks_for_metadata),
		WITH_BASE(a_set_must_be_for_this_chip),
		WITH_BASE(the_image_must_be_of_the_eeproms_size),
		WITH_BASE(a_signature_must_be_the_images),
		WITH_BASE(a_signature_of_a_boot_img_has_one),
		WITH_BASE(a_symlinks_text_is_explained),
		WITH_BASE(the_guard_sees_what_is_staged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
