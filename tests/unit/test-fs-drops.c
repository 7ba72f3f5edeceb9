#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dirs.h"
#include "drops.h"
#include "ino.h"

/* The images are fakes: a count of references and whether another has taken their place. */
struct cm4_image {
	int refs;
	bool superseded;
};

struct cm4_image *cm4_image_ref(struct cm4_image *image)
{
	image->refs++;
	return image;
}

void cm4_image_unref(struct cm4_image *image)
{
	if (image)
		image->refs--;
}

void cm4_image_getattr(struct cm4_image *image, struct cm4_image_attr *ret_attr)
{
	*ret_attr = (struct cm4_image_attr){.superseded = image->superseded};
}

static const struct fs_place here = {.module = 1}, tmp = {.module = 1, .dir = FS_DIR_TMP},
			     other = {.module = 2};
static struct fs_drops drops;
static struct cm4_image one, two;

static int setup(void **state)
{
	fs_drops_init(&drops);
	one = two = (struct cm4_image){0};
	return 0;
}

static int teardown(void **state)
{
	fs_drops_fini(&drops);
	return one.refs || two.refs; /* every reference has been given back */
}

static uint64_t add(struct fs_place place, const char *name, struct cm4_image *image)
{
	struct fs_drop_view view = {0};

	assert_int_equal(fs_drops_add(&drops, place, name, "mmcblk0", image, &view), 0);
	assert_true(view.ino & FS_INO_DROP);
	assert_string_equal(view.name, name);
	fs_drop_view_put(&view);
	return view.ino;
}

static void a_file_is_found_where_it_was_put(void **state)
{
	struct fs_drop_view view;
	uint64_t ino = add(here, "a", &one);

	assert_int_equal(fs_drops_lookup(&drops, here, "a", &view), 0);
	assert_true(view.ino == ino);
	assert_ptr_equal(view.image, &one);
	assert_string_equal(view.disk, "mmcblk0");
	fs_drop_view_put(&view);
	assert_false(fs_drops_exists(&drops, here, "b"));
	assert_false(fs_drops_exists(&drops, tmp, "a"));
	assert_false(fs_drops_exists(&drops, other, "a"));
}

static void a_name_is_taken_once(void **state)
{
	struct fs_drop_view view = {0};

	add(here, "a", &one);
	assert_int_equal(fs_drops_add(&drops, here, "a", "mmcblk0", &two, &view), -EEXIST);
	assert_null(view.image);
	add(other, "a", &two);
}

static void an_unlinked_file_lives_until_the_kernel_forgets_it(void **state)
{
	struct fs_drop_view view;
	uint64_t ino = add(here, "a", &one);

	assert_int_equal(fs_drops_unlink(&drops, here, "a"), 0);
	assert_int_equal(fs_drops_unlink(&drops, here, "a"), -ENOENT);
	assert_false(fs_drops_exists(&drops, here, "a"));
	assert_int_equal(fs_drops_get(&drops, ino, &view), 0);
	fs_drop_view_put(&view);
	fs_drops_forget(&drops, ino, 1);
	assert_int_equal(one.refs, 0);
	assert_int_equal(fs_drops_get(&drops, ino, &view), -ESTALE);
}

static void a_forgotten_file_lives_while_it_has_a_name(void **state)
{
	uint64_t ino = add(here, "a", &one);

	fs_drops_forget(&drops, ino, 1);
	assert_true(fs_drops_exists(&drops, here, "a"));
	assert_int_equal(fs_drops_unlink(&drops, here, "a"), 0);
	assert_int_equal(one.refs, 0);
}

static void every_lookup_is_forgotten_by_itself(void **state)
{
	struct fs_drop_view view;
	uint64_t ino = add(here, "a", &one);

	assert_int_equal(fs_drops_lookup(&drops, here, "a", &view), 0);
	fs_drop_view_put(&view);
	fs_drops_unlink(&drops, here, "a");
	fs_drops_forget(&drops, ino, 1);
	assert_int_equal(one.refs, 1);
	fs_drops_forget(&drops, ino, 1);
	assert_int_equal(one.refs, 0);
	fs_drops_forget(&drops, ino, 1); /* the kernel never says so, but it may not hurt */
}

static void a_renamed_file_takes_the_place_of_another(void **state)
{
	struct fs_drop_view view = {0};
	uint64_t a = add(here, "a", &one), b = add(here, "b", &two);

	assert_int_equal(fs_drops_rename(&drops, here, "a", here, "b", &view), 0);
	assert_ptr_equal(view.image, &one);
	fs_drop_view_put(&view);
	assert_false(fs_drops_exists(&drops, here, "a"));
	assert_int_equal(fs_drops_lookup(&drops, here, "b", &view), 0);
	assert_true(view.ino == a);
	fs_drop_view_put(&view);
	fs_drops_forget(&drops, b, 1);
	assert_int_equal(two.refs, 0);
}

static void a_file_renamed_to_itself_stays(void **state)
{
	struct fs_drop_view view = {0};

	add(here, "a", &one);
	assert_int_equal(fs_drops_rename(&drops, here, "a", here, "a", &view), 0);
	fs_drop_view_put(&view);
	assert_true(fs_drops_exists(&drops, here, "a"));
	assert_int_equal(fs_drops_rename(&drops, here, "b", here, "a", &view), -ENOENT);
}

static void a_file_that_became_a_disk_has_no_name_but_its_image(void **state)
{
	struct fs_drop_view view = {0};
	uint64_t ino = add(here, ".mmcblk0.img.aB3xYz", &one);

	fs_drops_forget(&drops, ino, 1);
	assert_int_equal(
		fs_drops_rename(&drops, here, ".mmcblk0.img.aB3xYz", here, NULL, &view), 0);
	assert_ptr_equal(view.image, &one);
	assert_int_equal(one.refs, 1);
	fs_drop_view_put(&view);
}

static void the_name_of_a_superseded_image_is_gone(void **state)
{
	uint64_t ino = add(here, "a", &one);

	one.superseded = true;
	assert_false(fs_drops_exists(&drops, here, "a"));
	add(here, "a", &two); /* and is free, before any sweep */
	fs_drops_sweep(&drops);
	assert_true(fs_drops_exists(&drops, here, "a"));
	fs_drops_forget(&drops, ino, 1);
	assert_int_equal(one.refs, 0);
}

static void a_module_that_leaves_takes_its_names_along(void **state)
{
	add(here, "a", &one);
	add(other, "b", &two);
	assert_int_equal(fs_drops_mkdir(&drops, tmp), 0);
	fs_drops_leave(&drops, 1);
	assert_false(fs_drops_exists(&drops, here, "a"));
	assert_false(fs_drops_has_dir(&drops, tmp));
	assert_true(fs_drops_exists(&drops, other, "b"));
}

static void rsyncs_directory_is_there_while_it_is_needed(void **state)
{
	uint64_t ino;

	assert_int_equal(fs_drops_rmdir(&drops, tmp), -ENOENT);
	assert_int_equal(fs_drops_mkdir(&drops, tmp), 0);
	assert_int_equal(fs_drops_mkdir(&drops, tmp), -EEXIST);
	assert_true(fs_drops_has_dir(&drops, tmp));
	assert_false(fs_drops_has_dir(&drops, (struct fs_place){2, FS_DIR_TMP}));
	ino = add(tmp, "a", &one);
	assert_int_equal(fs_drops_rmdir(&drops, tmp), -ENOTEMPTY);
	fs_drops_unlink(&drops, tmp, "a");
	fs_drops_forget(&drops, ino, 1);
	assert_int_equal(fs_drops_rmdir(&drops, tmp), 0);
}

static void names_run_out(void **state)
{
	struct fs_drop_view view = {0};
	char name[16];

	for (int i = 0; i < FS_DROPS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		add(here, name, &one);
	}
	assert_int_equal(fs_drops_add(&drops, here, "x", "mmcblk0", &one, &view), -ENOSPC);
	add(other, "x", &two);
}

static void times_are_kept_each_by_itself(void **state)
{
	struct timespec then = {.tv_sec = 12};
	struct fs_drop_view view;
	uint64_t ino = add(here, "a", &one);

	fs_drops_set_times(&drops, ino, NULL, &then);
	assert_int_equal(fs_drops_get(&drops, ino, &view), 0);
	assert_int_equal(view.mtime.tv_sec, 12);
	assert_int_not_equal(view.atime.tv_sec, 12);
	fs_drop_view_put(&view);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_is_found_where_it_was_put),
		TEST(a_name_is_taken_once),
		TEST(an_unlinked_file_lives_until_the_kernel_forgets_it),
		TEST(a_forgotten_file_lives_while_it_has_a_name),
		TEST(every_lookup_is_forgotten_by_itself),
		TEST(a_renamed_file_takes_the_place_of_another),
		TEST(a_file_renamed_to_itself_stays),
		TEST(a_file_that_became_a_disk_has_no_name_but_its_image),
		TEST(the_name_of_a_superseded_image_is_gone),
		TEST(a_module_that_leaves_takes_its_names_along),
		TEST(rsyncs_directory_is_there_while_it_is_needed),
		TEST(names_run_out),
		TEST(times_are_kept_each_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
