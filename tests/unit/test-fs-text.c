#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text.h"

/* A module whose every string is as bad as USB and people can make it. */
static struct cm4_status hostile(void)
{
	struct cm4_status status = {
		.name = "af04b2da",
		.serial = "af\n\"\\\xff\xc3",
		.port = "1-1\x1b[2J",
		.model = "cm4",
		.state = CM4_STATE_FAILED,
		.n_metadata = 1,
		.n_disks = 1,
		.has_image = true,
		.image = {.format = "raw",
			.name = "bild \xc3\xa4\nSerial: forged \xed\xa0\x80.img"},
		.failure = {.error = EIO, .blame = CM4_BLAME_MEDIA, .text = "bad\nadvice: forged"},
	};

	strcpy(status.metadata[0].key, "MAC_ADDR\n");
	strcpy(status.metadata[0].value, "dc:a6\xfe");
	strcpy(status.disks[0].name, "mmc\"blk0");
	return status;
}

static void ascii_keeps_what_can_be_printed(void **state)
{
	char out[16];

	assert_string_equal(fs_clean_ascii("a b~", out, sizeof(out)), "a b~");
	assert_string_equal(fs_clean_ascii("a\nb\x7f\x1b\xff", out, sizeof(out)), "a?b???");
	assert_string_equal(
		fs_clean_ascii("0123456789abcdefgh", out, sizeof(out)), "0123456789abcde");
}

static void utf8_keeps_letters_and_nothing_else(void **state)
{
	char out[64];

	assert_string_equal(fs_clean_utf8("b\xc3\xa4r \xe2\x82\xac \xf0\x9f\x8d\x93", out, 64),
		"b\xc3\xa4r \xe2\x82\xac \xf0\x9f\x8d\x93");
	assert_string_equal(fs_clean_utf8("\xc0\xaf", out, 64), "??");		 /* overlong */
	assert_string_equal(fs_clean_utf8("\xe0\x80\xaf", out, 64), "???");	 /* likewise */
	assert_string_equal(fs_clean_utf8("\xed\xa0\x80", out, 64), "???");	 /* a surrogate */
	assert_string_equal(fs_clean_utf8("\xf4\x90\x80\x80", out, 64), "????"); /* past the end */
	assert_string_equal(fs_clean_utf8("\xc2\x85", out, 64), "??");	 /* a control character */
	assert_string_equal(fs_clean_utf8("x\xe2\x82", out, 64), "x??"); /* cut off */
	assert_string_equal(fs_clean_utf8("a\tb", out, 64), "a?b");
}

static void utf8_is_not_cut_within_a_character(void **state)
{
	char out[4];

	assert_string_equal(fs_clean_utf8("ab\xc3\xa4", out, sizeof(out)), "ab");
	assert_string_equal(fs_clean_utf8("a\xc3\xa4z", out, sizeof(out)), "a\xc3\xa4");
}

static void a_time_is_written_to_the_millisecond(void **state)
{
	struct timespec time = {.tv_sec = 1700000000, .tv_nsec = 42999999};
	char out[32];

	assert_string_equal(fs_clean_time(&time, out), "2023-11-14T22:13:20.042Z");
}

static void details_are_lines_of_key_and_value(void **state)
{
	struct cm4_status status = hostile();
	struct fs_text text;
	char *line, *rest;

	assert_int_equal(fs_text_details(&status, &text), 0);
	assert_null(strstr(text.data, "\nSerial: forged"));
	assert_non_null(strstr(text.data, "\nState: failed\n"));
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		assert_non_null(strstr(line, ": "));
	free(text.data);
}

static void a_failure_is_three_lines(void **state)
{
	struct cm4_status status = hostile();
	struct fs_text text;

	assert_int_equal(fs_text_fail(&status, &text), 0);
	assert_string_equal(text.data, "error: bad?advice: forged\ntype: media\nadvice: \n");
	assert_int_equal(text.size, strlen(text.data));
	free(text.data);
}

static void the_readme_is_short(void **state)
{
	struct fs_text text;
	int lines = 0;

	assert_int_equal(fs_text_readme(&text), 0);
	for (size_t i = 0; i < text.size; i++)
		lines += text.data[i] == '\n';
	assert_in_range(lines, 5, 19);
	free(text.data);
}

static void json_survives_hostile_strings(void **state)
{
	struct cm4_status status = hostile();
	struct fs_text text;
	json_t *json;

	assert_int_equal(fs_json_module(&status, &text), 0);
	json = json_loadb(text.data, text.size, 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "serial")), "af?\"\\??");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "error"), "errno")), "EIO");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(json, "image"), "name")),
		"bild \xc3\xa4?Serial: forged ???.img");
	json_decref(json);
	free(text.data);
}

static void nothing_is_claimed_that_was_not_proved(void **state)
{
	struct cm4_status status = hostile();
	struct fs_text text;
	json_t *json, *image;

	assert_int_equal(fs_json_module(&status, &text), 0);
	json = json_loadb(text.data, text.size, 0, NULL);
	image = json_object_get(json, "image");
	assert_string_equal(json_string_value(json_object_get(image, "verify")), "off");
	assert_int_equal(json_integer_value(json_object_get(image, "bytes_proved")), 0);
	assert_true(json_is_null(json_object_get(image, "sha256_raw")));
	assert_true(json_is_null(json_object_get(image, "bytes_total")));
	json_decref(json);
	free(text.data);
	assert_int_equal(fs_text_details(&status, &text), 0);
	assert_non_null(strstr(text.data, "\nImage proved: no (verify is off)\n"));
	free(text.data);
}

static void a_proof_is_said_to_be_what_it_is(void **state)
{
	struct cm4_status status = hostile();
	struct fs_text text;
	json_t *json, *image;

	status.image.verify = CM4_VERIFY_READBACK;
	status.image.bytes_proved = 4096;
	strcpy(status.image.verify_reason, "it has\nno console");
	assert_int_equal(fs_json_module(&status, &text), 0);
	json = json_loadb(text.data, text.size, 0, NULL);
	image = json_object_get(json, "image");
	assert_string_equal(json_string_value(json_object_get(image, "verify")), "readback");
	assert_string_equal(
		json_string_value(json_object_get(image, "verify_reason")), "it has?no console");
	assert_int_equal(json_integer_value(json_object_get(image, "bytes_proved")), 4096);
	json_decref(json);
	free(text.data);
	assert_int_equal(fs_text_details(&status, &text), 0);
	assert_non_null(strstr(text.data, "\nImage bytes proved: 4096\n"));
	assert_non_null(strstr(text.data, "\nImage proved: not all of it, by reading it back"));
	assert_non_null(strstr(text.data, "\nWhy not by the medium: it has?no console\n"));
	free(text.data);

	status.image.verify = CM4_VERIFY_MEDIUM;
	status.image.whole = true;
	assert_int_equal(fs_text_details(&status, &text), 0);
	assert_non_null(strstr(text.data, "\nImage proved: yes, by the module's own reading"));
	free(text.data);
}

static void an_empty_fleet_is_an_empty_list(void **state)
{
	struct fs_text text;
	json_t *json;

	struct cm4_report report = {.n = 0};

	assert_int_equal(fs_json_root(NULL, 0, &report, &text), 0);
	json = json_loadb(text.data, text.size, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(json, "version")), 1);
	assert_int_equal(json_array_size(json_object_get(json, "modules")), 0);
	assert_true(json_is_array(json_object_get(json, "findings")));
	json_decref(json);
	free(text.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ascii_keeps_what_can_be_printed),
		cmocka_unit_test(utf8_keeps_letters_and_nothing_else),
		cmocka_unit_test(utf8_is_not_cut_within_a_character),
		cmocka_unit_test(a_time_is_written_to_the_millisecond),
		cmocka_unit_test(details_are_lines_of_key_and_value),
		cmocka_unit_test(a_failure_is_three_lines),
		cmocka_unit_test(the_readme_is_short),
		cmocka_unit_test(json_survives_hostile_strings),
		cmocka_unit_test(nothing_is_claimed_that_was_not_proved),
		cmocka_unit_test(a_proof_is_said_to_be_what_it_is),
		cmocka_unit_test(an_empty_fleet_is_an_empty_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
