#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "module/life.h"

/*
 * A life as an array: what happens, and what must come of it. NO_TIMER says that the timer is left
 * alone, 0 that it is disarmed.
 */

#define NO_TIMER UINT32_MAX

struct step {
	enum life_event event;
	int error;
	enum cm4_state state;
	unsigned actions;
	uint32_t timer;
};

static inline void live(struct life *life, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool timer;
		unsigned actions = life_handle(life, steps[i].event, steps[i].error, &timer);

		if (life->state != steps[i].state || actions != steps[i].actions ||
			timer != (steps[i].timer != NO_TIMER) ||
			(timer && life->timeout_ms != steps[i].timer))
			fail_msg("step %zu, %s: state %s, actions %#x, timer %d %u", i,
				life_event_to_string(steps[i].event),
				cm4_state_to_string(life->state), actions, timer, life->timeout_ms);
	}
}

#define LIVE(life, ...)                                                                            \
	do {                                                                                       \
		const struct step steps[] = {__VA_ARGS__};                                         \
		live(life, steps, sizeof(steps) / sizeof(steps[0]));                               \
	} while (0)

#define BOOT_TO_READY                                                                              \
	{LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_ROM, 0},                                         \
		{LIFE_SERVED, 0, CM4_STATE_BOOTING, 0, LIFE_SECOND_STAGE_MS},                      \
		{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},                                \
		{LIFE_USB_SECOND, 0, CM4_STATE_BOOTING, LIFE_DO_SERVER, 0},                        \
		{LIFE_SERVED, 0, CM4_STATE_BOOTING, 0, LIFE_DISK_STAGE_MS},                        \
		{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},                                \
		{LIFE_USB_DISK, 0, CM4_STATE_BOOTING, 0, LIFE_DISK_MS},                            \
	{                                                                                          \
		LIFE_DISK_HERE, 0, CM4_STATE_READY, LIFE_DO_ADMIT, 0                               \
	}
