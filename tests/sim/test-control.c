#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

/* What a verb leaves behind when it has returned, however quickly the next one follows. */

#define MIB    (1024ull * 1024)
#define FAST   "emmc=64M:link=0:medium=0:boot=50"
#define SLOW   "emmc=64M:link=2M:medium=0:boot=50"
#define SERIAL "af04b2da"

struct verb {
	struct cm4_module *module;
	enum cm4_verb verb;
	int result;
};

static void *verb_thread(void *data)
{
	struct verb *verb = data;

	verb->result = rig_control(verb->module, verb->verb);
	return NULL;
}

static void begin_boot(struct rig *rig, struct verb *boot, pthread_t *thread)
{
	*boot = (struct verb){.module = rig_module(rig, SERIAL), .verb = CM4_VERB_BOOT};
	assert_int_equal(pthread_create(thread, NULL, verb_thread, boot), 0);
	rig_wait_state(rig, boot->module, CM4_STATE_BOOTING);
	/* A ROM that is left in mid-sentence is another story. */
	while (rig_status(boot->module).stage != CM4_STAGE_SECOND)
		sched_yield();
}

static void end_boot(struct rig *rig, struct verb *boot)
{
	cm4_module_unref(boot->module);
	rig_stop(rig);
}

static void what_comes_after_a_cancel_is_not_cancelled(void **state)
{
	pthread_t thread;
	struct verb boot;
	struct rig rig;

	rig_start(&rig, FAST ":fault=silent@second", false);
	begin_boot(&rig, &boot, &thread);
	assert_int_equal(rig_control(boot.module, CM4_VERB_CANCEL), 0);
	/* It is silent still; but that is another answer. */
	assert_int_equal(rig_copy(boot.module, "image.img", MIB, 1), -ETIMEDOUT);
	pthread_join(thread, NULL);
	assert_int_equal(boot.result, -ECANCELED);
	end_boot(&rig, &boot);
}

static void a_boot_that_was_cancelled_and_cleared_is_answered(void **state)
{
	pthread_t thread;
	struct verb boot;
	struct rig rig;

	rig_start(&rig, FAST ":fault=silent@second", false);
	begin_boot(&rig, &boot, &thread);
	struct verb cancel = {.module = boot.module, .verb = CM4_VERB_CANCEL};
	pthread_t cancel_thread;

	assert_int_equal(pthread_create(&cancel_thread, NULL, verb_thread, &cancel), 0);
	rig_wait_state(&rig, boot.module, CM4_STATE_FAILED);
	/* Not waiting for the cancel to return. */
	assert_int_equal(rig_control(boot.module, CM4_VERB_CLEAR), 0);
	pthread_join(cancel_thread, NULL);
	assert_int_equal(cancel.result, 0);
	pthread_join(thread, NULL);
	assert_int_equal(boot.result, -ECANCELED);
	assert_int_equal(rig_status(boot.module).state, CM4_STATE_ROM);
	end_boot(&rig, &boot);
}

static void a_cancel_between_two_stages_does_not_cost_the_name(void **state)
{
	struct rig rig;

	rig_start(&rig, "emmc=64M:link=0:medium=0:boot=3000", false);
	struct verb boot = {.module = rig_module(&rig, SERIAL), .verb = CM4_VERB_BOOT};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, verb_thread, &boot), 0);
	while (rig_status(boot.module).stage != CM4_STAGE_NONE)
		sched_yield();
	assert_int_equal(rig_control(boot.module, CM4_VERB_CANCEL), 0);
	pthread_join(thread, NULL);
	assert_int_equal(boot.result, -ECANCELED);
	assert_false(rig_status(boot.module).gone);
	/* Straight on from the stage that comes next. */
	assert_int_equal(rig_copy(boot.module, "image.img", MIB, 1), 0);
	assert_string_equal(cm4_module_name(boot.module), SERIAL);
	end_boot(&rig, &boot);
}

static void a_cancelled_image_that_is_still_open_makes_way(void **state)
{
	static uint8_t data[MIB];
	struct cm4_image *image;
	struct rig rig;

	rig_start(&rig, SLOW, false);
	struct cm4_module *module = rig_module(&rig, SERIAL);

	assert_int_equal(cm4_module_drop(module, NULL, "first.img", &image), 0);
	cm4_image_open(image, true);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rig_io(image, CM4_IO_WRITE, i * sizeof(data), sizeof(data), data),
			sizeof(data));
	assert_int_equal(rig_control(module, CM4_VERB_CANCEL), 0);
	assert_int_equal(rig_copy(module, "second.img", MIB, 2), 0);
	assert_int_equal(rig_status(module).state, CM4_STATE_DONE);
	assert_int_equal(rig_io(image, CM4_IO_FLUSH, 0, 0, NULL), -ECANCELED);
	cm4_image_close(image, true);
	cm4_image_unref(image);
	assert_true(rig_medium_is(&rig, SERIAL, MIB, 2));
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void no_verb_is_too_early_after_a_close_that_was_good(void **state)
{
	static const struct {
		enum cm4_verb verb;
		int result;
	} verbs[] = {
		{CM4_VERB_VERIFY, -ENODATA}, /* nothing is proved here */
		{CM4_VERB_EJECT, 0},
		{CM4_VERB_CLEAR, 0},
	};
	static uint8_t data[MIB];
	struct cm4_image *image;
	struct rig rig;

	rig_start(&rig, FAST, false);
	struct verb verb = {.module = rig_module(&rig, SERIAL)};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		pthread_t thread;

		verb.verb = verbs[i].verb;
		assert_int_equal(cm4_module_drop(verb.module, NULL, "image.img", &image), 0);
		cm4_image_open(image, true);
		rig_fill(data, sizeof(data), 0, 1);
		assert_int_equal(rig_io(image, CM4_IO_WRITE, 0, sizeof(data), data), sizeof(data));
		assert_int_equal(rig_io(image, CM4_IO_FLUSH, 0, 0, NULL), 0);
		/* The writer's close() has returned by now; the last of its descriptor comes when it may. */
		assert_int_equal(pthread_create(&thread, NULL, verb_thread, &verb), 0);
		sched_yield();
		cm4_image_close(image, true);
		cm4_image_unref(image);
		pthread_join(thread, NULL);
		assert_int_equal(verb.result, verbs[i].result);
	}
	assert_int_equal(rig_status(verb.module).state, CM4_STATE_READY);
	cm4_module_unref(verb.module);
	rig_stop(&rig);
}

static void cancel_with_nothing_under_way_returns(void **state)
{
	struct rig rig;

	rig_start(&rig, FAST ":fault=unplug@write=1M", false);
	struct cm4_module *module = rig_module(&rig, SERIAL);

	assert_int_equal(rig_control(module, CM4_VERB_CANCEL), 0);
	assert_int_equal(rig_status(module).state, CM4_STATE_ROM);
	assert_int_equal(rig_copy(module, "image.img", 20 * MIB, 3), -ENODEV);
	while (!rig_status(module).gone)
		sched_yield();
	assert_int_equal(rig_control(module, CM4_VERB_CANCEL), 0);
	assert_int_equal(cm4_fleet_forget(rig.fleet, module), 0);
	assert_int_equal(rig_control(module, CM4_VERB_CANCEL), -ENODEV);
	cm4_module_unref(module);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_after_a_cancel_is_not_cancelled),
		cmocka_unit_test(a_boot_that_was_cancelled_and_cleared_is_answered),
		cmocka_unit_test(a_cancel_between_two_stages_does_not_cost_the_name),
		cmocka_unit_test(a_cancelled_image_that_is_still_open_makes_way),
		cmocka_unit_test(no_verb_is_too_early_after_a_close_that_was_good),
		cmocka_unit_test(cancel_with_nothing_under_way_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
