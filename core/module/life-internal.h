#pragma once

#include "module/life.h"

/* Between the files of the life machine: life.c, and life-flash.c for the time of a flash. */

/* What a handler gives back: actions, and the timer if it touched it. */
struct effect {
	unsigned actions;
	bool timer;
};

void life_become(struct life *life, struct effect *effect, enum cm4_state state);

/* @error: negative, or 0: the failure's own. */
void life_fail(struct life *life, struct effect *effect, enum failure failure, int error);
void life_image_failed(struct life *life, struct effect *effect, int error);

/* Nobody waits for the disk then: it is free, and what is on it can be added to. */
void life_stop_short(struct life *life, struct effect *effect, int error);

struct effect life_handle_flashing(struct life *life, enum life_event event, int error);
