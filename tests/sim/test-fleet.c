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

#define MIB    (1024ull * 1024)
#define FAST   "emmc=64M:link=0:medium=0:boot=50"
#define SERIAL "af04b2da"
#define IMAGE  (20 * MIB + 12345)

static void a_copied_image_is_on_the_medium(void **state)
{
	struct rig rig;

	rig_start(&rig, FAST, false);
	struct cm4_module *module = rig_module(&rig, SERIAL);

	assert_int_equal(rig_status(module).state, CM4_STATE_ROM);
	assert_int_equal(rig_copy(module, "image.img", IMAGE, 1), 0);
	/* Before anything else happens: what close() said holds at once. */
	struct cm4_status status = rig_status(module);

	assert_int_equal(status.state, CM4_STATE_DONE);
	assert_true(status.image.whole);
	assert_int_equal(status.image.bytes_in, IMAGE);
	assert_string_equal(status.image.name, "image.img");
	assert_int_equal(status.failure.error, 0);
	assert_true(rig_medium_is(&rig, SERIAL, IMAGE, 1));
	assert_false(rig_medium_is(&rig, SERIAL, IMAGE, 2));
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void one_copy_follows_another_without_a_pause(void **state)
{
	struct rig rig;

	rig_start(&rig, FAST, false);
	struct cm4_module *module = rig_module(&rig, SERIAL);

	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(rig_copy(module, "image.img", 3 * MIB + i, i), 0);
		assert_true(rig_medium_is(&rig, SERIAL, 3 * MIB + i, i));
	}
	cm4_module_unref(module);
	rig_stop(&rig);
}

struct copy {
	struct cm4_module *module;
	unsigned seed;
	int result;
};

static void *copy_thread(void *data)
{
	struct copy *copy = data;

	copy->result = rig_copy(copy->module, "image.img", IMAGE, copy->seed);
	return NULL;
}

static void modules_are_flashed_side_by_side(void **state)
{
	struct cm4_module **modules;
	pthread_t threads[4];
	struct copy copies[4];
	struct rig rig;
	size_t n;

	rig_start(&rig, "count=4:" FAST, false);
	assert_int_equal(cm4_fleet_get(rig.fleet, &modules, &n), 0);
	assert_int_equal(n, 4);
	for (unsigned i = 0; i < 4; i++) {
		copies[i] = (struct copy){.module = modules[i], .seed = i + 1, .result = -1};
		assert_int_equal(pthread_create(&threads[i], NULL, copy_thread, &copies[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(copies[i].result, 0);
		assert_true(rig_medium_is(&rig, cm4_module_name(modules[i]), IMAGE, i + 1));
	}
	cm4_fleet_put(modules, n);
	rig_stop(&rig);
}

static void a_module_in_mass_storage_is_adopted_at_start(void **state)
{
	struct rig rig;

	rig_start(&rig, FAST ":fault=adopt", false);
	struct cm4_module *module = rig_module(&rig, SERIAL);

	rig_wait_state(&rig, module, CM4_STATE_READY);
	assert_int_equal(rig_status(module).boot_ms, 0);
	assert_int_equal(rig_copy(module, "image.img", MIB, 3), 0);
	assert_true(rig_medium_is(&rig, SERIAL, MIB, 3));
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void autoboot_needs_nobody_to_ask(void **state)
{
	struct rig rig;

	rig_start(&rig, FAST, true);
	struct cm4_module *module = rig_module(&rig, SERIAL);

	rig_wait_state(&rig, module, CM4_STATE_READY);
	assert_int_equal(rig_status(module).disks[0].bytes, 64 * MIB);
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void the_verb_boot_returns_when_the_disk_is_there(void **state)
{
	struct rig rig;

	rig_start(&rig, FAST, false);
	struct cm4_module *module = rig_module(&rig, SERIAL);

	assert_int_equal(rig_control(module, CM4_VERB_BOOT), 0);
	assert_int_equal(rig_status(module).state, CM4_STATE_READY);
	assert_int_equal(rig_control(module, CM4_VERB_BOOT), 0);
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void an_odd_start_that_is_harmless_boots_all_the_same(void **state)
{
	static const char *const faults[] = {"early-reset", "rom-twice"};

	for (size_t i = 0; i < 2; i++) {
		struct rig rig;
		char spec[128];

		snprintf(spec, sizeof(spec), FAST ":fault=%s", faults[i]);
		rig_start(&rig, spec, false);
		struct cm4_module *module = rig_module(&rig, SERIAL);

		assert_int_equal(rig_copy(module, "image.img", MIB, 4), 0);
		assert_true(rig_medium_is(&rig, SERIAL, MIB, 4));
		cm4_module_unref(module);
		rig_stop(&rig);
	}
}

/* What a module does wrong, and what a copy to it must say. Each sits on a port of its own, all at
 * once. */
static const struct {
	const char *fault;
	int error;
	bool gone;
} broken[] = {
	{"unplug@rom", -ENODEV, true},
	{"unplug@header", -ENODEV, true},
	{"unplug@second-stage", -ENODEV, true},
	{"unplug@second", -ENODEV, true},
	{"unplug@file=boot.img", -ENODEV, true},
	{"unplug@done", -ENODEV, true},
	{"unplug@write=4M", -ENODEV, true},
	{"unplug@sync", -ENODEV, true},
	{"silent@rom", -ETIMEDOUT, false},
	{"silent@second", -ETIMEDOUT, false},
	{"nonsense@bad-command", -EPROTO, false},
	{"nonsense@endless", -EPROTO, false},
	{"status@1", -EPROTO, false},
	{"no-second", -ENODEV, true},
	{"no-disk", -ENODEV, true},
	{"no-mmc", -ENOMEDIUM, false},
	{"no-medium", -ENOMEDIUM, false},
	{"held", -EBUSY, false},
	{"write-error@4M", -EIO, false},
	{"sync-error", -EIO, false},
};

#define N_BROKEN (sizeof(broken) / sizeof(broken[0]))

static void every_fault_has_its_errno_and_no_copy_succeeds(void **state)
{
	struct cm4_module **modules;
	pthread_t threads[N_BROKEN];
	struct copy copies[N_BROKEN];
	char spec[2048];
	struct rig rig;
	int used;
	size_t n;

	used = snprintf(spec, sizeof(spec), "count=%zu:" FAST, N_BROKEN);
	for (size_t i = 0; i < N_BROKEN; i++)
		used += snprintf(spec + used, sizeof(spec) - (size_t)used, ":fault=%zu/%s", i + 1,
			broken[i].fault);
	rig_start(&rig, spec, false);
	assert_int_equal(cm4_fleet_get(rig.fleet, &modules, &n), 0);
	assert_int_equal(n, N_BROKEN);

	for (size_t i = 0; i < n; i++) {
		copies[i] = (struct copy){.module = modules[i], .seed = 9, .result = 1};
		assert_int_equal(pthread_create(&threads[i], NULL, copy_thread, &copies[i]), 0);
	}
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < n; i++) {
		struct cm4_status status = rig_status(modules[i]);

		if (copies[i].result != broken[i].error || status.state != CM4_STATE_FAILED ||
			status.failure.error != -broken[i].error || status.gone != broken[i].gone)
			fail_msg("%s: copy %s, state %s, error %s (%s), gone %d", broken[i].fault,
				strerrorname_np(-copies[i].result),
				cm4_state_to_string(status.state),
				strerrorname_np(status.failure.error), status.failure.text,
				status.gone);
		assert_true(*status.failure.advice);
	}
	cm4_fleet_put(modules, n);
	rig_stop(&rig);
}

static void a_host_without_boot_files_says_enopkg(void **state)
{
	static const struct payload_blob blobs[] = {{"bootcode4.bin", "boot", 4}};
	struct payload *payload;
	struct rig rig;

	assert_int_equal(payload_new_blobs("for CM4 alone", blobs, 1, &payload), 0);
	rig_start_with_payload(&rig, "model=cm5:" FAST, payload);
	struct cm4_module *module = rig_module(&rig, SERIAL);

	assert_int_equal(rig_copy(module, "image.img", MIB, 5), -ENOPKG);
	assert_int_equal(rig_status(module).failure.error, ENOPKG);
	assert_string_equal(rig_status(module).payload, "");
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void a_module_that_comes_back_gets_a_directory_anew(void **state)
{
	struct rig rig;

	rig_start(&rig, FAST ":fault=unplug@write=4M:fault=replug@200", false);
	struct cm4_module *module = rig_module(&rig, SERIAL);
	struct cm4_module *again;

	assert_int_equal(rig_copy(module, "image.img", IMAGE, 6), -ENODEV);
	again = rig_module_after(&rig, SERIAL, cm4_module_id(module));
	assert_int_equal(rig_status(again).state, CM4_STATE_ROM);
	assert_int_equal(rig_status(again).failure.error, 0);
	cm4_module_unref(again);
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void cancel_ends_a_silent_boot_at_once(void **state)
{
	struct rig rig;

	rig_start(&rig, FAST ":fault=silent@rom", false);
	struct cm4_module *module = rig_module(&rig, SERIAL);
	struct copy copy = {.module = module, .seed = 7, .result = 1};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, copy_thread, &copy), 0);
	rig_wait_state(&rig, module, CM4_STATE_BOOTING);
	assert_int_equal(rig_control(module, CM4_VERB_CANCEL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(copy.result, -ECANCELED);
	assert_int_equal(rig_status(module).state, CM4_STATE_FAILED);
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void cancel_ends_a_flash_and_the_next_copy_succeeds(void **state)
{
	struct rig rig;

	rig_start(&rig, "emmc=64M:link=2M:medium=0:boot=50", false);
	struct cm4_module *module = rig_module(&rig, SERIAL);
	struct copy copy = {.module = module, .seed = 8, .result = 1};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, copy_thread, &copy), 0);
	rig_wait_state(&rig, module, CM4_STATE_FLASHING);
	assert_int_equal(rig_control(module, CM4_VERB_EJECT), -EBUSY);
	assert_int_equal(rig_control(module, CM4_VERB_CLEAR), -EBUSY);
	assert_int_equal(rig_control(module, CM4_VERB_CANCEL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(copy.result, -ECANCELED);
	assert_int_equal(rig_status(module).failure.error, ECANCELED);

	assert_int_equal(rig_copy(module, "again.img", MIB, 9), 0);
	assert_int_equal(rig_status(module).state, CM4_STATE_DONE);
	assert_int_equal(rig_status(module).failure.error, 0);
	assert_true(rig_medium_is(&rig, SERIAL, MIB, 9));
	assert_int_equal(rig_control(module, CM4_VERB_EJECT), 0);
	assert_int_equal(rig_control(module, CM4_VERB_CLEAR), 0);
	assert_false(rig_status(module).has_image);
	assert_int_equal(rig_status(module).state, CM4_STATE_READY);
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void a_second_image_is_refused_and_the_first_goes_on(void **state)
{
	struct rig rig;

	rig_start(&rig, "emmc=64M:link=8M:medium=0:boot=50", false);
	struct cm4_module *module = rig_module(&rig, SERIAL);
	struct copy copy = {.module = module, .seed = 10, .result = 1};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, copy_thread, &copy), 0);
	rig_wait_state(&rig, module, CM4_STATE_FLASHING);
	assert_int_equal(rig_copy(module, "other.img", MIB, 11), -EBUSY);
	assert_int_equal(rig_status(module).failure.error, 0);
	pthread_join(thread, NULL);
	assert_int_equal(copy.result, 0);
	assert_true(rig_medium_is(&rig, SERIAL, IMAGE, 10));
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void the_raw_disk_shows_what_was_dropped_and_keeps_a_drop_away(void **state)
{
	static uint8_t expected[MIB], found[MIB];
	struct cm4_image *raw;
	struct rig rig;

	rig_start(&rig, FAST, false);
	struct cm4_module *module = rig_module(&rig, SERIAL);

	assert_int_equal(cm4_module_raw(module, "mmcblk0", &raw), -ENXIO);
	assert_int_equal(rig_copy(module, "image.img", IMAGE, 12), 0);
	assert_int_equal(cm4_module_raw(module, "nvme0n1", &raw), -ENXIO);
	assert_int_equal(cm4_module_raw(module, "mmcblk0", &raw), 0);
	cm4_image_open(raw, true);
	assert_int_equal(rig_io(raw, CM4_IO_READ, 3 * MIB, MIB, found), MIB);
	rig_fill(expected, MIB, 3 * MIB, 12);
	assert_memory_equal(found, expected, MIB);

	rig_fill(expected, 1000, 0, 99);
	assert_int_equal(rig_io(raw, CM4_IO_WRITE, 0, 1000, expected), 1000);
	assert_int_equal(rig_copy(module, "other.img", MIB, 13), -EBUSY);
	assert_int_equal(rig_io(raw, CM4_IO_SYNC, 0, 0, NULL), 0);
	assert_true(rig_medium_is(&rig, SERIAL, 1000, 99));
	cm4_image_close(raw, true);
	cm4_image_unref(raw);
	assert_int_equal(rig_copy(module, "other.img", MIB, 13), 0);
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void a_fleet_stops_in_mid_flash(void **state)
{
	struct rig rig;

	rig_start(&rig, "emmc=64M:link=2M:medium=0:boot=50", false);
	struct cm4_module *module = rig_module(&rig, SERIAL);
	struct copy copy = {.module = module, .seed = 14, .result = 1};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, copy_thread, &copy), 0);
	rig_wait_state(&rig, module, CM4_STATE_FLASHING);
	cm4_fleet_stop(rig.fleet);
	pthread_join(thread, NULL);
	assert_int_equal(copy.result, -ENODEV);
	cm4_module_unref(module);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copied_image_is_on_the_medium),
		cmocka_unit_test(one_copy_follows_another_without_a_pause),
		cmocka_unit_test(modules_are_flashed_side_by_side),
		cmocka_unit_test(a_module_in_mass_storage_is_adopted_at_start),
		cmocka_unit_test(autoboot_needs_nobody_to_ask),
		cmocka_unit_test(the_verb_boot_returns_when_the_disk_is_there),
		cmocka_unit_test(an_odd_start_that_is_harmless_boots_all_the_same),
		cmocka_unit_test(every_fault_has_its_errno_and_no_copy_succeeds),
		cmocka_unit_test(a_host_without_boot_files_says_enopkg),
		cmocka_unit_test(a_module_that_comes_back_gets_a_directory_anew),
		cmocka_unit_test(cancel_ends_a_silent_boot_at_once),
		cmocka_unit_test(cancel_ends_a_flash_and_the_next_copy_succeeds),
		cmocka_unit_test(a_second_image_is_refused_and_the_first_goes_on),
		cmocka_unit_test(the_raw_disk_shows_what_was_dropped_and_keeps_a_drop_away),
		cmocka_unit_test(a_fleet_stops_in_mid_flash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
