#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "module/failure.h"
#include "module/life.h"

static bool reached[FAILURE_N];

static void what_is_known_around_a_failure_explains_it(void **state)
{
	static const struct {
		struct circumstances around;
		enum failure before, after;
	} cases[] = {
		{{0}, FAILURE_GONE, FAILURE_GONE},
		{{.full_speed = true}, FAILURE_ROM_SILENT, FAILURE_FULL_SPEED},
		{{.full_speed = true}, FAILURE_NO_SECOND_STAGE, FAILURE_FULL_SPEED},
		{{.full_speed = true}, FAILURE_CANCELLED, FAILURE_CANCELLED},
		{{.full_speed = true, .old_payload = true}, FAILURE_ROM_LOOP, FAILURE_FULL_SPEED},
		{{.vpu = true}, FAILURE_GONE, FAILURE_VPU_PAYLOAD},
		{{.vpu = true, .stalled = true}, FAILURE_MEDIUM, FAILURE_VPU_PAYLOAD},
		{{.vpu = true}, FAILURE_NO_MEDIUM, FAILURE_NO_MEDIUM},
		{{.stalled = true}, FAILURE_MEDIUM, FAILURE_WRITE_STALL},
		{{.stalled = true}, FAILURE_NOT_WHOLE, FAILURE_NOT_WHOLE},
		{{.old_payload = true}, FAILURE_NO_SECOND_STAGE, FAILURE_TOO_OLD},
		{{.old_payload = true}, FAILURE_ROM_LOOP, FAILURE_TOO_OLD},
		{{.old_payload = true}, FAILURE_ROM_SILENT, FAILURE_ROM_SILENT},
		{{.asked_sig = true}, FAILURE_SECOND_NONSENSE, FAILURE_BOOT_SIG},
		{{.asked_sig = true}, FAILURE_SECOND_SILENT, FAILURE_BOOT_SIG},
		{{.asked_sig = true}, FAILURE_NO_DISK_STAGE, FAILURE_BOOT_SIG},
		{{.asked_sig = true}, FAILURE_GONE, FAILURE_GONE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum failure after = failure_refine(cases[i].before, &cases[i].around);

		reached[after] = true;
		if (after != cases[i].after)
			fail_msg("case %zu: %s", i, table_row(after)->id);
	}
}

/* Lives at random, each until its module leaves: whatever they fail of is noted. */
static void live_at_random(void)
{
	unsigned seed = 7;

	for (int run = 0; run < 3000; run++) {
		struct life life;

		life_init(&life, (enum cm4_stage)(1 + run % 4));
		for (int i = 0; i < 60; i++) {
			enum life_event event;
			bool timer;

			seed = seed * 1103515245 + 12345;
			event = (seed >> 16) % LIFE_EVENT_N;
			bool broke = event == LIFE_BROKE || event == LIFE_UPDATE_FAILED;

			if (life_handle(&life, event, broke ? -ETIMEDOUT : 0, &timer) &
				LIFE_DO_LEAVE)
				break;
			if (life.failures)
				reached[life.failure] = true;
		}
	}
}

/* What no random life comes to: the ROM again, each time. */
static void live_in_a_loop(void)
{
	struct life life;
	bool timer;

	life_init(&life, CM4_STAGE_ROM);
	life_handle(&life, LIFE_BOOT, 0, &timer);
	for (unsigned i = 0; i < LIFE_ROM_TRIES; i++) {
		life_handle(&life, LIFE_SERVED, 0, &timer);
		life_handle(&life, LIFE_USB_GONE, 0, &timer);
		life_handle(&life, LIFE_USB_ROM, 0, &timer);
	}
	reached[life.failure] = life.failures;
}

static void every_row_of_a_modules_life_is_reached(void **state)
{
	static const enum cm4_stage stages[] = {
		CM4_STAGE_NONE, CM4_STAGE_ROM, CM4_STAGE_SECOND, CM4_STAGE_DISK, CM4_STAGE_OTHER};

	for (int error = 1; error < 200; error++) {
		reached[failure_of_dialogue(CM4_STAGE_ROM, -error)] = true;
		reached[failure_of_dialogue(CM4_STAGE_SECOND, -error)] = true;
		reached[failure_of_disk(error)] = true;
	}
	for (size_t i = 0; i < 5; i++)
		reached[failure_of_timeout(CM4_STAGE_ROM, stages[i])] = true;
	reached[failure_of_timeout(CM4_STAGE_SECOND, CM4_STAGE_NONE)] = true;
	live_at_random();
	live_in_a_loop();
	for (unsigned i = 0; i < FAILURE_N; i++)
		if (table_row((enum failure)i)->group == TABLE_MODULE && !reached[i])
			fail_msg("nothing leads to %s", table_row((enum failure)i)->id);
}

static void advice_is_one_line_of_fail_txt(void **state)
{
	for (unsigned i = 0; i < FAILURE_N; i++) {
		struct cm4_failure failure;

		failure_describe((enum failure)i, 0, NULL, &failure);
		assert_null(strchr(failure.advice, '\n'));
		assert_int_equal(
			strlen(failure.advice), strlen(table_row((enum failure)i)->advice));
		assert_string_equal(failure.id, table_row((enum failure)i)->id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_known_around_a_failure_explains_it),
		cmocka_unit_test(every_row_of_a_modules_life_is_reached),
		cmocka_unit_test(advice_is_one_line_of_fail_txt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
