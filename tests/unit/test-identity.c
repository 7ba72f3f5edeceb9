#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "module/identity.h"
#include "module/journal.h"

static const char *serial(enum boot_kind kind, const char *text)
{
	static char buffer[CM4_NAME_MAX];

	identity_serial(kind, text, buffer);
	return buffer;
}

static void the_roms_eight_digits_are_the_serial(void **state)
{
	assert_string_equal(serial(BOOT_KIND_ROM, "af04b2da"), "af04b2da");
	assert_string_equal(serial(BOOT_KIND_ROM, "AF04B2DA"), "af04b2da");
}

static void a_disks_sixteen_digits_end_in_it(void **state)
{
	assert_string_equal(serial(BOOT_KIND_DISK, "10000000af04b2da"), "af04b2da");
}

static void what_is_no_serial_is_none(void **state)
{
	assert_string_equal(serial(BOOT_KIND_ROM, ""), "");
	assert_string_equal(serial(BOOT_KIND_ROM, "Broadcom"), "");
	assert_string_equal(serial(BOOT_KIND_ROM, "../../etc"), "");
	assert_string_equal(serial(BOOT_KIND_ROM, "af04b2d"), "");
	assert_string_equal(serial(BOOT_KIND_DISK, "10000000af04b2da00"), "");
	assert_string_equal(serial(BOOT_KIND_ROM, "af04b2d\n"), "");
}

static void a_second_stages_text_says_nothing(void **state)
{
	assert_string_equal(serial(BOOT_KIND_SECOND, "af04b2da"), "");
}

static void only_two_different_serials_are_two_modules(void **state)
{
	assert_true(identity_may_be_same("af04b2da", "af04b2da"));
	assert_true(identity_may_be_same("af04b2da", ""));
	assert_true(identity_may_be_same("", "af04b2da"));
	assert_false(identity_may_be_same("af04b2da", "af04b2db"));
}

static void a_hubs_path_covers_its_ports_and_no_neighbours(void **state)
{
	assert_true(identity_port_matches("1-1.3", "1-1.3"));
	assert_true(identity_port_matches("1-1.3", "1-1"));
	assert_true(identity_port_matches("1-1.3", "1-"));
	assert_false(identity_port_matches("1-12", "1-1"));
	assert_false(identity_port_matches("1-1", "1-1.3"));
	assert_false(identity_port_matches("11-1", "1-1"));
}

static void a_log_line_has_a_time_and_no_control_characters(void **state)
{
	struct journal *journal;
	size_t size;
	char *text;

	assert_int_equal(journal_new(&journal), 0);
	journal_add(journal, "name %s", "evil\x1b[31m\nforged");
	text = journal_copy(journal, &size);
	assert_int_equal(size, strlen(text));
	assert_non_null(strstr(text, " name evil?[31m?forged\n"));
	assert_int_equal(text[4], '-');
	free(text);
	journal_free(journal);
}

static void a_full_log_forgets_its_oldest_lines_whole(void **state)
{
	struct journal *journal;
	size_t size;
	char *text;

	assert_int_equal(journal_new(&journal), 0);
	for (int i = 0; i < 10000; i++)
		journal_add(journal, "line %d", i);
	text = journal_copy(journal, &size);
	assert_in_range(size, 16384, 65536);
	assert_null(strstr(text, " line 0\n"));
	assert_non_null(strstr(text, " line 9999\n"));
	assert_int_equal(text[4], '-');
	assert_int_equal(text[size - 1], '\n');
	free(text);
	journal_free(journal);
}

static void a_line_too_long_is_cut(void **state)
{
	struct journal *journal;
	char line[2000];
	size_t size;
	char *text;

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	assert_int_equal(journal_new(&journal), 0);
	journal_add(journal, "%s", line);
	text = journal_copy(journal, &size);
	assert_in_range(size, 400, 512);
	assert_int_equal(text[size - 1], '\n');
	free(text);
	journal_free(journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_roms_eight_digits_are_the_serial),
		cmocka_unit_test(a_disks_sixteen_digits_end_in_it),
		cmocka_unit_test(what_is_no_serial_is_none),
		cmocka_unit_test(a_second_stages_text_says_nothing),
		cmocka_unit_test(only_two_different_serials_are_two_modules),
		cmocka_unit_test(a_hubs_path_covers_its_ports_and_no_neighbours),
		cmocka_unit_test(a_log_line_has_a_time_and_no_control_characters),
		cmocka_unit_test(a_full_log_forgets_its_oldest_lines_whole),
		cmocka_unit_test(a_line_too_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
