#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"

#include "boot/chip.h"
#include "payload/payload.h"

/* Directories of loose files, and files in memory. A file's text says where it lay. */

#define CM3 boot_chip_by_model("cm3")
#define CM4 boot_chip_by_model("cm4")
#define CM5 boot_chip_by_model("cm5")

#define A_STAGE "\x7f second stage"

static struct scratch dir;
static size_t descriptors;

static int make_scratch(void **state)
{
	descriptors = open_descriptors();
	scratch_new(&dir);
	return 0;
}

static int remove_scratch(void **state)
{
	scratch_free(&dir);
	assert_int_equal(open_descriptors(), descriptors);
	return 0;
}

static struct payload *opened(void)
{
	struct payload *payload;
	char sentence[256];
	int r = payload_open(dir.path, &payload, sentence, sizeof(sentence));

	if (r < 0)
		fail_msg("%d: %s", r, sentence);
	return payload;
}

static void assert_does_not_open(const char *path, int error, const char *word)
{
	struct payload *payload = (struct payload *)&dir;
	char sentence[256] = "";

	assert_int_equal(payload_open(path, &payload, sentence, sizeof(sentence)), error);
	assert_ptr_equal(payload, &dir);
	if (!strstr(sentence, word))
		fail_msg("no \"%s\" in: %s", word, sentence);
}

/* "" for a file that is not there. */
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

static void loose_files_are_looked_for_by_port_then_chip(void **state)
{
	struct payload *payload;

	scratch_mkdir(&dir, "2711");
	scratch_mkdir(&dir, "1-1.3");
	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	scratch_text(&dir, "a", "dir");
	scratch_text(&dir, "b", "dir");
	scratch_text(&dir, "2711/b", "chip");
	scratch_text(&dir, "c", "dir");
	scratch_text(&dir, "2711/c", "chip");
	scratch_text(&dir, "1-1.3/c", "port");

	payload = opened();
	assert_string_equal(text_of(payload, CM4, "1-1.3", "a"), "dir");
	assert_string_equal(text_of(payload, CM4, "1-1.3", "b"), "chip");
	assert_string_equal(text_of(payload, CM4, "1-1.3", "c"), "port");
	assert_string_equal(text_of(payload, CM4, "1-1.4", "c"), "chip");
	assert_string_equal(text_of(payload, CM4, NULL, "c"), "chip");
	assert_string_equal(text_of(payload, CM5, "1-1.4", "c"), "dir");
	assert_string_equal(text_of(payload, CM4, "1-1.3", "d"), "");
	payload_free(payload);
}

static void a_port_never_overlays_the_second_stage(void **state)
{
	struct payload_file *file;
	struct payload *payload;

	scratch_mkdir(&dir, "1-1");
	scratch_text(&dir, "bootcode4.bin", A_STAGE " of all");
	scratch_text(&dir, "1-1/bootcode4.bin", A_STAGE " of the port alone");

	payload = opened();
	assert_string_equal(text_of(payload, CM4, "1-1", "bootcode4.bin"), A_STAGE " of all");
	assert_int_equal(payload_find_second_stage(payload, CM4, &file), 0);
	assert_int_equal(payload_file_size(file), strlen(A_STAGE " of all"));
	payload_file_close(file);
	payload_free(payload);
}

static void each_chip_has_its_second_stage(void **state)
{
	struct payload *payload;

	scratch_mkdir(&dir, "2710");
	scratch_text(&dir, "2710/bootcode.bin", A_STAGE);
	scratch_text(&dir, "bootcode4.bin", A_STAGE);

	payload = opened();
	assert_true(payload_serves(payload, CM3));
	assert_true(payload_serves(payload, CM4));
	assert_false(payload_serves(payload, CM5));
	assert_string_equal(payload_label(payload), dir.path);
	payload_free(payload);
}

static void msds_start_elf_serves_as_start4_elf(void **state)
{
	struct payload *payload;

	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	scratch_text(&dir, "start.elf", "start");

	payload = opened();
	assert_string_equal(text_of(payload, CM4, NULL, "start4.elf"), "start");
	assert_string_equal(text_of(payload, CM5, NULL, "start4.elf"), "");
	assert_string_equal(text_of(payload, CM3, NULL, "start.elf"), "start");

	scratch_text(&dir, "start4.elf", "start4");
	assert_string_equal(text_of(payload, CM4, NULL, "start4.elf"), "start4");
	payload_free(payload);
}

static void names_lead_nowhere_else(void **state)
{
	struct payload *payload;

	scratch_mkdir(&dir, "inner");
	scratch_mkdir(&dir, "inner/sub");
	scratch_text(&dir, "secret", "secret");
	scratch_text(&dir, "inner/bootcode4.bin", A_STAGE);
	scratch_text(&dir, "inner/sub/x", "x");
	scratch_link(&dir, "../secret", "inner/up");
	scratch_link(&dir, "/etc/passwd", "inner/absolute");
	scratch_link(&dir, "..", "inner/sideways");
	scratch_link(&dir, "sub/x", "inner/within");
	scratch_link(&dir, "round", "inner/round");
	scratch_link(&dir, "/proc/self/fd/0", "inner/magic");
	strcat(dir.path, "/inner");

	payload = opened();
	assert_string_equal(text_of(payload, CM4, NULL, "sub/x"), "x");
	assert_string_equal(text_of(payload, CM4, NULL, "within"), "x");
	assert_string_equal(text_of(payload, CM4, NULL, "up"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "absolute"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "sideways/secret"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "../secret"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "sub/../../secret"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "/etc/passwd"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "round"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "magic"), "");
	assert_string_equal(text_of(payload, CM4, "..", "secret"), "");
	assert_string_equal(text_of(payload, CM4, "../..", "etc/passwd"), "");
	payload_free(payload);
	*strrchr(dir.path, '/') = '\0';
}

static void odd_names_are_not_there(void **state)
{
	struct payload *payload;
	struct payload_file *file;
	char name[512];

	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	scratch_text(&dir, "a\nb", "x");

	payload = opened();
	assert_int_equal(payload_find(payload, CM4, NULL, "", &file), -ENOENT);
	assert_int_equal(payload_find(payload, CM4, NULL, "a\nb", &file), -ENOENT);
	assert_int_equal(payload_find(payload, CM4, NULL, ".", &file), -ENOENT);
	assert_int_equal(payload_find(payload, CM4, NULL, "..", &file), -ENOENT);
	assert_int_equal(payload_find(payload, CM4, NULL, "bootcode4.bin/", &file), -ENOENT);
	assert_int_equal(payload_find(payload, CM4, NULL, "bootcode4.bin/x", &file), -ENOENT);
	memset(name, 'a', sizeof(name));
	name[255] = '\0';
	assert_int_equal(payload_find(payload, CM4, "1-1", name, &file), -ENOENT);
	name[255] = 'a';
	name[511] = '\0';
	assert_int_equal(payload_find(payload, CM4, "1-1", name, &file), -ENOENT);
	payload_free(payload);
}

static void only_regular_files_are_files(void **state)
{
	struct payload *payload;

	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	scratch_mkdir(&dir, "folder");
	assert_int_equal(mkfifo(scratch_path(&dir, "fifo"), 0644), 0);
	assert_int_equal(mknod(scratch_path(&dir, "socket"), S_IFSOCK | 0644, 0), 0);

	payload = opened();
	assert_string_equal(text_of(payload, CM4, NULL, "folder"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "fifo"), "");
	assert_string_equal(text_of(payload, CM4, NULL, "socket"), "");
	payload_free(payload);
}

static void a_file_is_read_in_pieces_and_no_further(void **state)
{
	struct payload_file *file;
	struct payload *payload;
	char buffer[8];

	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	scratch_text(&dir, "digits", "0123456789");

	payload = opened();
	assert_int_equal(payload_find(payload, CM4, NULL, "digits", &file), 0);
	assert_int_equal(payload_file_size(file), 10);
	assert_int_equal(payload_file_read(file, buffer, 4, 6), 0);
	assert_memory_equal(buffer, "6789", 4);
	assert_int_equal(payload_file_read(file, buffer, 0, 10), 0);
	assert_int_equal(payload_file_read(file, buffer, 5, 6), -EIO);
	assert_int_equal(payload_file_read(file, buffer, 1, UINT64_MAX), -EIO);

	assert_int_equal(truncate(scratch_path(&dir, "digits"), 5), 0);
	assert_int_equal(payload_file_read(file, buffer, 4, 0), 0);
	assert_int_equal(payload_file_read(file, buffer, 4, 3), -EIO);
	payload_file_close(file);
	payload_file_close(NULL);
	payload_free(payload);
}

static void a_checkouts_links_are_followed(void **state)
{
	struct payload *payload;

	scratch_mkdir(&dir, "firmware");
	scratch_mkdir(&dir, "msd");
	scratch_text(&dir, "firmware/bootcode4.bin", A_STAGE " of firmware");
	scratch_text(&dir, "firmware/pieeprom.bin", "pieeprom");
	scratch_link(&dir, "../firmware/bootcode4.bin", "msd/bootcode4.bin");
	scratch_link(&dir, "../firmware/pieeprom.bin", "msd/pieeprom.bin");
	scratch_link(&dir, "/etc/passwd", "msd/bootcode5.bin");
	scratch_link(&dir, "msd", "other");
	strcat(dir.path, "/other");

	assert_does_not_open(dir.path, -EINVAL, "bootcode5.bin");
	assert_int_equal(unlink(scratch_path(&dir, "bootcode5.bin")), 0);
	payload = opened();
	assert_string_equal(text_of(payload, CM4, NULL, "bootcode4.bin"), A_STAGE " of firmware");
	assert_string_equal(text_of(payload, CM4, NULL, "pieeprom.bin"), "");
	payload_free(payload);
	*strrchr(dir.path, '/') = '\0';
}

static void a_symlinks_text_is_named(void **state)
{
	scratch_text(&dir, "bootcode4.bin", "../firmware/2711/bootcode4.bin");
	assert_does_not_open(dir.path, -EBADMSG, "../firmware/2711/bootcode4.bin");
	scratch_text(&dir, "bootcode4.bin", "recovery.bin\n");
	assert_does_not_open(dir.path, -EBADMSG, "symlink");
}

static void one_bad_second_stage_spoils_the_rest(void **state)
{
	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	scratch_text(&dir, "bootcode.bin", "../firmware/bootcode.bin");
	assert_does_not_open(dir.path, -EBADMSG, "bootcode.bin");
}

static void an_empty_second_stage_is_named(void **state)
{
	scratch_text(&dir, "bootcode5.bin", "");
	assert_does_not_open(dir.path, -EBADMSG, "bootcode5.bin");
}

static void what_is_no_payload_does_not_open(void **state)
{
	assert_does_not_open(dir.path, -EINVAL, "bootcode4.bin");
	scratch_text(&dir, "file", "x");
	assert_does_not_open(scratch_path(&dir, "file"), -ENOTDIR, "file");
	assert_does_not_open(scratch_path(&dir, "missing"), -ENOENT, "missing");
	scratch_mkdir(&dir, "bootcode4.bin");
	assert_does_not_open(dir.path, -EINVAL, "bootcode4.bin");
}

/* Root may read anything, so it becomes somebody else for once. */
static void what_may_not_be_read_does_not_open(void **state)
{
	uid_t user = geteuid();

	scratch_text(&dir, "bootcode4.bin", A_STAGE);
	assert_int_equal(chmod(dir.path, 0755), 0);
	assert_int_equal(chmod(scratch_path(&dir, "bootcode4.bin"), 0), 0);

	assert_int_equal(seteuid(user == 0 ? 65534 : user), 0);
	assert_does_not_open(dir.path, -EACCES, "bootcode4.bin");
	assert_int_equal(seteuid(user), 0);
}

static void blobs_are_found_as_in_a_directory(void **state)
{
	static const struct payload_blob blobs[] = {
		{"bootcode4.bin", "\x7f stage", 7},
		{"a", "dir", 3},
		{"2711/a", "chip", 4},
		{"1-1/a", "port", 4},
		{"start.elf", "start", 5},
		{"empty", NULL, 0},
	};
	struct payload *payload;
	struct payload_file *file;

	assert_int_equal(payload_new_blobs("blobs", blobs, 6, &payload), 0);
	assert_string_equal(payload_label(payload), "blobs");
	assert_true(payload_serves(payload, CM4));
	assert_false(payload_serves(payload, CM5));
	assert_string_equal(text_of(payload, CM4, "1-1", "a"), "port");
	assert_string_equal(text_of(payload, CM4, "1-2", "a"), "chip");
	assert_string_equal(text_of(payload, CM5, NULL, "a"), "dir");
	assert_string_equal(text_of(payload, CM4, NULL, "start4.elf"), "start");
	assert_int_equal(payload_find(payload, CM4, NULL, "b", &file), -ENOENT);
	assert_int_equal(payload_find(payload, CM4, NULL, "2711/../a", &file), -ENOENT);
	assert_int_equal(payload_find(payload, CM4, NULL, "empty", &file), 0);
	assert_int_equal(payload_file_size(file), 0);
	payload_file_close(file);
	payload_free(payload);
	payload_free(NULL);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(loose_files_are_looked_for_by_port_then_chip),
		IN_SCRATCH(a_port_never_overlays_the_second_stage),
		IN_SCRATCH(each_chip_has_its_second_stage),
		IN_SCRATCH(msds_start_elf_serves_as_start4_elf),
		IN_SCRATCH(names_lead_nowhere_else),
		IN_SCRATCH(odd_names_are_not_there),
		IN_SCRATCH(only_regular_files_are_files),
		IN_SCRATCH(a_file_is_read_in_pieces_and_no_further),
		IN_SCRATCH(a_checkouts_links_are_followed),
		IN_SCRATCH(a_symlinks_text_is_named),
		IN_SCRATCH(one_bad_second_stage_spoils_the_rest),
		IN_SCRATCH(an_empty_second_stage_is_named),
		IN_SCRATCH(what_is_no_payload_does_not_open),
		IN_SCRATCH(what_may_not_be_read_does_not_open),
		cmocka_unit_test(blobs_are_found_as_in_a_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
