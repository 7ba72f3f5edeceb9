#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "linux/kernel_log.h"
#include "scratch.h"

/* The kernel's log as it comes, by its device or by journalctl. */

static struct kernel_record record;

static void a_record_of_the_kernels_is_taken(void **state)
{
	assert_true(linux_kmsg_parse(
		"3,1234,5000000,-;usb 1-2: x\n SUBSYSTEM=usb\n", 1000000, &record));
	assert_string_equal(record.text, "usb 1-2: x");
	assert_int_equal(record.time_us, 6000000);
	assert_true(linux_kmsg_parse("6,1,7,-,caller=T1;a;b", 0, &record));
	assert_string_equal(record.text, "a;b");
}

/* Any program that may write there can, but under a facility of its own. */
static void what_programs_write_into_the_log_is_passed_over(void **state)
{
	assert_false(linux_kmsg_parse("11,1234,5000000,-;usb 1-2: x", 0, &record));
	assert_false(linux_kmsg_parse("30,1,1,-;systemd[1]: usb 1-2: x", 0, &record));
}

static void a_record_that_is_none_is_passed_over(void **state)
{
	static const char *const none[] = {"", ";", "3", "3,1;x", "a,b,c,-;x", "3,1,2,-"};
	char endless[4 * KERNEL_LINE_MAX];

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(linux_kmsg_parse(none[i], 0, &record));
	memset(endless, 'x', sizeof(endless));
	memcpy(endless, "3,1,2,-;", 8);
	endless[sizeof(endless) - 1] = '\0';
	assert_true(linux_kmsg_parse(endless, 0, &record));
	assert_int_equal(strlen(record.text), KERNEL_LINE_MAX - 1);
}

static void a_line_of_the_journals_is_taken(void **state)
{
	assert_true(linux_journal_parse("1700000000.123456 bench kernel: usb 1-2: x", &record));
	assert_string_equal(record.text, "usb 1-2: x");
	assert_int_equal(record.time_us, 1700000000123456);
	assert_false(linux_journal_parse("1700000000.123456 bench sshd[7]: kernel: x", &record));
	assert_false(linux_journal_parse("-- Boot 77 --", &record));
	assert_false(linux_journal_parse("", &record));
}

/* A journalctl that says one line, and then follows. */
static void journalctl_is_followed_and_ended(void **state)
{
	char path[600], script[400], before[4096], line[100] = "";
	struct scratch scratch;
	struct pollfd pollfd = {.events = POLLIN};
	pid_t child;
	FILE *file;

	scratch_new(&scratch);
	snprintf(script, sizeof(script), "%s/journalctl", scratch.path);
	file = fopen(script, "w");
	assert_non_null(file);
	fputs("#!/bin/sh\necho \"1700000000.5 bench kernel: $*\"\nexec tail -f /dev/null\n", file);
	fclose(file);
	assert_int_equal(chmod(script, 0755), 0);
	snprintf(before, sizeof(before), "%s", getenv("PATH"));
	snprintf(path, sizeof(path), "%s:%.300s", scratch.path, before);
	setenv("PATH", path, 1);

	assert_int_equal(linux_journal_start(&child, &pollfd.fd), 0);
	assert_int_equal(poll(&pollfd, 1, 60000), 1);
	assert_true(read(pollfd.fd, line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, "kernel: --dmesg --follow"));
	linux_journal_end(child);
	assert_int_equal(waitpid(child, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	close(pollfd.fd);
	setenv("PATH", before, 1);
	scratch_free(&scratch);
}

static void an_aborted_wait_ends(void **state)
{
	struct kernel_log *log;
	int r;

	assert_int_equal(linux_kernel_log_open(&log), 0);
	log->ops->abort(log);
	do {
		r = log->ops->next(log, &record, 60000);
	} while (r == 0);
	assert_true(r == -ECANCELED || r == -EIO);
	log->ops->close(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_of_the_kernels_is_taken),
		cmocka_unit_test(what_programs_write_into_the_log_is_passed_over),
		cmocka_unit_test(a_record_that_is_none_is_passed_over),
		cmocka_unit_test(a_line_of_the_journals_is_taken),
		cmocka_unit_test(journalctl_is_followed_and_ended),
		cmocka_unit_test(an_aborted_wait_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
