#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "doctor.h"
#include "findings.h"

#define ARGS(...)                                                                                  \
	(int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), (char *[])                        \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static void a_mount_whose_source_is_called_doctor_is_a_mount(void **state)
{
	assert_true(fs_doctor_asked(ARGS("cm4fs", "doctor")));
	assert_true(fs_doctor_asked(ARGS("cm4fs", "doctor", "-")));
	assert_true(fs_doctor_asked(ARGS("cm4fs", "doctor", "--json")));
	assert_false(fs_doctor_asked(ARGS("cm4fs", "doctor", "mnt")));
	assert_false(fs_doctor_asked(ARGS("cm4fs", "doctor", "mnt", "-o", "rw")));
	assert_false(fs_doctor_asked(ARGS("cm4fs", "-f", "doctor")));
	assert_false(fs_doctor_asked(ARGS("cm4fs")));
}

static void its_options_are_few(void **state)
{
	struct fs_doctor doctor;

	assert_int_equal(fs_doctor_parse(ARGS("cm4fs", "doctor", "--json", "--payload=/x",
						 "--simulate=2", "-"),
				 &doctor),
		0);
	assert_true(doctor.json && doctor.explain);
	assert_string_equal(doctor.payload, "/x");
	assert_string_equal(doctor.simulate, "2");
	assert_int_equal(fs_doctor_parse(ARGS("cm4fs", "doctor", "-f"), &doctor), -EINVAL);
	assert_int_equal(fs_doctor_parse(ARGS("cm4fs", "doctor", "--jsonx"), &doctor), -EINVAL);
	assert_int_equal(fs_doctor_parse(ARGS("cm4fs", "doctor", "--payload"), &doctor), -EINVAL);
}

/* What it prints of a log; free it. */
static char *explain(const char *log, bool json, int *ret_status)
{
	FILE *in = *log ? fmemopen((char *)log, strlen(log), "r") : fopen("/dev/null", "r"), *out;
	char *text = NULL;
	size_t size;

	out = open_memstream(&text, &size);
	*ret_status = fs_doctor_explain(in, out, json);
	fclose(in);
	fclose(out);
	return text;
}

#define BAD "[ 9.5] usb 1-2: device descriptor read/64, error -71\n"

static void a_pasted_log_is_explained(void **state)
{
	int status;
	char *text = explain(BAD BAD, false, &status);

	assert_int_equal(status, 1);
	assert_ptr_equal(strstr(text, "Port 1-2: "), text);
	assert_non_null(
		strstr(text, "  [ 9.5] usb 1-2: device descriptor read/64, error -71  (2 times)"));
	assert_non_null(strstr(text, "\n  1. Take the module out"));
	free(text);
}

static void a_sound_log_is_said_to_be_sound(void **state)
{
	int status;
	char *text = explain("[ 9.5] usb 1-2: USB disconnect, device number 5\n", false, &status);

	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "Nothing in this log"));
	free(text);
	text = explain("", false, &status);
	assert_int_equal(status, 0);
	free(text);
}

static void json_has_the_findings_of_status_json(void **state)
{
	int status;
	char *text = explain(BAD, true, &status);
	json_t *root = json_loads(text, 0, NULL), *finding, *evidence;

	assert_non_null(root);
	assert_false(json_is_true(json_object_get(root, "ok")));
	finding = json_array_get(json_object_get(root, "findings"), 0);
	assert_string_equal(json_string_value(json_object_get(finding, "id")), "port-garbled");
	assert_string_equal(json_string_value(json_object_get(finding, "type")), "link");
	assert_string_equal(json_string_value(json_object_get(finding, "port")), "1-2");
	assert_true(json_array_size(json_object_get(finding, "advice")) > 2);
	evidence = json_array_get(json_object_get(finding, "evidence"), 0);
	assert_int_equal(json_integer_value(json_object_get(evidence, "times")), 1);
	assert_true(json_is_null(json_object_get(evidence, "first")));
	json_decref(root);
	free(text);
}

static void a_fail_is_exit_status_1_and_a_warning_is_none(void **state)
{
	static struct cm4_checkup checkup = {
		.n = 1, .checks = {{.name = "x", .text = "it is \x1b[2Jso", .remedy = "Mend it."}}};
	struct cm4_report report = {.n = 0};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	checkup.checks[0].level = CM4_CHECK_WARN;
	assert_int_equal(fs_doctor_print(out, &checkup, &report, false), 0);
	checkup.checks[0].level = CM4_CHECK_FAIL;
	assert_int_equal(fs_doctor_print(out, &checkup, &report, false), 1);
	fclose(out);
	assert_string_equal(text, "warn  x: it is ?[2Jso. -> Mend it.\n"
				  "FAIL  x: it is ?[2Jso. -> Mend it.\n");
	free(text);
}

static void a_report_without_findings_says_that_all_is_well(void **state)
{
	struct cm4_report report = {.n_modules = 2, .source = "the log"};
	struct fs_text text;

	assert_int_equal(fs_text_diagnosis(&report, &text), 0);
	assert_string_equal(text.data, "All is well: 2 modules on the bus, and the log has no "
				       "complaint about USB that still holds.\n");
	free(text.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mount_whose_source_is_called_doctor_is_a_mount),
		cmocka_unit_test(its_options_are_few),
		cmocka_unit_test(a_pasted_log_is_explained),
		cmocka_unit_test(a_sound_log_is_said_to_be_sound),
		cmocka_unit_test(json_has_the_findings_of_status_json),
		cmocka_unit_test(a_fail_is_exit_status_1_and_a_warning_is_none),
		cmocka_unit_test(a_report_without_findings_says_that_all_is_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
