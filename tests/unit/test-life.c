#include "life-fixture.h"

static void a_module_boots_flashes_and_leaves(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	assert_int_equal(life.state, CM4_STATE_ROM);
	LIVE(&life, BOOT_TO_READY, {LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_IMAGE_WHOLE, 0, CM4_STATE_DONE, 0, 0},
		{LIFE_USB_GONE, 0, CM4_STATE_DONE, LIFE_DO_LEAVE, NO_TIMER});
	assert_true(life.gone);
	assert_int_equal(life.failures, 0);
}

/* Between its stages a module is off the bus: who cancels then has not lost it. */
static void a_boot_cancelled_between_two_stages_awaits_the_next(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, {LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_ROM, 0},
		{LIFE_SERVED, 0, CM4_STATE_BOOTING, 0, LIFE_SECOND_STAGE_MS},
		{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},
		{LIFE_CANCEL, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE | LIFE_DO_ABORT,
			LIFE_SECOND_STAGE_MS});
	assert_false(life.gone);
	LIVE(&life, {LIFE_CLEAR, 0, CM4_STATE_ROM, 0, LIFE_SECOND_STAGE_MS},
		{LIFE_BOOT, 0, CM4_STATE_BOOTING, 0, LIFE_SECOND_STAGE_MS},
		{LIFE_USB_SECOND, 0, CM4_STATE_BOOTING, LIFE_DO_SERVER, 0},
		/* The same in the middle of a dialogue that is being ended. */
		{LIFE_CANCEL, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE | LIFE_DO_ABORT, 0},
		{LIFE_USB_GONE, 0, CM4_STATE_FAILED, 0, LIFE_DISK_STAGE_MS},
		{LIFE_BROKE, -ECANCELED, CM4_STATE_FAILED, 0, NO_TIMER});
	assert_false(life.gone);
	LIVE(&life, {LIFE_TIMEOUT, 0, CM4_STATE_FAILED, 0, NO_TIMER});
	assert_true(life.gone);
}

static void a_cleared_module_that_does_not_come_back_leaves(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, {LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_ROM, 0},
		{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},
		{LIFE_BROKE, -EPROTO, CM4_STATE_FAILED, LIFE_DO_REFUSE, LIFE_SECOND_STAGE_MS},
		{LIFE_CLEAR, 0, CM4_STATE_ROM, 0, LIFE_SECOND_STAGE_MS},
		{LIFE_TIMEOUT, 0, CM4_STATE_ROM, LIFE_DO_LEAVE, NO_TIMER});
	assert_true(life.gone);
}

static void a_rom_that_nobody_wants_leaves_with_its_directory(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, {LIFE_USB_GONE, 0, CM4_STATE_ROM, LIFE_DO_LEAVE, NO_TIMER});
}

static void a_module_in_mass_storage_is_adopted(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_DISK);
	assert_int_equal(life.state, CM4_STATE_BOOTING);
	assert_int_equal(life.timeout_ms, LIFE_DISK_MS);
	LIVE(&life, {LIFE_DISK_HERE, 0, CM4_STATE_READY, LIFE_DO_ADMIT, 0});
}

static void an_adopted_module_that_leaves_before_its_disk_leaves_quietly(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_DISK);
	LIVE(&life, {LIFE_USB_GONE, 0, CM4_STATE_BOOTING, LIFE_DO_LEAVE, NO_TIMER});
}

static void a_second_stage_found_at_start_is_served_when_wanted(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_SECOND);
	LIVE(&life, {LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_SERVER, 0},
		{LIFE_SERVED, 0, CM4_STATE_BOOTING, 0, LIFE_DISK_STAGE_MS});
}

static void a_stage_that_comes_before_the_dialogue_has_ended_is_taken_up_then(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, {LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_ROM, 0},
		{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},
		{LIFE_USB_SECOND, 0, CM4_STATE_BOOTING, 0, NO_TIMER},
		{LIFE_BROKE, -ENODEV, CM4_STATE_BOOTING, LIFE_DO_SERVER, 0});
}

static void a_disk_that_comes_before_its_usb_device_is_remembered(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_SECOND);
	LIVE(&life, {LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_SERVER, 0},
		{LIFE_SERVED, 0, CM4_STATE_BOOTING, 0, LIFE_DISK_STAGE_MS},
		{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},
		{LIFE_DISK_HERE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},
		{LIFE_USB_DISK, 0, CM4_STATE_READY, LIFE_DO_ADMIT, 0});
}

static void the_rom_may_be_seen_again_but_not_for_ever(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, {LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_ROM, 0});
	for (int i = 1; i < LIFE_ROM_TRIES; i++)
		LIVE(&life, {LIFE_SERVED, 0, CM4_STATE_BOOTING, 0, LIFE_SECOND_STAGE_MS},
			{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},
			{LIFE_USB_ROM, 0, CM4_STATE_BOOTING, LIFE_DO_ROM, 0});
	LIVE(&life, {LIFE_SERVED, 0, CM4_STATE_BOOTING, 0, LIFE_SECOND_STAGE_MS},
		{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},
		{LIFE_USB_ROM, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE, 0});
	assert_int_equal(life.failure, FAILURE_ROM_LOOP);
}

static void second_stages_without_end_come_to_an_end(void **state)
{
	struct life life;
	int served = 0;
	bool timer;

	life_init(&life, CM4_STAGE_SECOND);
	life_handle(&life, LIFE_BOOT, 0, &timer);
	while (life.state == CM4_STATE_BOOTING && served < 1000) {
		life_handle(&life, LIFE_SERVED, 0, &timer);
		life_handle(&life, LIFE_USB_GONE, 0, &timer);
		life_handle(&life, LIFE_USB_SECOND, 0, &timer);
		served++;
	}
	assert_in_range(served, 2, 20);
	assert_int_equal(life.failure, FAILURE_SECOND_NONSENSE);
}

static void every_wait_of_a_boot_has_its_own_failure(void **state)
{
	static const struct {
		enum life_event on_bus;
		enum cm4_stage first;
		enum failure failure;
		bool gone;
	} cases[] = {
		{LIFE_USB_GONE, CM4_STAGE_ROM, FAILURE_NO_SECOND_STAGE, true},
		{LIFE_USB_GONE, CM4_STAGE_SECOND, FAILURE_NO_DISK_STAGE, true},
		{LIFE_EVENT_N, CM4_STAGE_ROM, FAILURE_ROM_SILENT, false},
		{LIFE_EVENT_N, CM4_STAGE_SECOND, FAILURE_SECOND_SILENT, false},
		{LIFE_USB_DISK, CM4_STAGE_SECOND, FAILURE_NO_DISK, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct life life;
		bool timer;

		life_init(&life, cases[i].first);
		life_handle(&life, LIFE_BOOT, 0, &timer);
		life_handle(&life, LIFE_SERVED, 0, &timer);
		assert_true(timer);
		assert_true(life.timeout_ms > 0);
		if (cases[i].on_bus != LIFE_EVENT_N)
			life_handle(&life, cases[i].on_bus, 0, &timer);
		assert_int_equal(life_handle(&life, LIFE_TIMEOUT, 0, &timer), LIFE_DO_REFUSE);
		assert_int_equal(life.state, CM4_STATE_FAILED);
		assert_int_equal(life.failure, cases[i].failure);
		assert_int_equal(life.gone, cases[i].gone);
	}
}

static void every_end_of_a_dialogue_has_its_own_failure(void **state)
{
	static const struct {
		enum cm4_stage stage;
		int error;
		enum failure failure;
	} cases[] = {
		{CM4_STAGE_ROM, -ETIMEDOUT, FAILURE_ROM_SILENT},
		{CM4_STAGE_SECOND, -ETIMEDOUT, FAILURE_SECOND_SILENT},
		{CM4_STAGE_ROM, -EPROTO, FAILURE_ROM_NONSENSE},
		{CM4_STAGE_SECOND, -EPROTO, FAILURE_SECOND_NONSENSE},
		{CM4_STAGE_ROM, -ENOEXEC, FAILURE_ROM_REFUSED},
		{CM4_STAGE_ROM, -ENOPKG, FAILURE_NO_PAYLOAD},
		{CM4_STAGE_SECOND, -EIO, FAILURE_PAYLOAD_UNREADABLE},
		{CM4_STAGE_ROM, -EACCES, FAILURE_ACCESS},
		{CM4_STAGE_ROM, -ENOMEM, FAILURE_INTERNAL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct life life;
		bool timer;

		life_init(&life, cases[i].stage);
		life_handle(&life, LIFE_BOOT, 0, &timer);
		assert_int_equal(
			life_handle(&life, LIFE_BROKE, cases[i].error, &timer), LIFE_DO_REFUSE);
		assert_int_equal(life.state, CM4_STATE_FAILED);
		assert_int_equal(life.failure, cases[i].failure);
	}
}

static void a_failed_boot_can_be_tried_again(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, {LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_ROM, 0},
		{LIFE_BROKE, -ETIMEDOUT, CM4_STATE_FAILED, LIFE_DO_REFUSE, 0}, BOOT_TO_READY);
}

static void a_boot_cancelled_and_begun_again_waits_for_the_old_dialogue(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, {LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_ROM, 0},
		{LIFE_CANCEL, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE | LIFE_DO_ABORT, 0},
		{LIFE_BOOT, 0, CM4_STATE_BOOTING, 0, NO_TIMER},
		{LIFE_BROKE, -ECANCELED, CM4_STATE_BOOTING, LIFE_DO_ROM, 0});
}

static void a_module_without_a_medium_fails_at_once(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_DISK);
	LIVE(&life, {LIFE_DISK_EMPTY, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE, 0});
	assert_int_equal(life.failure, FAILURE_NO_MEDIUM);
}

static void a_disk_that_comes_late_makes_a_failed_module_ready(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_DISK);
	LIVE(&life, {LIFE_TIMEOUT, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE, 0},
		{LIFE_DISK_HERE, 0, CM4_STATE_READY, LIFE_DO_ADMIT, 0});
}

static void what_is_verified_is_done_if_it_was(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, BOOT_TO_READY, {LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_IMAGE_VERIFYING, 0, CM4_STATE_VERIFYING, 0, 0},
		{LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_IMAGE_VERIFYING, 0, CM4_STATE_VERIFYING, 0, 0},
		{LIFE_IMAGE_WHOLE, 0, CM4_STATE_DONE, 0, 0},
		{LIFE_IMAGE_VERIFYING, 0, CM4_STATE_VERIFYING, 0, 0},
		{LIFE_IMAGE_VERIFIED, 0, CM4_STATE_DONE, 0, 0},
		{LIFE_IMAGE_VERIFYING, 0, CM4_STATE_VERIFYING, 0, 0},
		{LIFE_IMAGE_VERIFIED, -ESTALE, CM4_STATE_READY, 0, 0},
		{LIFE_IMAGE_VERIFYING, 0, CM4_STATE_READY, 0, NO_TIMER});
	assert_int_equal(life.failures, 0);
}

static void a_proof_that_fails_is_a_failed_medium(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, BOOT_TO_READY, {LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_IMAGE_VERIFYING, 0, CM4_STATE_VERIFYING, 0, 0},
		{LIFE_IMAGE_FAILED, -EIO, CM4_STATE_FAILED, LIFE_DO_REFUSE, 0});
	assert_int_equal(life.failure, FAILURE_MEDIUM);
}

static void unplugging_in_mid_flash_fails_it_and_keeps_the_directory(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, BOOT_TO_READY, {LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_USB_GONE, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE | LIFE_DO_ABORT, 0},
		{LIFE_IMAGE_FAILED, -ENODEV, CM4_STATE_FAILED, 0, NO_TIMER},
		{LIFE_CLEAR, 0, CM4_STATE_FAILED, LIFE_DO_LEAVE, NO_TIMER});
	assert_true(life.gone);
	assert_int_equal(life.failure, FAILURE_GONE);
	assert_int_equal(life.failures, 1);
}

static void an_incomplete_image_can_be_resumed(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, BOOT_TO_READY, {LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_IMAGE_INCOMPLETE, -EBADMSG, CM4_STATE_INCOMPLETE, 0, 0},
		{LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_IMAGE_WHOLE, 0, CM4_STATE_DONE, 0, 0});
	assert_int_equal(life.failure, FAILURE_NOT_WHOLE);
}

static void an_incomplete_module_that_leaves_keeps_its_directory(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, BOOT_TO_READY, {LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_IMAGE_INCOMPLETE, -EBADMSG, CM4_STATE_INCOMPLETE, 0, 0},
		{LIFE_USB_GONE, 0, CM4_STATE_INCOMPLETE, 0, NO_TIMER});
	assert_true(life.gone);
}

static void cancel_ends_a_flash_and_a_new_one_may_follow(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, BOOT_TO_READY, {LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_CANCEL, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE | LIFE_DO_ABORT, 0},
		{LIFE_IMAGE_FAILED, -ECANCELED, CM4_STATE_FAILED, 0, NO_TIMER},
		{LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0});
	assert_int_equal(life.failure, FAILURE_CANCELLED);
}

static void a_further_disk_is_flashed_where_the_first_never_came(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_DISK);
	LIVE(&life, {LIFE_TIMEOUT, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE, 0},
		{LIFE_CLEAR, 0, CM4_STATE_ROM, 0, 0},
		{LIFE_IMAGE_BEGAN, 0, CM4_STATE_FLASHING, 0, 0},
		{LIFE_IMAGE_VERIFYING, 0, CM4_STATE_VERIFYING, 0, 0},
		{LIFE_IMAGE_WHOLE, 0, CM4_STATE_DONE, 0, 0});
}

static void another_tools_gadget_is_left_alone(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_OTHER);
	LIVE(&life, {LIFE_BOOT, 0, CM4_STATE_FAILED, LIFE_DO_REFUSE, 0});
	assert_int_equal(life.failure, FAILURE_OTHER_GADGET);
}

/* No order of events, however absurd, leaves a boot that nothing will ever end. */
static void no_order_of_events_waits_for_ever(void **state)
{
	unsigned seed = 1;

	for (int run = 0; run < 2000; run++) {
		struct life life;
		bool armed = false;

		life_init(&life, (enum cm4_stage)(1 + run % 4));
		armed = life.timeout_ms != 0;
		for (int i = 0; i < 100; i++) {
			bool timer;

			seed = seed * 1103515245 + 12345;
			enum life_event event = (seed >> 16) % LIFE_EVENT_N;
			unsigned actions;

			/* A dialogue ends when one runs, and a timer only when it was armed. */
			if ((event == LIFE_SERVED || event == LIFE_BROKE) && !life.dialogue)
				continue;
			if (event == LIFE_TIMEOUT && !armed)
				continue;
			actions = life_handle(
				&life, event, event == LIFE_BROKE ? -ENODEV : 0, &timer);
			if (timer || event == LIFE_TIMEOUT)
				armed = timer && life.timeout_ms;
			if (actions & LIFE_DO_LEAVE)
				break;
			if (life.state == CM4_STATE_BOOTING && !life.dialogue && !armed)
				fail_msg("run %d, step %d, %s: nothing ends this boot", run, i,
					life_event_to_string(event));
		}
	}
}

static void every_failure_has_an_errno_a_sentence_and_an_advice(void **state)
{
	for (int i = 0; i < FAILURE_N; i++) {
		struct cm4_failure failure;

		if (!table_row((enum failure)i)->error)
			continue;
		failure_describe((enum failure)i, 0, NULL, &failure);
		assert_true(failure.error > 0);
		assert_int_equal(failure.error, failure_errno((enum failure)i));
		assert_true(*failure.text);
		assert_true(*failure.advice);
	}
}

static void a_detail_and_an_errno_replace_the_tables(void **state)
{
	struct cm4_failure failure;

	failure_describe(FAILURE_MEDIUM, ENODATA, "block 7 cannot be read", &failure);
	assert_int_equal(failure.error, ENODATA);
	assert_string_equal(failure.text, "block 7 cannot be read");
	assert_int_equal(failure.blame, CM4_BLAME_MEDIA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_boots_flashes_and_leaves),
		cmocka_unit_test(a_boot_cancelled_between_two_stages_awaits_the_next),
		cmocka_unit_test(a_cleared_module_that_does_not_come_back_leaves),
		cmocka_unit_test(a_rom_that_nobody_wants_leaves_with_its_directory),
		cmocka_unit_test(a_module_in_mass_storage_is_adopted),
		cmocka_unit_test(an_adopted_module_that_leaves_before_its_disk_leaves_quietly),
		cmocka_unit_test(a_second_stage_found_at_start_is_served_when_wanted),
		cmocka_unit_test(a_stage_that_comes_before_the_dialogue_has_ended_is_taken_up_then),
		cmocka_unit_test(a_disk_that_comes_before_its_usb_device_is_remembered),
		cmocka_unit_test(the_rom_may_be_seen_again_but_not_for_ever),
		cmocka_unit_test(second_stages_without_end_come_to_an_end),
		cmocka_unit_test(every_wait_of_a_boot_has_its_own_failure),
		cmocka_unit_test(every_end_of_a_dialogue_has_its_own_failure),
		cmocka_unit_test(a_failed_boot_can_be_tried_again),
		cmocka_unit_test(a_boot_cancelled_and_begun_again_waits_for_the_old_dialogue),
		cmocka_unit_test(a_module_without_a_medium_fails_at_once),
		cmocka_unit_test(a_disk_that_comes_late_makes_a_failed_module_ready),
		cmocka_unit_test(what_is_verified_is_done_if_it_was),
		cmocka_unit_test(a_proof_that_fails_is_a_failed_medium),
		cmocka_unit_test(unplugging_in_mid_flash_fails_it_and_keeps_the_directory),
		cmocka_unit_test(an_incomplete_image_can_be_resumed),
		cmocka_unit_test(an_incomplete_module_that_leaves_keeps_its_directory),
		cmocka_unit_test(cancel_ends_a_flash_and_a_new_one_may_follow),
		cmocka_unit_test(a_further_disk_is_flashed_where_the_first_never_came),
		cmocka_unit_test(another_tools_gadget_is_left_alone),
		cmocka_unit_test(no_order_of_events_waits_for_ever),
		cmocka_unit_test(every_failure_has_an_errno_a_sentence_and_an_advice),
		cmocka_unit_test(a_detail_and_an_errno_replace_the_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
