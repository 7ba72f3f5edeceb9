#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring.h"

static struct fs_ring ring;

static int on_missed(uint64_t lines, struct fs_text *ret_text)
{
	char line[32];

	snprintf(line, sizeof(line), "lost %llu\n", (unsigned long long)lines);
	ret_text->data = strdup(line);
	ret_text->size = strlen(line);
	return 0;
}

static void say(const char *lines)
{
	struct fs_text text = {.data = (char *)(uintptr_t)lines, .size = strlen(lines)};

	assert_int_equal(fs_ring_add(&ring, &text), 0);
}

static void say_number(unsigned number)
{
	char line[32];

	snprintf(line, sizeof(line), "line %u\n", number);
	say(line);
}

static void begin(struct fs_ring_reader *reader, const char *greeting)
{
	struct fs_text text = {.data = strdup(greeting), .size = strlen(greeting)};

	fs_ring_reader_init(reader, &ring, text);
}

static void reads(struct fs_ring_reader *reader, size_t room, const char *wanted)
{
	char buffer[4096];
	size_t n = fs_ring_read(&ring, reader, on_missed, buffer, room);

	assert_true(n < sizeof(buffer));
	buffer[n] = '\0';
	assert_string_equal(buffer, wanted);
}

static int set_up(void **state)
{
	fs_ring_init(&ring);
	return 0;
}

static int tear_down(void **state)
{
	fs_ring_fini(&ring);
	return 0;
}

static void each_reader_has_a_place_of_his_own(void **state)
{
	struct fs_ring_reader first, second;

	begin(&first, "hello first\n");
	say("one\ntwo\n");
	begin(&second, "hello second\n");
	say("three\n");
	reads(&second, 4096, "hello second\nthree\n");
	reads(&first, 4096, "hello first\none\ntwo\nthree\n");
	reads(&first, 4096, "");
	assert_false(fs_ring_has(&ring, &first));
	say("four\n");
	assert_true(fs_ring_has(&ring, &first));
	reads(&first, 4096, "four\n");
	reads(&second, 4096, "four\n");
	fs_ring_reader_fini(&first);
	fs_ring_reader_fini(&second);
}

static void a_line_is_not_split_where_there_is_room_for_it(void **state)
{
	struct fs_ring_reader reader;

	begin(&reader, "hello\nhello again\n");
	say("one\ntwo and three\n");
	reads(&reader, 12, "hello\n");
	reads(&reader, 12, "hello again\n");
	reads(&reader, 5, "one\n");
	reads(&reader, 14, "two and three\n");
	fs_ring_reader_fini(&reader);
}

static void a_line_that_is_longer_than_the_buffer_comes_in_parts(void **state)
{
	struct fs_ring_reader reader;

	begin(&reader, "hello\n");
	say("a long line\nshort\n");
	reads(&reader, 4, "hell");
	reads(&reader, 4, "o\n");
	reads(&reader, 4, "a lo");
	reads(&reader, 4, "ng l");
	reads(&reader, 16, "ine\nshort\n");
	fs_ring_reader_fini(&reader);
}

static void a_slow_reader_is_told_how_many_lines_he_missed(void **state)
{
	struct fs_ring_reader slow, quick;
	unsigned number = 0;

	begin(&slow, "hello\n");
	begin(&quick, "hello\n");
	reads(&slow, 4096, "hello\n");
	for (; number < FS_RING_LINES; number++)
		say_number(number);
	reads(&slow, 8, "line 0\n");
	for (; number < FS_RING_LINES + 5; number++)
		say_number(number);
	reads(&slow, 21, "line 1\nlost 3\nline 5\n");
	reads(&slow, 14, "line 6\nline 7\n");
	reads(&quick, 20, "hello\nlost 5\nline 5\n");
	fs_ring_reader_fini(&slow);
	fs_ring_reader_fini(&quick);
}

static void the_rest_of_a_line_survives_its_place_in_the_ring(void **state)
{
	struct fs_ring_reader reader;

	begin(&reader, "");
	say("a long line\n");
	reads(&reader, 6, "a long");
	for (unsigned number = 0; number < FS_RING_LINES + 2; number++)
		say_number(number);
	reads(&reader, 20, " line\nlost 2\nline 2\n");
	fs_ring_reader_fini(&reader);
}

static void what_was_said_before_is_not_for_a_new_reader(void **state)
{
	struct fs_ring_reader reader;

	say("before\n");
	begin(&reader, "");
	assert_false(fs_ring_has(&ring, &reader));
	reads(&reader, 4096, "");
	fs_ring_reader_fini(&reader);
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(each_reader_has_a_place_of_his_own),
		RING_TEST(a_line_is_not_split_where_there_is_room_for_it),
		RING_TEST(a_line_that_is_longer_than_the_buffer_comes_in_parts),
		RING_TEST(a_slow_reader_is_told_how_many_lines_he_missed),
		RING_TEST(the_rest_of_a_line_survives_its_place_in_the_ring),
		RING_TEST(what_was_said_before_is_not_for_a_new_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
