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
#include "payload/bootfiles.h"
#include "payload/payload.h"

/* bootfiles.bin: sound ones within a directory, and hostile ones. */

#define CM3 boot_chip_by_model("cm3")
#define CM4 boot_chip_by_model("cm4")
#define CM5 boot_chip_by_model("cm5")

#define A_STAGE "\x7f second stage"

static struct scratch dir;

static int make_scratch(void **state)
{
	scratch_new(&dir);
	return 0;
}

static int remove_scratch(void **state)
{
	scratch_free(&dir);
	return 0;
}

static struct archive *tar_new(void)
{
	struct archive *tar = archive_write_new();

	assert_int_equal(archive_write_set_format_ustar(tar), ARCHIVE_OK);
	assert_int_equal(
		archive_write_open_filename(tar, scratch_path(&dir, "bootfiles.bin")), ARCHIVE_OK);
	return tar;
}

static void tar_add(struct archive *tar, const char *path, unsigned type, const char *text)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, 0644);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(entry, text);
	else
		archive_entry_set_size(entry, (la_int64_t)strlen(text));
	assert_int_equal(archive_write_header(tar, entry), ARCHIVE_OK);
	if (type == AE_IFREG)
		assert_int_equal(archive_write_data(tar, text, strlen(text)), strlen(text));
	archive_entry_free(entry);
}

static void tar_close(struct archive *tar)
{
	assert_int_equal(archive_write_free(tar), ARCHIVE_OK);
}

/* As usbboot packs it, in little. */
static void make_bootfiles(void)
{
	struct archive *tar = tar_new();

	tar_add(tar, "2711/", AE_IFDIR, "");
	tar_add(tar, "2711/mcb.bin", AE_IFREG, "member mcb");
	tar_add(tar, "2711/BootMain", AE_IFREG, "member bootmain");
	tar_add(tar, "2711/mcb.bin", AE_IFREG, "a second one of that name");
	tar_add(tar, "2711/bootcode4.bin", AE_IFREG, A_STAGE " in the tar");
	tar_add(tar, "./2712/bootcode5.bin", AE_IFREG, A_STAGE " in the tar");
	tar_add(tar, "2711/link", AE_IFLNK, "/etc/passwd");
	tar_add(tar, "../outside", AE_IFREG, "outside");
	tar_add(tar, "2711/empty", AE_IFREG, "");
	tar_close(tar);
}

static int open_here(struct payload **ret_payload, char *sentence)
{
	return payload_open(dir.path, ret_payload, sentence, 256);
}

static struct payload *opened(void)
{
	struct payload *payload;
	char sentence[256];
	int r = open_here(&payload, sentence);

	if (r < 0)
		fail_msg("%d: %s", r, sentence);
	return payload;
}

static void assert_does_not_open(int error, const char *word)
{
	struct payload *payload;
	char sentence[256] = "";

	assert_int_equal(open_here(&payload, sentence), error);
	if (!strstr(sentence, word))
		fail_msg("no \"%s\" in: %s", word, sentence);
}

static const char *text_of(
	struct payload *payload, const struct boot_chip *chip, const char *port, const char *name)
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

static void members_are_found_by_chip_without_regard_to_case(void **state)
{
	struct payload *payload;

	make_bootfiles();
	payload = opened();
	assert_true(payload_serves(payload, CM4));
	assert_true(payload_serves(payload, CM5));
	assert_false(payload_serves(payload, CM3));
	assert_string_equal(text_of(payload, CM4, NULL, "mcb.bin"), "member mcb");
	assert_string_equal(text_of(payload, CM4, NULL, "MCB.BIN"), "member mcb");
	assert_string_equal(text_of(payload, CM4, NULL, "bootmain"), "member bootmain");
	assert_string_equal(text_of(payload, CM5, NULL, "mcb.bin"), "");
	assert_string_equal(text_of(payload, CM5, NULL, "bootcode5.bin"), A_STAGE " in the tar");
	payload_free(payload);
}

static void a_file_in_the_chips_folder_overrides_its_member(void **state)
{
	struct payload *payload;

	make_bootfiles();
	scratch_mkdir(&dir, "2711");
	scratch_mkdir(&dir, "1-1");
	scratch_text(&dir, "2711/bootmain", "folder bootmain");
	scratch_text(&dir, "2711/bootcode4.bin", A_STAGE " in the folder");
	scratch_text(&dir, "mcb.bin", "loose mcb");
	scratch_text(&dir, "1-1/mcb.bin", "port mcb");
	scratch_text(&dir, "bootcode5.bin", A_STAGE " lying about");

	payload = opened();
	assert_string_equal(text_of(payload, CM4, "1-1", "bootmain"), "folder bootmain");
	assert_string_equal(text_of(payload, CM4, "1-1", "mcb.bin"), "member mcb");
	assert_string_equal(
		text_of(payload, CM4, "1-1", "bootcode4.bin"), A_STAGE " in the folder");
	assert_string_equal(text_of(payload, CM5, "1-1", "bootcode5.bin"), A_STAGE " in the tar");
	payload_free(payload);
}

static void what_is_no_member_is_looked_for_beside_it(void **state)
{
	struct payload *payload;

	make_bootfiles();
	scratch_mkdir(&dir, "1-1");
	scratch_text(&dir, "config.txt", "loose config");
	scratch_text(&dir, "boot.img", "loose image");
	scratch_text(&dir, "1-1/config.txt", "port config");

	payload = opened();
	assert_string_equal(text_of(payload, CM4, NULL, "config.txt"), "loose config");
	assert_string_equal(text_of(payload, CM4, "1-1", "config.txt"), "port config");
	assert_string_equal(text_of(payload, CM4, "1-1", "boot.img"), "loose image");
	assert_string_equal(text_of(payload, CM4, "1-1", "boot.sig"), "");
	payload_free(payload);
}

static void links_and_folders_are_no_members(void **state)
{
	struct payload *payload;
	struct payload_file *file;

	make_bootfiles();
	payload = opened();
	assert_string_equal(text_of(payload, CM4, NULL, "link"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "../../outside"), "");
	assert_int_equal(payload_find(payload, CM4, NULL, "empty", &file), 0);
	assert_int_equal(payload_file_size(file), 0);
	payload_file_close(file);
	payload_free(payload);
}

static void a_checkouts_linked_bootfiles_are_loaded(void **state)
{
	struct payload *payload;

	make_bootfiles();
	scratch_mkdir(&dir, "firmware");
	scratch_mkdir(&dir, "gadget");
	assert_int_equal(rename(scratch_path(&dir, "bootfiles.bin"),
				 scratch_path(&dir, "firmware/bootfiles.bin")),
		0);
	scratch_link(&dir, "../firmware/bootfiles.bin", "gadget/bootfiles.bin");
	strcat(dir.path, "/gadget");

	payload = opened();
	assert_string_equal(text_of(payload, CM4, NULL, "mcb.bin"), "member mcb");
	payload_free(payload);
	*strrchr(dir.path, '/') = '\0';
}

static void a_symlinks_text_is_named(void **state)
{
	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	scratch_text(&dir, "bootfiles.bin", "../firmware/bootfiles.bin");
	assert_does_not_open(-EBADMSG, "../firmware/bootfiles.bin");
}

static void a_symlinks_text_within_the_tar_is_named(void **state)
{
	struct archive *tar = tar_new();

	tar_add(tar, "2711/bootcode4.bin", AE_IFREG, "../firmware/bootcode4.bin");
	tar_close(tar);
	assert_does_not_open(-EBADMSG, "bootcode4.bin");
}

static void a_tar_without_a_second_stage_boots_nothing(void **state)
{
	struct archive *tar = tar_new();

	tar_add(tar, "2711/mcb.bin", AE_IFREG, "mcb");
	tar_close(tar);
	assert_does_not_open(-EINVAL, "bootcode4.bin");
}

static void what_is_no_tar_does_not_open(void **state)
{
	static uint8_t noise[5000];

	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	scratch_text(&dir, "bootfiles.bin", "");
	assert_does_not_open(-EBADMSG, "no sound tar");

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * i >> 3);
	scratch_write(&dir, "bootfiles.bin", noise, sizeof(noise));
	assert_does_not_open(-EBADMSG, "no sound tar");

	memset(noise, 0, sizeof(noise));
	scratch_write(&dir, "bootfiles.bin", noise, sizeof(noise));
	assert_does_not_open(-EBADMSG, "no sound tar");
}

/* However much of the end is missing, no member is half there. */
static void a_cut_tar_is_not_half_loaded(void **state)
{
	struct stat st;

	make_bootfiles();
	assert_int_equal(stat(scratch_path(&dir, "bootfiles.bin"), &st), 0);

	/* The text of its first member begins at 1024. */
	for (off_t size = 1; size <= 1024 + 9; size += 16) {
		assert_int_equal(truncate(scratch_path(&dir, "bootfiles.bin"), st.st_size), 0);
		assert_int_equal(truncate(scratch_path(&dir, "bootfiles.bin"), size), 0);
		assert_does_not_open(-EBADMSG, "bootfiles.bin");
	}
}

static void corrupt_header(uint8_t *header, const char *octal_size)
{
	unsigned sum = 0;

	memcpy(header + 124, octal_size, 11);
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += header[i];
	snprintf((char *)header + 148, 8, "%06o", sum);
}

static void assert_size_does_not_open(const char *octal_size)
{
	uint8_t tar[3 * 512] = {0};

	memcpy(tar, "2711/bootcode4.bin", 18);
	memcpy(tar + 100, "0000644", 7);
	tar[156] = '0';
	memcpy(tar + 257, "ustar\00000", 8);
	corrupt_header(tar, octal_size);
	scratch_write(&dir, "bootfiles.bin", tar, sizeof(tar));
	assert_does_not_open(-EBADMSG, "no sound tar");
}

static void a_member_that_claims_too_much_is_not_believed(void **state)
{
	assert_size_does_not_open("00000100000"); /* 32 KiB that are not there */
	assert_size_does_not_open("00377777777"); /* 64 MiB less one, likewise */
	assert_size_does_not_open("00400000001"); /* beyond the limit */
	assert_size_does_not_open("77777777777"); /* 8 GiB */
}

static void a_tar_beyond_the_limit_is_not_read(void **state)
{
	make_bootfiles();
	assert_int_equal(
		truncate(scratch_path(&dir, "bootfiles.bin"), (off_t)BOOTFILES_SIZE_MAX + 1), 0);
	assert_does_not_open(-EBADMSG, "too large");
}

static void too_many_members_are_not_loaded(void **state)
{
	struct archive *tar = tar_new();

	tar_add(tar, "2711/bootcode4.bin", AE_IFREG, A_STAGE);
	for (size_t i = 0; i < BOOTFILES_MEMBERS_MAX; i++)
		tar_add(tar, "2711/x", AE_IFREG, "");
	tar_close(tar);
	assert_does_not_open(-EBADMSG, "too many");
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(members_are_found_by_chip_without_regard_to_case),
		IN_SCRATCH(a_file_in_the_chips_folder_overrides_its_member),
		IN_SCRATCH(what_is_no_member_is_looked_for_beside_it),
		IN_SCRATCH(links_and_folders_are_no_members),
		IN_SCRATCH(a_checkouts_linked_bootfiles_are_loaded),
		IN_SCRATCH(a_symlinks_text_is_named),
		IN_SCRATCH(a_symlinks_text_within_the_tar_is_named),
		IN_SCRATCH(a_tar_without_a_second_stage_boots_nothing),
		IN_SCRATCH(what_is_no_tar_does_not_open),
		IN_SCRATCH(a_cut_tar_is_not_half_loaded),
		IN_SCRATCH(a_member_that_claims_too_much_is_not_believed),
		IN_SCRATCH(a_tar_beyond_the_limit_is_not_read),
		IN_SCRATCH(too_many_members_are_not_loaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
