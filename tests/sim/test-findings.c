#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "payload/payload.h"
#include "rig.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* What is found wrong with a fleet, by the kernel's log and by the modules themselves. */

#define FAST   "emmc=64M:link=0:medium=0:boot=50"
#define SERIAL "af04b2da"

/* The index of the finding, waited for; or the report's n at the bound. */
static size_t wait_for(struct rig *rig, const char *id, struct cm4_report *report)
{
	uint64_t bound = clock_ns() + RIG_BOUND_S * NS_PER_S;

	for (;;) {
		size_t i = 0;

		assert_int_equal(cm4_fleet_report(rig->fleet, report), 0);
		while (i < report->n && strcmp(report->findings[i].id, id) != 0)
			i++;
		if (i < report->n || clock_ns() > bound)
			return i;
		cm4_report_fini(report);
		LOCKED(&rig->lock);
		cond_wait_until(&rig->changed, &rig->lock, clock_ns() + 10 * NS_PER_MS);
	}
}

/* Its finding is there, on the port, with evidence. */
static void finds(struct rig *rig, const char *id, const char *port, const char *name)
{
	struct cm4_report report;
	size_t i = wait_for(rig, id, &report);

	if (i == report.n)
		fail_msg("%s is not found", id);
	assert_string_equal(report.findings[i].port, port);
	assert_string_equal(report.findings[i].module, name);
	assert_true(*port == '\0' || report.findings[i].n_evidence > 0);
	assert_true(strlen(report.findings[i].advice) > 10);
	cm4_report_fini(&report);
}

static void a_sound_fleet_has_no_findings(void **state)
{
	struct cm4_report report;
	struct rig rig;

	rig_start(&rig, FAST, false);
	assert_int_equal(cm4_fleet_report(rig.fleet, &report), 0);
	assert_int_equal(report.n, 0);
	assert_int_equal(report.n_modules, 1);
	assert_true(*report.source);
	cm4_report_fini(&report);
	rig_stop(&rig);
}

static void a_module_on_a_bad_link_is_found_by_the_kernels_log_alone(void **state)
{
	struct rig rig;

	rig_start(&rig, "count=2:fault=2/bad-link:" FAST, false);
	finds(&rig, "port-garbled", "1-1.2", "");
	rig_stop(&rig);
}

static void an_empty_bus_says_how_to_tell_why(void **state)
{
	struct cm4_report report;
	struct rig rig;

	rig_start(&rig, "fault=bad-link:kernel-log=denied:" FAST, false);
	finds(&rig, "nothing", "", "");
	finds(&rig, "log-denied", "", "");
	assert_int_equal(cm4_fleet_report(rig.fleet, &report), 0);
	assert_int_equal(report.n, 2);
	assert_false(report.findings[0].note);
	assert_true(report.findings[1].note);
	assert_string_equal(report.source, "");
	cm4_report_fini(&report);
	rig_stop(&rig);
}

static void a_report_outlives_the_fleets_end(void **state)
{
	struct cm4_report report;
	struct rig rig;

	rig_start(&rig, "fault=bad-link:" FAST, false);
	finds(&rig, "port-garbled", "1-1.1", "");
	cm4_fleet_stop(rig.fleet);
	assert_int_equal(cm4_fleet_report(rig.fleet, &report), 0);
	assert_int_equal(report.n, 1);
	cm4_report_fini(&report);
	rig_stop(&rig);
}

static void a_slow_link_is_a_sign_and_then_the_cause(void **state)
{
	struct rig rig;
	struct cm4_module *module;

	rig_start(&rig, "fault=full-speed:fault=stall@header:" FAST, false);
	module = rig_module(&rig, SERIAL);
	finds(&rig, "full-speed", "1-1.1", SERIAL);
	assert_int_equal(rig_status(module).failure.error, 0);
	assert_int_equal(rig_control(module, CM4_VERB_BOOT), -EPROTO);
	assert_string_equal(rig_status(module).failure.id, "full-speed");
	assert_int_equal(rig_status(module).failure.blame, CM4_BLAME_LINK);
	finds(&rig, "full-speed", "1-1.1", SERIAL);
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void a_locked_module_is_told_from_one_that_talks_nonsense(void **state)
{
	struct rig rig;
	struct cm4_module *locked, *mad;

	rig_start(&rig, "count=2:fault=1/nonsense@boot-sig:fault=2/nonsense@bad-command:" FAST,
		false);
	locked = rig_module(&rig, SERIAL);
	mad = rig_module(&rig, "4d3c2c8b");
	assert_int_equal(rig_control(locked, CM4_VERB_BOOT), -EPROTO);
	assert_string_equal(rig_status(locked).failure.id, "boot-sig");
	assert_int_equal(rig_control(mad, CM4_VERB_BOOT), -EPROTO);
	assert_string_equal(rig_status(mad).failure.id, "second-nonsense");
	finds(&rig, "boot-sig", "1-1.1", SERIAL);
	cm4_module_unref(locked);
	cm4_module_unref(mad);
	rig_stop(&rig);
}

static void boot_files_that_are_known_to_fail_are_told_of_before_they_do(void **state)
{
	static const struct payload_blob blobs[] = {
		{"bootcode4.bin", "second stage", 12}, {"start4.elf", "msd", 3}};
	struct payload *payload;
	struct rig rig;

	assert_int_equal(payload_new_blobs("msd", blobs, 2, &payload), 0);
	rig_start_with_payload(&rig, FAST, payload);
	finds(&rig, "vpu-payload", "1-1.1", SERIAL);
	rig_stop(&rig);
}

static void write_file(const char *dir, const char *name, time_t date)
{
	struct timespec times[2] = {{.tv_sec = date}, {.tv_sec = date}};
	static const char content[4096] = "no symlink's text";
	_cleanup_free_ char *path = NULL;
	int fd;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(fd, content, sizeof(content)), sizeof(content));
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

/* It takes its second stage, and is gone for good: 20 seconds are waited. */
static void old_boot_files_are_suspected_of_not_knowing_the_board(void **state)
{
	char dir[] = "/tmp/cm4fs-old-XXXXXX", message[256];
	time_t old = time(NULL) - 3 * 365 * 86400;
	struct cm4_module *module;
	struct payload *payload;
	struct rig rig;

	if (getenv("CM4FS_SHORT"))
		return;
	assert_non_null(mkdtemp(dir));
	write_file(dir, "bootcode4.bin", old);
	write_file(dir, "boot.img", old + 1);
	write_file(dir, "config.txt", time(NULL));
	assert_int_equal(payload_open(dir, &payload, message, sizeof(message)), 0);
	rig_start_with_payload(&rig, "fault=no-second:" FAST, payload);
	module = rig_module(&rig, SERIAL);
	assert_int_equal(rig_control(module, CM4_VERB_BOOT), -ENODEV);
	assert_string_equal(rig_status(module).failure.id, "too-old");
	finds(&rig, "too-old", "1-1.1", SERIAL);
	cm4_module_unref(module);
	rig_stop(&rig);
	for (const char *const *name =
			(const char *const[]){"bootcode4.bin", "boot.img", "config.txt", NULL};
		*name; name++) {
		_cleanup_free_ char *path = NULL;

		assert_true(asprintf(&path, "%s/%s", dir, *name) > 0);
		unlink(path);
	}
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_fleet_has_no_findings),
		cmocka_unit_test(a_module_on_a_bad_link_is_found_by_the_kernels_log_alone),
		cmocka_unit_test(an_empty_bus_says_how_to_tell_why),
		cmocka_unit_test(a_report_outlives_the_fleets_end),
		cmocka_unit_test(a_slow_link_is_a_sign_and_then_the_cause),
		cmocka_unit_test(a_locked_module_is_told_from_one_that_talks_nonsense),
		cmocka_unit_test(boot_files_that_are_known_to_fail_are_told_of_before_they_do),
		cmocka_unit_test(old_boot_files_are_suspected_of_not_knowing_the_board),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
