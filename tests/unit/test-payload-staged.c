#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "payload/staged.h"

/* The set of staged files: names, limits, what replaces what. What is served of it: test-payload-staged-serve. */

static struct staged *staged;
static char message[256];

static int make_staged(void **state)
{
	return staged_new(&staged);
}

static int drop_staged(void **state)
{
	staged_unref(staged);
	return 0;
}

static int put(const char *path, const char *text)
{
	return staged_put(staged, path, text, strlen(text), message, sizeof(message));
}

static int move(const char *from, const char *to)
{
	return staged_rename(staged, from, to, message, sizeof(message));
}

/* As much as no test wants to fill: it is never read. */
static int put_large(const char *path, size_t size)
{
	return staged_adopt(staged, path, malloc(size), size, message, sizeof(message));
}

static const char *text_of(const char *path)
{
	static char text[64];
	ssize_t n = staged_read(staged, path, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? "(missing)" : text;
}

static void files_are_kept_as_they_were_put(void **state)
{
	struct staged_entry entry;
	char text[] = "first";
	char buffer[4];

	assert_int_equal(put("config.txt", text), 0);
	assert_string_equal(message, "");
	text[0] = 'x'; /* it was copied */
	assert_int_equal(put("2711/mcb.bin", "mcb"), 0);
	assert_int_equal(put("empty", ""), 0);

	assert_string_equal(text_of("config.txt"), "first");
	assert_string_equal(text_of("2711/mcb.bin"), "mcb");
	assert_string_equal(text_of("mcb.bin"), "(missing)");
	assert_int_equal(staged_read(staged, "config.txt", buffer, 4, 3), 2);
	assert_memory_equal(buffer, "st", 2);
	assert_int_equal(staged_read(staged, "config.txt", buffer, 4, 5), 0);
	assert_int_equal(staged_read(staged, "config.txt", buffer, 4, UINT64_MAX), 0);

	assert_int_equal(staged_count(staged), 3);
	assert_int_equal(staged_bytes(staged), 8);
	assert_true(staged_at(staged, 0, &entry));
	assert_string_equal(entry.path, "2711/mcb.bin");
	assert_int_equal(entry.size, 3);
	assert_true(entry.date > 0);
	assert_true(staged_at(staged, 2, &entry));
	assert_string_equal(entry.path, "empty");
	assert_false(staged_at(staged, 3, &entry));
}

static void a_second_of_that_name_replaces_it(void **state)
{
	assert_int_equal(put("a", "long"), 0);
	assert_int_equal(put("a", "x"), 0);
	assert_string_equal(text_of("a"), "x");
	assert_int_equal(staged_count(staged), 1);
	assert_int_equal(staged_bytes(staged), 1);
}

static void what_is_removed_is_gone(void **state)
{
	assert_int_equal(put("a", "1"), 0);
	assert_int_equal(put("b", "22"), 0);
	assert_int_equal(put("c", "333"), 0);
	assert_int_equal(staged_remove(staged, "b"), 0);
	assert_int_equal(staged_remove(staged, "b"), -ENOENT);
	assert_string_equal(text_of("c"), "333");
	assert_int_equal(staged_bytes(staged), 4);
	staged_clear(staged);
	assert_int_equal(staged_count(staged), 0);
	assert_int_equal(staged_bytes(staged), 0);
	assert_string_equal(text_of("a"), "(missing)");
}

static void rename_is_another_name_for_the_same(void **state)
{
	assert_int_equal(put("tmp/.config.txt.Xy12", "text"), 0);
	assert_int_equal(put("config.txt", "old text"), 0);
	assert_int_equal(move("tmp/.config.txt.Xy12", "config.txt"), 0);
	assert_string_equal(text_of("config.txt"), "text");
	assert_int_equal(staged_count(staged), 1);
	assert_int_equal(staged_bytes(staged), 4);
	assert_int_equal(move("config.txt", "config.txt"), 0);
	assert_int_equal(move("config.txt", "config.txt/x"), 0);
	assert_string_equal(text_of("config.txt/x"), "text");
	assert_int_equal(move("missing", "b"), -ENOENT);
	assert_int_equal(move("config.txt/x", "../b"), -EINVAL);
	assert_int_equal(staged_count(staged), 1);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const odd[] = {"", "/", "/etc/passwd", "..", "../a", "a/..", "a/../b",
		".", "./a", "a/.", "a//b", "a/", "a\nb", "a\x7f", "\x1b[0m", "a\tb"};
	static const char *const sane[] = {
		"a", "a/b/c", "...", "..a", ".a", "a..", "1-1.3/config.txt", "\xc3\xa4.bin", "a b"};
	char name[STAGED_PATH_SIZE + 1];

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		assert_false(staged_path_is_sane(odd[i]));
		assert_int_equal(put(odd[i], "x"), -EINVAL);
		assert_string_not_equal(message, "");
	}
	for (size_t i = 0; i < sizeof(sane) / sizeof(sane[0]); i++)
		assert_true(staged_path_is_sane(sane[i]));
	memset(name, 'a', sizeof(name));
	name[STAGED_PATH_SIZE] = '\0';
	assert_int_equal(put(name, "x"), -EINVAL);
	name[STAGED_PATH_SIZE - 1] = '\0';
	assert_int_equal(put(name, "x"), 0);
	assert_int_equal(staged_count(staged), 1);
}

static void no_file_has_a_file_beneath_it(void **state)
{
	assert_int_equal(put("2711/a/b", "x"), 0);
	assert_int_equal(put("2711", "x"), -EISDIR);
	assert_int_equal(put("2711/a", "x"), -EISDIR);
	assert_int_equal(put("2711/a/b/c", "x"), -ENOTDIR);
	assert_int_equal(put("2711/a-b", "x"), 0);
	assert_int_equal(move("2711/a-b", "2711/a"), -EISDIR);
	assert_int_equal(put("27", "x"), 0);
}

static void there_is_room_for_so_many_files(void **state)
{
	char name[32];

	for (unsigned i = 0; i < STAGED_FILES_MAX; i++) {
		snprintf(name, sizeof(name), "file%u", i);
		assert_int_equal(put(name, "x"), 0);
	}
	assert_int_equal(put("one more", "x"), -ENOSPC);
	assert_non_null(strstr(message, "256"));
	assert_int_equal(put("file7", "another"), 0);
	assert_int_equal(move("file7", "one more"), 0);
	assert_int_equal(staged_remove(staged, "file8"), 0);
	assert_int_equal(put("file7", "x"), 0);
	assert_int_equal(staged_count(staged), STAGED_FILES_MAX);
}

static void there_is_room_for_so_many_bytes(void **state)
{
	const size_t half = STAGED_BYTES_MAX / 2;

	assert_int_equal(put_large("a", half), 0);
	assert_int_equal(put_large("b", half), 0);
	assert_int_equal(put("c", "x"), -ENOSPC);
	assert_non_null(strstr(message, "192 MiB"));
	assert_int_equal(put("c", ""), 0);
	assert_int_equal(put_large("a", half + 1), -ENOSPC);
	assert_int_equal(put_large("a", half), 0);
	assert_int_equal(staged_admits(staged, "a", UINT64_MAX, message, sizeof(message)), -ENOSPC);
	assert_int_equal(staged_admits(staged, "a", half - 1, message, sizeof(message)), 0);
	assert_int_equal(staged_bytes(staged), STAGED_BYTES_MAX);
	assert_int_equal(put("a", "x"), 0);
	assert_int_equal(staged_bytes(staged), half + 1);
}

static void a_large_boot_img_is_an_image_of_an_os(void **state)
{
	const size_t size = (size_t)STAGED_IMAGE_MAX + 1;

	assert_int_equal(staged_admits(staged, "boot.img", size - 1, message, sizeof(message)), 0);
	assert_int_equal(staged_admits(staged, "boot.img", size, message, sizeof(message)), -EFBIG);
	assert_non_null(strstr(message, "another name"));
	assert_int_equal(put_large("2711/boot.img", size), -EFBIG);
	assert_int_equal(put_large("other.img", size), 0);
	assert_int_equal(move("other.img", "boot.img"), -EFBIG);
	assert_non_null(strstr(message, "another name"));
	assert_int_equal(staged_count(staged), 1);
}

static void *put_and_remove(void *data)
{
	const char *name = data;
	char sentence[256];

	for (int i = 0; i < 500; i++) {
		struct staged *mine = staged_ref(staged);
		struct staged_entry entry;

		staged_put(mine, name, name, strlen(name), sentence, sizeof(sentence));
		staged_at(mine, 0, &entry);
		staged_rename(mine, name, "same", sentence, sizeof(sentence));
		staged_is_complete(mine);
		staged_remove(mine, "same");
		staged_unref(mine);
	}
	return NULL;
}

static void any_thread_may_call(void **state)
{
	static const char *const names[] = {"a", "b", "bootcode4.bin"};
	pthread_t threads[3];

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, put_and_remove, (void *)names[i]), 0);
	for (size_t i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(staged_count(staged), 0);
	assert_int_equal(staged_bytes(staged), 0);
}

#define ON_STAGED(test) cmocka_unit_test_setup_teardown(test, make_staged, drop_staged)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_STAGED(files_are_kept_as_they_were_put),
		ON_STAGED(a_second_of_that_name_replaces_it),
		ON_STAGED(what_is_removed_is_gone),
		ON_STAGED(rename_is_another_name_for_the_same),
		ON_STAGED(names_that_lead_elsewhere_are_refused),
		ON_STAGED(no_file_has_a_file_beneath_it),
		ON_STAGED(there_is_room_for_so_many_files),
		ON_STAGED(there_is_room_for_so_many_bytes),
		ON_STAGED(a_large_boot_img_is_an_image_of_an_os),
		ON_STAGED(any_thread_may_call),
	};

	staged_unref(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
