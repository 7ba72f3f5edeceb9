#include <errno.h>
#include <string.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "name.h"
#include "verb.h"

static void an_image_may_be_called_anything(void **state)
{
	static const char *const names[] = {"raspios.img", "raspios.img.xz", "x", "boot2.img",
		"backup", ".image.img.aB3xYz", ".goutputstream-AB12CD", "image.part", "mmcblk0",
		"mmcblk0.img.xz", "mmcblk.img", "mmcblk0p1.img", "sda1.img", "my-sda.img",
		"config.txt.img", "log.txt"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(fs_name_judge(names[i], NULL), FS_NAME_IMAGE);
}

static void a_disks_name_means_that_disk(void **state)
{
	static const struct {
		const char *name, *disk;
	} names[] = {
		{"mmcblk0.img", "mmcblk0"},
		{"mmcblk0boot1.img", "mmcblk0boot1"},
		{"nvme0n1.img", "nvme0n1"},
		{"sda.img", "sda"},
		{".nvme0n1.img.Xy12Ab", "nvme0n1"},
		{"nvme0n1.img.part", "nvme0n1"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char disk[CM4_DISK_MAX] = "";

		assert_int_equal(fs_name_judge(names[i].name, disk), FS_NAME_DISK);
		assert_string_equal(disk, names[i].disk);
	}
}

static void junk_is_refused_in_any_case_of_letters(void **state)
{
	static const char *const names[] = {".Trash", ".Trash-0", ".Trash-1000", "._image.img",
		".DS_Store", "Thumbs.db", "THUMBS.DB", "desktop.ini", "Desktop.ini",
		"System Volume Information", "$RECYCLE.BIN", ".fseventsd", ".Spotlight-V100",
		".Trashes", ".Thumbs.db.aB3xYz"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(fs_name_judge(names[i], NULL), FS_NAME_JUNK);
	assert_int_equal(fs_name_error(FS_NAME_JUNK), -EPERM);
}

static void fixed_names_are_ours_before_they_are_there(void **state)
{
	static const char *const names[] = {"DETAILS.TXT", "FAIL.TXT", "DIAGNOSIS.TXT",
		"status.json", "events", "log", "control", "boot", ".~tmp~", ".FAIL.TXT.123456"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(fs_name_judge(names[i], NULL), FS_NAME_FIXED);
	assert_int_equal(fs_name_error(FS_NAME_FIXED), -EPERM);
}

static void what_goes_with_an_image_is_not_flashed(void **state)
{
	static const char *const names[] = {"image.bmap", "image.img.sha256", "SHA256SUMS",
		".image.bmap.aB3xYz", "image.bmap.part", "image.img.sha256sum"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(fs_name_judge(names[i], NULL), FS_NAME_SIDECAR);
	assert_int_equal(fs_name_error(FS_NAME_SIDECAR), 0);
	assert_int_equal(fs_name_judge("image.img.aria2", NULL), FS_NAME_COMPANION);
	assert_int_equal(fs_name_judge("image.img.aria2__temp", NULL), FS_NAME_COMPANION);
	assert_int_equal(fs_name_error(FS_NAME_COMPANION), -EOPNOTSUPP);
}

static void a_boot_file_is_not_flashed(void **state)
{
	static const char *const names[] = {"boot.img", "bootcode4.bin", "bootfiles.bin",
		"config.txt", "start4.elf", "fixup4.dat", "pieeprom.bin", "recovery.bin",
		".boot.img.aB3xYz"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(fs_name_judge(names[i], NULL), FS_NAME_BOOT);
	assert_int_equal(fs_name_error(FS_NAME_BOOT), 0);
}

static void names_that_only_look_temporary_are_themselves(void **state)
{
	assert_int_equal(fs_name_judge(".part", NULL), FS_NAME_IMAGE);
	assert_int_equal(fs_name_judge(".log.12345", NULL), FS_NAME_IMAGE);
	assert_int_equal(fs_name_judge(".log.12-456", NULL), FS_NAME_IMAGE);
	assert_int_equal(fs_name_judge("log.123456", NULL), FS_NAME_IMAGE);
}

static void the_longest_name_is_judged_too(void **state)
{
	char name[300];

	memset(name, 'x', sizeof(name));
	name[255] = '\0';
	assert_int_equal(fs_name_judge(name, NULL), FS_NAME_IMAGE);
	memset(name, 'x', 255);
	name[299] = '\0';
	assert_int_equal(fs_name_judge(name, NULL), FS_NAME_IMAGE);
}

static void a_verb_is_the_word_between_white_space(void **state)
{
	char word[FS_VERB_MAX];

	assert_int_equal(fs_verb_parse("boot", 4, word), 0);
	assert_string_equal(word, "boot");
	assert_int_equal(fs_verb_parse("eject\n", 6, word), 0);
	assert_string_equal(word, "eject");
	assert_int_equal(fs_verb_parse(" \tclear \r\n", 10, word), 0);
	assert_string_equal(word, "clear");
	assert_int_equal(fs_verb_parse("cancel\0", 7, word), 0);
	assert_string_equal(word, "cancel");
}

static void no_word_two_words_and_a_long_one_are_no_verb(void **state)
{
	char word[FS_VERB_MAX] = "kept";

	assert_int_equal(fs_verb_parse("", 0, word), -EINVAL);
	assert_int_equal(fs_verb_parse(" \n", 2, word), -EINVAL);
	assert_int_equal(fs_verb_parse("boot clear", 10, word), -EINVAL);
	assert_int_equal(fs_verb_parse("boot\nboot\n", 10, word), -EINVAL);
	assert_int_equal(fs_verb_parse("bootbootbootboot", 16, word), -EINVAL);
	assert_string_equal(word, "kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_may_be_called_anything),
		cmocka_unit_test(a_disks_name_means_that_disk),
		cmocka_unit_test(junk_is_refused_in_any_case_of_letters),
		cmocka_unit_test(fixed_names_are_ours_before_they_are_there),
		cmocka_unit_test(what_goes_with_an_image_is_not_flashed),
		cmocka_unit_test(a_boot_file_is_not_flashed),
		cmocka_unit_test(names_that_only_look_temporary_are_themselves),
		cmocka_unit_test(the_longest_name_is_judged_too),
		cmocka_unit_test(a_verb_is_the_word_between_white_space),
		cmocka_unit_test(no_word_two_words_and_a_long_one_are_no_verb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
