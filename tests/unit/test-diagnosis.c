#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "diagnosis/diagnosis.h"
#include "diagnosis/pasted.h"
#include "util/cleanup.h"

#define S 1000000ll

static struct diagnosis diagnosis;
static struct cm4_finding findings[CM4_FINDINGS_MAX];
static size_t n_findings;

static int begin(void **state)
{
	diagnosis_init(&diagnosis);
	return 0;
}

static void say(int64_t time_us, const char *text)
{
	diagnosis_line(&diagnosis, time_us, text, NULL);
}

static void look(int64_t now_us)
{
	n_findings = diagnosis_findings(&diagnosis, now_us, findings, CM4_FINDINGS_MAX);
}

static char *read_file(const char *directory, const char *name)
{
	_cleanup_free_ char *path = NULL;
	char *text = calloc(1, 65536);
	FILE *file;

	assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, 65535, file) > 0);
	fclose(file);
	return text;
}

static bool reached[FAILURE_N];

static void reach(const char *id)
{
	for (unsigned i = 0; i < FAILURE_N; i++)
		reached[i] = reached[i] || strcmp(table_row((enum failure)i)->id, id) == 0;
}

/* "# expect: ID PORT", or "# expect: none". */
static void expect(const char *name, char *text)
{
	struct cm4_report report;
	char id[32] = "", port[32] = "";

	assert_true(sscanf(text, "# expect: %31s%*1[ ]%31[0-9.-]", id, port) >= 1);
	assert_int_equal(cm4_explain_log(text, strlen(text), &report), 0);
	if (strcmp(id, "none") == 0) {
		if (report.n)
			fail_msg("%s: %s on %s, of what is sound", name, report.findings[0].id,
				report.findings[0].port);
	} else if (report.n != 1 || strcmp(report.findings[0].id, id) != 0 ||
		   strcmp(report.findings[0].port, port) != 0) {
		fail_msg("%s: %zu findings, the first is %s on '%s'", name, report.n,
			report.n ? report.findings[0].id : "none",
			report.n ? report.findings[0].port : "");
	} else {
		assert_true(report.findings[0].n_evidence > 0);
		reach(id);
	}
	cm4_report_fini(&report);
}

static void every_log_has_its_finding_and_no_other(void **state)
{
	const char *directory = getenv("KERNEL_LOGS");
	DIR *dir = opendir(directory ? directory : "tests/data/kernel-logs");
	struct dirent *entry;
	unsigned n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *text = NULL;

		if (!strstr(entry->d_name, ".log"))
			continue;
		text = read_file(directory ? directory : "tests/data/kernel-logs", entry->d_name);
		expect(entry->d_name, text);
		n++;
	}
	closedir(dir);
	assert_in_range(n, 20, 100);
	for (unsigned i = 0; i < FAILURE_N; i++)
		if (table_row((enum failure)i)->group == TABLE_PORT && !reached[i])
			fail_msg("no log shows %s", table_row((enum failure)i)->id);
}

static void evidence_counts_lines_of_a_kind_and_keeps_the_first(void **state)
{
	say(10 * S, "usb 1-1.3: device descriptor read/64, error -71");
	say(11 * S, "usb 1-1.3: device descriptor read/64, error -71");
	say(12 * S, "usb 1-1-port3: unable to enumerate USB device");
	look(20 * S);
	assert_int_equal(n_findings, 1);
	assert_string_equal(findings[0].port, "1-1.3");
	assert_int_equal(findings[0].blame, CM4_BLAME_LINK);
	assert_int_equal(findings[0].n_evidence, 2);
	assert_int_equal(findings[0].evidence[0].times, 2);
	assert_int_equal(findings[0].evidence[0].first.tv_sec, 10);
	assert_int_equal(findings[0].evidence[0].last.tv_sec, 11);
	assert_string_equal(
		findings[0].evidence[0].text, "usb 1-1.3: device descriptor read/64, error -71");
	assert_non_null(strstr(findings[0].advice, "screws"));
	/* Seat and screws come first (the article). */
	assert_ptr_equal(strstr(findings[0].advice, "Take the module out"), findings[0].advice);
}

static void a_finding_grows_old_and_is_kept(void **state)
{
	say(10 * S, "usb 1-1.3: device descriptor read/64, error -71");
	look(10 * S + DIAGNOSIS_EARLIER_S * S);
	assert_false(findings[0].earlier);
	look(12 * S + DIAGNOSIS_EARLIER_S * S);
	assert_int_equal(n_findings, 1);
	assert_true(findings[0].earlier);
}

static void coming_and_going_is_over_once_it_is_calm(void **state)
{
	for (int i = 0; i < DIAGNOSIS_FLAPS; i++)
		say((100 + i) * S, "usb 1-2: USB disconnect, device number 5");
	say(107 * S, "usb 1-2: new high-speed USB device number 9 using xhci_hcd");
	say(107 * S,
		"usb 1-2: New USB device found, idVendor=0a5c, idProduct=2711, bcdDevice= 0.00");
	look(110 * S);
	assert_int_equal(n_findings, 1);
	assert_string_equal(findings[0].id, "port-flaps");
	look(106 * S + DIAGNOSIS_CALM_S * S);
	assert_int_equal(n_findings, 0);
}

static void departures_far_apart_are_no_flapping(void **state)
{
	for (int i = 0; i < 20; i++)
		say((100 + i * 7) * S, "usb 1-2: USB disconnect, device number 5");
	look(250 * S);
	assert_int_equal(n_findings, 0);
}

static void a_fast_link_makes_up_for_a_slow_one(void **state)
{
	say(1 * S, "usb 1-2: new full-speed USB device number 5 using xhci_hcd");
	say(1 * S, "usb 1-2: New USB device found, idVendor=0a5c, idProduct=2711, bcdDevice= 0.00");
	look(2 * S);
	assert_string_equal(findings[0].id, "full-speed");
	say(3 * S, "usb 1-2: USB disconnect, device number 5");
	look(4 * S);
	assert_int_equal(n_findings, 1);
	say(5 * S, "usb 1-2: new high-speed USB device number 6 using xhci_hcd");
	say(5 * S, "usb 1-2: New USB device found, idVendor=0a5c, idProduct=2711, bcdDevice= 0.00");
	look(6 * S);
	assert_int_equal(n_findings, 0);
}

static void sysfs_shows_what_a_denied_log_does_not(void **state)
{
	struct kernel_port ports[] = {
		{.port = "1-2", .link_mbps = 12, .vendor = 0x0a5c, .product = 0x2711},
		{.port = "1-3", .over_currents = 4},
		{.port = "1-4"},
	};

	diagnosis_ports(&diagnosis, 5 * S, ports, 3);
	look(6 * S);
	assert_int_equal(n_findings, 1); /* what was counted before is of old */
	assert_string_equal(findings[0].id, "full-speed");
	ports[1].over_currents++;
	ports[2].over_currents++;
	diagnosis_ports(&diagnosis, 7 * S, ports, 3);
	look(8 * S);
	assert_int_equal(n_findings, 3);
	assert_string_equal(findings[0].id, "over-current");
	assert_string_equal(findings[0].port, "1-3");
	assert_string_equal(findings[1].port, "1-4");
}

static void sysfs_tells_no_second_time_what_the_log_has_told(void **state)
{
	struct kernel_port port = {
		.port = "1-2", .link_mbps = 480, .vendor = 0x0a5c, .product = 0x2711};

	say(1 * S, "usb 1-2: new high-speed USB device number 6 using xhci_hcd");
	say(1 * S, "usb 1-2: New USB device found, idVendor=0a5c, idProduct=2711, bcdDevice= 0.00");
	say(1 * S, "usb 1-2: can't set config #1, error -71");
	diagnosis_ports(&diagnosis, 2 * S, &port, 1);
	look(3 * S);
	assert_int_equal(n_findings, 1);
	assert_string_equal(findings[0].id, "port-garbled");
}

static void quoted_lines_are_cut_and_clean(void **state)
{
	char line[400];

	snprintf(line, sizeof(line), "usb 1-2: device descriptor read/64, error -71 %0300d", 0);
	line[60] = '\x1b';
	say(S, line);
	look(2 * S);
	assert_int_equal(strlen(findings[0].evidence[0].text), CM4_EVIDENCE_TEXT - 1);
	assert_int_equal(findings[0].evidence[0].text[60], '?');
}

static void many_ports_make_room_for_the_latest(void **state)
{
	char line[100];

	for (int bus = 1; bus <= 20; bus++) {
		for (int port = 1; port <= 20; port++) {
			snprintf(line, sizeof(line),
				"usb %d-%d: device descriptor read/64, error -71", bus, port);
			say(bus * S, line);
		}
	}
	look(30 * S);
	assert_int_equal(n_findings, DIAGNOSIS_PORTS_MAX);
	for (size_t i = 0; i < n_findings; i++)
		assert_int_not_equal(strncmp(findings[i].port, "1-", 2), 0);
	assert_int_equal(diagnosis_findings(&diagnosis, 30 * S, findings, 5), 5);
}

static void every_header_of_a_pasted_line_is_passed_over(void **state)
{
	static const struct {
		const char *line, *text;
		int64_t time_us;
	} cases[] = {
		{"usb 1-2: x", "usb 1-2: x", 0},
		{"[   12.5] usb 1-2: x", "usb 1-2: x", 12500000},
		{"<6>[   12.5] usb 1-2: x", "usb 1-2: x", 12500000},
		{"[   12.5][   T77] usb 1-2: x", "usb 1-2: x", 12500000},
		{"[Fri Nov 27 12:00:01 2026] usb 1-2: x", "usb 1-2: x", 0},
		{"kern  :err   : [   12.5] usb 1-2: x", "usb 1-2: x", 12500000},
		{"6,1801,12500000,-;usb 1-2: x", "usb 1-2: x", 12500000},
		{"Nov 27 12:00:01 bench kernel: usb 1-2: x", "usb 1-2: x", 0},
		{"Nov 27 12:00:01 bench kernel: [   12.5] usb 1-2: x", "usb 1-2: x", 12500000},
		{"2026-11-27T12:00:01.1+01:00 bench kernel: usb 1-2: x", "usb 1-2: x", 0},
		{"[ 1.0] usb 1-9: Product: a kernel: usb 1-2: x",
			"usb 1-9: Product: a kernel: usb 1-2: x", 1000000},
		{"", "", 0},
		{"[", "[", 0},
		{"6,1,", "6,1,", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t time_us;

		assert_string_equal(pasted_text(cases[i].line, &time_us), cases[i].text);
		assert_int_equal(time_us, cases[i].time_us);
	}
}

static void every_row_is_complete_and_none_is_twice(void **state)
{
	for (unsigned i = 0; i < FAILURE_N; i++) {
		const struct table_row *row = table_row((enum failure)i);

		assert_non_null(row->id);
		assert_non_null(row->text);
		assert_non_null(row->advice);
		assert_in_range(strlen(row->text), 10, sizeof(findings[0].text) - 1);
		assert_in_range(
			strlen(row->advice), 10, sizeof(((struct cm4_failure *)0)->advice) - 1);
		assert_int_equal(
			row->error > 0, row->group == TABLE_MODULE && i < FAILURE_FULL_SPEED);
		assert_int_not_equal(row->text[strlen(row->text) - 1], '.');
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(row->id, table_row((enum failure)j)->id);
	}
}

/* What the manual says that people find in their logs is what the parser understands. */
static void every_line_that_the_table_quotes_is_understood(void **state)
{
	static const char *const subjects[] = {"usb 1-2: ", "usb usb1-port2: ", "hub 1-2:1.0: ",
		"sd 0:0:0:0: ", "xhci_hcd 0000:00:14.0: ", "sd 0:0:0:0: [sda] ",
		"usb 1-2: config 1 interface 0 altsetting 0 "};

	for (unsigned i = 0; i < FAILURE_N; i++) {
		const char *const *log = table_row((enum failure)i)->log;

		for (; log && *log; log++) {
			bool understood =
				strstr(*log, ", dev sda"); /* the sd driver's say it first */
			struct kernel_line line;
			char text[200];

			for (size_t j = 0; j < 7 && !understood; j++) {
				const char *what = strncmp(*log, "[sda] ", 6) ? *log : *log + 6;
				const char *rest = strstr(what, "number") ? " 5" : "";

				if (strncmp(what, "new ", 4) == 0 ||
					strncmp(what, "reset ", 6) == 0)
					rest = " 5 using xhci_hcd";
				snprintf(text, sizeof(text), "%s%s%s", subjects[j], what, rest);
				understood = kernel_line_parse(text, &line) != KERNEL_NOTHING;
			}
			if (!understood)
				fail_msg("not understood: %s", *log);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_log_has_its_finding_and_no_other, begin),
		cmocka_unit_test_setup(evidence_counts_lines_of_a_kind_and_keeps_the_first, begin),
		cmocka_unit_test_setup(a_finding_grows_old_and_is_kept, begin),
		cmocka_unit_test_setup(coming_and_going_is_over_once_it_is_calm, begin),
		cmocka_unit_test_setup(departures_far_apart_are_no_flapping, begin),
		cmocka_unit_test_setup(a_fast_link_makes_up_for_a_slow_one, begin),
		cmocka_unit_test_setup(sysfs_shows_what_a_denied_log_does_not, begin),
		cmocka_unit_test_setup(sysfs_tells_no_second_time_what_the_log_has_told, begin),
		cmocka_unit_test_setup(quoted_lines_are_cut_and_clean, begin),
		cmocka_unit_test_setup(many_ports_make_room_for_the_latest, begin),
		cmocka_unit_test_setup(every_header_of_a_pasted_line_is_passed_over, begin),
		cmocka_unit_test_setup(every_row_is_complete_and_none_is_twice, begin),
		cmocka_unit_test_setup(every_line_that_the_table_quotes_is_understood, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
