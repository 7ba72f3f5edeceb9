#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"

#include "payload/confine.h"

/* Both ways to keep a name inside must come to the same verdict. */

static struct scratch dir;
static int inner;

static int make_scratch(void **state)
{
	scratch_new(&dir);
	scratch_mkdir(&dir, "inner");
	scratch_mkdir(&dir, "inner/sub");
	scratch_mkdir(&dir, "inner-too");
	inner = open(scratch_path(&dir, "inner"), O_PATH | O_DIRECTORY | O_CLOEXEC);
	return inner < 0;
}

static int remove_scratch(void **state)
{
	close(inner);
	scratch_free(&dir);
	return 0;
}

static void assert_opens(const char *path, int expected)
{
	size_t before = open_descriptors();
	int fd = -7, r;

	r = confine_open(inner, path, &fd);
	if (r != expected)
		fail_msg("%s: %d, not %d", path, r, expected);
	assert_int_equal(fd < 0, r < 0);
	if (r == 0)
		close(fd);

	fd = -7;
	r = confine_open_without_openat2(inner, path, &fd);
	if (r != expected)
		fail_msg("%s: %d by hand, not %d", path, r, expected);
	assert_int_equal(fd < 0, r < 0);
	if (r == 0)
		close(fd);
	assert_int_equal(open_descriptors(), before);
}

static void what_is_inside_opens(void **state)
{
	scratch_text(&dir, "inner/a", "a");
	scratch_text(&dir, "inner/sub/b", "b");
	scratch_link(&dir, "sub/b", "inner/link");
	scratch_link(&dir, "../a", "inner/sub/link");

	assert_opens("a", 0);
	assert_opens("./a", 0);
	assert_opens("sub/b", 0);
	assert_opens("sub/../a", 0);
	assert_opens("link", 0);
	assert_opens("sub/link", 0);
}

static void what_is_outside_does_not(void **state)
{
	scratch_text(&dir, "secret", "secret");
	scratch_text(&dir, "inner-too/secret", "secret");
	scratch_link(&dir, "../secret", "inner/up");
	scratch_link(&dir, "/etc/passwd", "inner/absolute");
	scratch_link(&dir, "..", "inner/sideways");
	scratch_link(&dir, "up", "inner/twice");

	assert_opens("../secret", -EXDEV);
	assert_opens("../inner-too/secret", -EXDEV);
	assert_opens("sub/../../secret", -EXDEV);
	assert_opens("/etc/passwd", -EXDEV);
	assert_opens("up", -EXDEV);
	assert_opens("absolute", -EXDEV);
	assert_opens("sideways/secret", -EXDEV);
	assert_opens("twice", -EXDEV);
}

static void what_is_no_file_is_not_there(void **state)
{
	scratch_link(&dir, "round", "inner/round");
	scratch_link(&dir, "nowhere", "inner/dangling");
	assert_int_equal(mkfifo(scratch_path(&dir, "inner/fifo"), 0644), 0);
	assert_int_equal(mknod(scratch_path(&dir, "inner/socket"), S_IFSOCK | 0644, 0), 0);
	scratch_text(&dir, "inner/a", "a");

	assert_opens("missing", -ENOENT);
	assert_opens("", -ENOENT);
	assert_opens("sub", -ENOENT);
	assert_opens("a/", -ENOENT);
	assert_opens("a/b", -ENOENT);
	assert_opens("round", -ENOENT);
	assert_opens("dangling", -ENOENT);
	assert_opens("fifo", -ENOENT);
	assert_opens("socket", -ENOENT);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(what_is_inside_opens),
		IN_SCRATCH(what_is_outside_does_not),
		IN_SCRATCH(what_is_no_file_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
