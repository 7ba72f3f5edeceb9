#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "doctor/doctor.h"
#include "linux/host.h"
#include "payload/payload.h"
#include "scratch.h"

/* A host in perfect health, and then with one thing wrong at a time. */

static struct host_facts host;
static struct cm4_checkup checkup;
static struct cm4_report report;
static struct payload *payload;
static const char *message = "";

static int begin(void **state)
{
	static const struct payload_blob blobs[] = {{"bootcode4.bin", "x", 1}, {"boot.img", "x", 1},
		{"bootcode.bin", "x", 1}, {"bootcode5.bin", "x", 1}};

	host = (struct host_facts){
		.user = "tester",
		.plugdev = true,
		.member = true,
		.fuse = true,
		.helper = "/usr/bin/fusermount3",
		.helper_setuid = true,
		.usb = true,
		.usb_storage = true,
		.udevd = true,
		.rules = "/etc/udev/rules.d/60-cm4fs.rules",
		.n_nodes = 2,
		.nodes = {{.usable = true, .port = "1-1", .path = "/dev/bus/usb/001/002"},
			{.disk = true, .usable = true, .port = "1-1", .path = "/dev/sda"}},
	};
	report = (struct cm4_report){.source = "the log"};
	payload_free(payload);
	return payload_new_blobs("blobs", blobs, 4, &payload);
}

static int end(void **state)
{
	payload_free(payload);
	payload = NULL;
	return 0;
}

static void examine(void)
{
	struct doctor_patient patient = {&host, payload, message, &report, 0};

	doctor_examine(&patient, &checkup);
}

static const struct cm4_check *find(const char *name)
{
	for (size_t i = 0; i < checkup.n; i++)
		if (strcmp(checkup.checks[i].name, name) == 0)
			return &checkup.checks[i];
	fail_msg("no line says %s", name);
	return NULL;
}

/* Exactly one line is not ok: this one, and it says what to do. */
static void finds(const char *name, enum cm4_check_level level)
{
	examine();
	for (size_t i = 0; i < checkup.n; i++) {
		const struct cm4_check *check = &checkup.checks[i];

		if (check->level == CM4_CHECK_OK) {
			assert_string_equal(check->remedy, "");
			continue;
		}
		if (strcmp(check->name, name) != 0 || check->level != level)
			fail_msg("%s: %s %s", cm4_check_level_to_string(check->level), check->name,
				check->text);
		assert_true(strlen(check->remedy) > 10);
		assert_null(strchr(check->remedy, '\n'));
		level = CM4_CHECK_OK; /* found; another would fail here */
	}
	assert_int_equal(level, CM4_CHECK_OK);
}

static void a_host_in_health_has_nothing_but_ok(void **state)
{
	finds("", CM4_CHECK_OK);
	assert_in_range(checkup.n, 10, 20);
}

static void fuse_must_be_there_and_open_to_this_user(void **state)
{
	host.fuse_error = EACCES;
	finds("fuse", CM4_CHECK_FAIL);
	host.fuse = false;
	finds("fuse", CM4_CHECK_FAIL);
	assert_non_null(strstr(find("fuse")->text, "no /dev/fuse"));
	begin(state);
	host.helper_setuid = false;
	finds("fusermount", CM4_CHECK_FAIL);
	host.helper[0] = '\0';
	finds("fusermount", CM4_CHECK_FAIL);
	host.root = true;
	finds("", CM4_CHECK_OK);
}

static void every_node_must_be_usable(void **state)
{
	host.nodes[0].usable = false;
	finds("rights", CM4_CHECK_FAIL);
	host.nodes[0].usable = true;
	host.nodes[1].usable = false;
	finds("rights", CM4_CHECK_FAIL);
}

static void with_nobody_connected_the_rules_and_the_group_decide(void **state)
{
	host.n_nodes = 0;
	finds("", CM4_CHECK_OK);
	host.member = false;
	finds("rights", CM4_CHECK_FAIL);
	host.at_seat = true;
	finds("", CM4_CHECK_OK);
	host.rules[0] = '\0';
	finds("rules", CM4_CHECK_FAIL);
	host.root = true;
	finds("rules", CM4_CHECK_WARN);
}

static void a_login_older_than_the_group_is_told_apart(void **state)
{
	host.member = false;
	host.member_later = true;
	finds("user", CM4_CHECK_WARN);
	begin(state);
	host.root = true;
	strcpy(host.sudo_user, "tester");
	finds("user", CM4_CHECK_WARN);
}

static void usb_udev_sleep_and_modems_are_looked_at(void **state)
{
	host.usb_storage = false;
	finds("usb", CM4_CHECK_WARN);
	host.usb = false;
	finds("usb", CM4_CHECK_FAIL);
	begin(state);
	host.udevd = false;
	finds("udev", CM4_CHECK_WARN);
	begin(state);
	host.nodes[0].autosuspends = true;
	finds("autosuspend", CM4_CHECK_WARN);
	begin(state);
	host.modem_manager = true;
	finds("", CM4_CHECK_OK);
	host.root = true;
	host.rules[0] = '\0';
	examine();
	assert_int_equal(find("modemmanager")->level, CM4_CHECK_WARN);
}

static void boot_files_must_be_there_and_are_judged(void **state)
{
	static const struct payload_blob vpu[] = {{"bootcode4.bin", "x", 1}, {"start4.elf", "x", 1},
		{"bootcode.bin", "x", 1}, {"bootcode5.bin", "x", 1}};
	static const struct payload_blob few[] = {{"bootcode4.bin", "x", 1}, {"boot.img", "x", 1}};

	payload_free(payload);
	payload = NULL;
	message = "no boot files on this host";
	finds("payload", CM4_CHECK_FAIL);
	assert_string_equal(find("payload")->text, message);
	assert_int_equal(payload_new_blobs("vpu", vpu, 4, &payload), 0);
	finds("payload-kind", CM4_CHECK_WARN);
	payload_free(payload);
	assert_int_equal(payload_new_blobs("few", few, 2, &payload), 0);
	finds("payload-models", CM4_CHECK_WARN);
	assert_non_null(strstr(find("payload-models")->text, "cm5"));
}

static void what_the_kernel_complains_of_fails(void **state)
{
	struct cm4_finding finding = {
		.text = "it is broken", .advice = "Mend it.\nOr leave it.", .port = "1-2"};

	report.source[0] = '\0';
	finds("kernel-log", CM4_CHECK_WARN);
	assert_non_null(strstr(find("kernel-log")->remedy, "cm4fs doctor -"));
	begin(state);
	report.findings = &finding;
	report.n = 1;
	finds("kernel-usb", CM4_CHECK_FAIL);
	finding.earlier = true;
	finds("kernel-usb", CM4_CHECK_WARN);
}

/* linux_host_look, on a directory that looks like a host. */

static struct scratch scratch;

static void make(const char *path, const char *text)
{
	char command[1024];

	snprintf(command, sizeof(command),
		"mkdir -p \"$(dirname '%s/%s')\" && printf '%s' >'%s/%s'", scratch.path, path, text,
		scratch.path, path);
	assert_int_equal(system(command), 0);
}

static void an_empty_host_has_nothing(void **state)
{
	scratch_new(&scratch);
	linux_host_look(scratch.path, &host);
	assert_false(host.fuse);
	assert_int_equal(host.fuse_error, ENOENT);
	assert_false(host.usb);
	assert_false(host.udevd);
	assert_string_equal(host.rules, "");
	assert_false(host.modem_manager);
	assert_false(host.at_seat);
	assert_int_equal(host.n_nodes, 0);
	assert_true(*host.user);
	scratch_free(&scratch);
}

static void a_host_is_seen_as_it_is(void **state)
{
	const char *device = "sys/bus/usb/devices/1-1.3";
	char session[200], path[100];
	const struct host_node *usb, *disk;

	scratch_new(&scratch);
	make("dev/fuse", "");
	make("run/udev/control", "");
	make("usr/lib/udev/rules.d/60-cm4fs.rules", "");
	make("sys/bus/usb/drivers/usb-storage/x", "");
	make("proc/77/comm", "ModemManager\\n");
	snprintf(session, sizeof(session), "UID=%u\\nSEAT=seat0\\nACTIVE=1\\n", geteuid());
	make("run/systemd/sessions/3", session);
	make("sys/bus/usb/devices/1-9/idVendor", "046d\\n");
	make("sys/bus/usb/devices/1-9/idProduct", "2711\\n");
	for (const char *const *pair = (const char *const[]){"idVendor", "0a5c\\n", "idProduct",
		     "0104\\n", "busnum", "1\\n", "devnum", "7\\n", "power/control", "auto\\n",
		     "1-1.3:1.0/host4/target4:0:0/4:0:0:0/block/sdb/x", "", NULL};
		*pair; pair += 2) {
		snprintf(path, sizeof(path), "%s/%s", device, pair[0]);
		make(path, pair[1]);
	}
	make("dev/sdb", "");

	linux_host_look(scratch.path, &host);
	assert_true(host.fuse && host.fuse_error == 0);
	assert_true(host.usb && host.usb_storage && host.udevd);
	assert_true(host.modem_manager && host.at_seat);
	assert_string_equal(host.rules, "/usr/lib/udev/rules.d/60-cm4fs.rules");
	assert_int_equal(host.n_nodes, 2);
	usb = &host.nodes[0];
	disk = &host.nodes[1];
	assert_string_equal(usb->path, "/dev/bus/usb/001/007");
	assert_string_equal(usb->port, "1-1.3");
	assert_true(usb->autosuspends && !usb->usable && !usb->disk);
	assert_string_equal(disk->path, "/dev/sdb");
	assert_true(disk->usable && disk->disk);
	scratch_free(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_host_in_health_has_nothing_but_ok, begin, end),
		cmocka_unit_test_setup_teardown(
			fuse_must_be_there_and_open_to_this_user, begin, end),
		cmocka_unit_test_setup_teardown(every_node_must_be_usable, begin, end),
		cmocka_unit_test_setup_teardown(
			with_nobody_connected_the_rules_and_the_group_decide, begin, end),
		cmocka_unit_test_setup_teardown(
			a_login_older_than_the_group_is_told_apart, begin, end),
		cmocka_unit_test_setup_teardown(
			usb_udev_sleep_and_modems_are_looked_at, begin, end),
		cmocka_unit_test_setup_teardown(
			boot_files_must_be_there_and_are_judged, begin, end),
		cmocka_unit_test_setup_teardown(what_the_kernel_complains_of_fails, begin, end),
		cmocka_unit_test(an_empty_host_has_nothing),
		cmocka_unit_test(a_host_is_seen_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
