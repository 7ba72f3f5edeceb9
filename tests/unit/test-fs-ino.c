#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "disks.h"
#include "ino.h"

static void the_root_is_fuses_one(void **state)
{
	assert_int_equal(fs_ino_encode((struct fs_ino){.kind = FS_KIND_DIR}), 1);
}

static void what_is_encoded_is_decoded(void **state)
{
	for (uint64_t module = 0; module < 3; module++)
		for (enum fs_kind kind = FS_KIND_DIR; kind < FS_KIND_DROP; kind++) {
			struct fs_ino in = {.kind = kind, .module = module * 12345678901}, out;

			if (kind == FS_KIND_DISK)
				in.index = FS_INO_DISKS_MAX - 1;
			if (kind == FS_KIND_CONTROL)
				in.index = FS_INO_CONTROLS_MAX - 1;
			if (kind == FS_KIND_SUBDIR)
				in.index = FS_INO_DIRS_MAX - 1;
			assert_int_equal(fs_ino_decode(fs_ino_encode(in), &out), 0);
			assert_int_equal(out.kind, in.kind);
			assert_true(out.module == in.module);
			assert_int_equal(out.index, in.index);
		}
}

static void no_two_files_share_a_number(void **state)
{
	uint64_t seen[FS_INO_DISKS_MAX * 2 + FS_INO_CONTROLS_MAX + FS_INO_DIRS_MAX];
	size_t n = 0;

	for (enum fs_kind kind = FS_KIND_DIR; kind < FS_KIND_DISK; kind++)
		seen[n++] = fs_ino_encode((struct fs_ino){.kind = kind, .module = 7});
	for (unsigned i = 0; i < FS_INO_DISKS_MAX; i++)
		seen[n++] = fs_ino_encode((struct fs_ino){FS_KIND_DISK, 7, i});
	for (unsigned i = 1; i < FS_INO_CONTROLS_MAX; i++)
		seen[n++] = fs_ino_encode((struct fs_ino){FS_KIND_CONTROL, 7, i});
	for (unsigned i = 1; i < FS_INO_DIRS_MAX; i++)
		seen[n++] = fs_ino_encode((struct fs_ino){FS_KIND_SUBDIR, 7, i});
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
}

static void a_drop_is_told_by_its_bit(void **state)
{
	struct fs_ino out;

	assert_int_equal(fs_ino_decode(FS_INO_DROP | 1, &out), 0);
	assert_int_equal(out.kind, FS_KIND_DROP);
	assert_int_equal(out.module, 0);
}

static void numbers_that_are_none_of_ours_are_stale(void **state)
{
	struct fs_ino out = {.kind = FS_KIND_LOG};

	assert_int_equal(fs_ino_decode(0, &out), -ESTALE);
	assert_int_equal(fs_ino_decode(FS_KIND_DISK, &out), -ESTALE);
	assert_int_equal(fs_ino_decode(0x100 + FS_INO_DISKS_MAX, &out), -ESTALE);
	assert_int_equal(fs_ino_decode(0x200 + FS_INO_CONTROLS_MAX, &out), -ESTALE);
	assert_int_equal(fs_ino_decode(0x300 + FS_INO_DIRS_MAX, &out), -ESTALE);
	assert_int_equal(fs_ino_decode(0xffff, &out), -ESTALE);
	assert_int_equal(out.kind, FS_KIND_LOG);
}

static void a_disks_number_is_its_names_for_ever(void **state)
{
	struct fs_disks disks;
	char name[CM4_DISK_MAX];
	int first, second;

	fs_disks_init(&disks);
	first = fs_disks_number(&disks, "mmcblk0");
	second = fs_disks_number(&disks, "nvme0n1");
	assert_int_not_equal(first, second);
	assert_int_equal(fs_disks_number(&disks, "mmcblk0"), first);
	assert_int_equal(fs_disks_name(&disks, (unsigned)second, name), 0);
	assert_string_equal(name, "nvme0n1");
	assert_int_equal(fs_disks_name(&disks, 2, name), -ESTALE);
	fs_disks_fini(&disks);
}

static void a_disk_with_a_hostile_name_has_no_number(void **state)
{
	static const char *const names[] = {
		"", "..", "a/b", "a b", "a\nb", "\xff", "sixteen_letters_"};
	struct fs_disks disks;

	fs_disks_init(&disks);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(fs_disks_number(&disks, names[i]), -EINVAL);
	fs_disks_fini(&disks);
}

static void invented_names_run_out(void **state)
{
	struct fs_disks disks;
	char name[CM4_DISK_MAX];

	fs_disks_init(&disks);
	for (unsigned i = 0; i < FS_INO_DISKS_MAX; i++) {
		snprintf(name, sizeof(name), "disk%u", i);
		assert_int_equal(fs_disks_number(&disks, name), i);
	}
	assert_int_equal(fs_disks_number(&disks, "one-more"), -ENOSPC);
	assert_int_equal(fs_disks_number(&disks, "disk0"), 0);
	fs_disks_fini(&disks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_root_is_fuses_one),
		cmocka_unit_test(what_is_encoded_is_decoded),
		cmocka_unit_test(no_two_files_share_a_number),
		cmocka_unit_test(a_drop_is_told_by_its_bit),
		cmocka_unit_test(numbers_that_are_none_of_ours_are_stale),
		cmocka_unit_test(a_disks_number_is_its_names_for_ever),
		cmocka_unit_test(a_disk_with_a_hostile_name_has_no_number),
		cmocka_unit_test(invented_names_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
