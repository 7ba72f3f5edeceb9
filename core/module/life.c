#include <errno.h>
#include <stddef.h>

#include <cm4fs/log.h>

#include "module/life-internal.h"

#define DIALOGUES_MAX                                                                              \
	8 /* of one boot: a ROM seen again, a second stage that comes twice (CM4's start4.elf) */

static void arm(struct life *life, struct effect *effect, unsigned timeout_ms)
{
	life->timeout_ms = timeout_ms;
	effect->timer = true;
}

void life_become(struct life *life, struct effect *effect, enum cm4_state state)
{
	life->state = state;
	arm(life, effect, 0);
}

void life_fail(struct life *life, struct effect *effect, enum failure failure, int error)
{
	life_become(life, effect, CM4_STATE_FAILED);
	life->failure = failure;
	life->failure_error = -error;
	life->failures++;
	effect->actions |= LIFE_DO_REFUSE;
}

void life_stop_short(struct life *life, struct effect *effect, int error)
{
	life_become(life, effect, CM4_STATE_INCOMPLETE);
	life->failure = FAILURE_NOT_WHOLE;
	life->failure_error = -error;
	life->failures++;
}

/* Between two stages it is off the bus for a while: so long it is waited for. */
static void await_stage(struct life *life, struct effect *effect)
{
	bool rom = life->dialogue_stage == CM4_STAGE_ROM;

	arm(life, effect, rom ? LIFE_SECOND_STAGE_MS : LIFE_DISK_STAGE_MS);
}

/* It may be between two stages: then it is not gone until it has not come back. */
static void fail_boot(struct life *life, struct effect *effect, enum failure failure, int error)
{
	life_fail(life, effect, failure, error);
	if (life->stage == CM4_STAGE_NONE)
		await_stage(life, effect);
}

static void leave_bus(struct life *life)
{
	life->stage = CM4_STAGE_NONE;
	life->disk_here = false;
}

static void start_dialogue(struct life *life, struct effect *effect)
{
	bool rom = life->stage == CM4_STAGE_ROM;

	life->dialogue = true;
	life->enumerated = false;
	life->dialogue_stage = life->stage;
	life->dialogues++;
	life->rom_tries += rom;
	effect->actions |= rom ? LIFE_DO_ROM : LIFE_DO_SERVER;
	arm(life, effect, 0);
}

/* What to do about the stage that is on the bus, in a boot. */
static void take_stage(struct life *life, struct effect *effect)
{
	switch (life->stage) {
	case CM4_STAGE_NONE:
		await_stage(life, effect);
		break;
	case CM4_STAGE_ROM:
	case CM4_STAGE_SECOND:
		if (life->rom_tries >= LIFE_ROM_TRIES && life->stage == CM4_STAGE_ROM)
			life_fail(life, effect, FAILURE_ROM_LOOP, 0);
		else if (life->dialogues >= DIALOGUES_MAX)
			life_fail(life, effect, FAILURE_SECOND_NONSENSE, 0);
		else
			start_dialogue(life, effect);
		break;
	case CM4_STAGE_DISK:
		if (life->disk_here) {
			life_become(life, effect, CM4_STATE_READY);
			effect->actions |= LIFE_DO_ADMIT;
		} else {
			arm(life, effect, LIFE_DISK_MS);
		}
		break;
	case CM4_STAGE_OTHER:
		life_fail(life, effect, FAILURE_OTHER_GADGET, 0);
		break;
	}
}

static void begin_boot(struct life *life, struct effect *effect)
{
	life->state = CM4_STATE_BOOTING;
	life->dialogues = 0;
	life->rom_tries = 0;
	/* A dialogue that was cancelled may still be unwinding: its end will take the stage up. */
	if (life->dialogue)
		life->enumerated = true;
	else
		take_stage(life, effect);
}

static bool stage_of(enum life_event event, enum cm4_stage *ret_stage)
{
	if (event == LIFE_USB_ROM)
		*ret_stage = CM4_STAGE_ROM;
	else if (event == LIFE_USB_SECOND)
		*ret_stage = CM4_STAGE_SECOND;
	else if (event == LIFE_USB_DISK)
		*ret_stage = CM4_STAGE_DISK;
	else if (event == LIFE_USB_OTHER)
		*ret_stage = CM4_STAGE_OTHER;
	else
		return false;
	return true;
}

/* The dialogue's end. @error 0: it ended as it should. */
static void end_dialogue(struct life *life, struct effect *effect, int error)
{
	life->dialogue = false;
	if (life->enumerated) {
		take_stage(life, effect);
		return;
	}
	/* Gone in the middle may be success: only what enumerates next tells. */
	if (error == 0 || error == -ENODEV) {
		await_stage(life, effect);
		return;
	}
	enum failure failure = failure_of_dialogue(life->dialogue_stage, error);

	fail_boot(life, effect, failure, failure == FAILURE_INTERNAL ? error : 0);
}

void life_image_failed(struct life *life, struct effect *effect, int error)
{
	life_fail(life, effect, failure_of_disk(-error), error);
}

static bool leaves_quietly(const struct life *life)
{
	return life->state != CM4_STATE_FAILED && life->state != CM4_STATE_INCOMPLETE &&
	       life->state != CM4_STATE_UPDATED;
}

static void be_gone(struct life *life, struct effect *effect)
{
	life->gone = true;
	if (leaves_quietly(life))
		effect->actions |= LIFE_DO_LEAVE;
}

/*
 * Off the bus; a boot that was given up just now may have brought it to its next stage all the same, and one whose
 * EEPROM was written may start anew.
 */
static void be_absent(struct life *life, struct effect *effect)
{
	if (life->dialogue || life->state == CM4_STATE_UPDATED)
		await_stage(life, effect);
	else
		be_gone(life, effect);
}

/* Its boot was given up between two stages, and the next has not come. */
static void give_up_absent(struct life *life, struct effect *effect)
{
	if (life->stage == CM4_STAGE_NONE)
		be_gone(life, effect);
}

/* rom: on the bus, and nobody has asked for its disk. */
static struct effect handle_rom(struct life *life, enum life_event event, int error)
{
	struct effect effect = {0};
	bool disk = life->stage == CM4_STAGE_DISK;

	switch (event) {
	case LIFE_USB_ROM:
	case LIFE_USB_SECOND:
	case LIFE_USB_OTHER:
		break;
	case LIFE_USB_DISK:
		life->state = CM4_STATE_BOOTING;
		take_stage(life, &effect);
		break;
	case LIFE_USB_GONE:
		be_absent(life, &effect);
		break;
	case LIFE_BOOT:
		begin_boot(life, &effect);
		break;
	case LIFE_SERVED:
	case LIFE_BROKE:
	case LIFE_UPDATED:
	case LIFE_UPDATE_FAILED:
		life->dialogue = false;
		break;
	case LIFE_IMAGE_FAILED:
		life_image_failed(life, &effect, error);
		break;
	case LIFE_DISK_HERE:
	case LIFE_DISK_EMPTY:
	case LIFE_DISK_GONE:
		life->disk_here = disk && event == LIFE_DISK_HERE;
		break;
	case LIFE_TIMEOUT:
		give_up_absent(life, &effect);
		break;
	case LIFE_IMAGE_BEGAN:
		/* On a further disk, where the one that images go to never came, and that was cleared. */
		if (disk)
			life_become(life, &effect, CM4_STATE_FLASHING);
		break;
	case LIFE_IMAGE_VERIFYING:
	case LIFE_IMAGE_VERIFIED:
	case LIFE_IMAGE_WHOLE:
	case LIFE_IMAGE_INCOMPLETE:
	case LIFE_CANCEL:
	case LIFE_CLEAR:
	case LIFE_EVENT_N:
		break;
	}
	return effect;
}

/* It may have left before that was known: then it may come back all the same. */
static void end_update(struct life *life, struct effect *effect, int error)
{
	life->dialogue = false;
	if (error < 0) {
		fail_boot(life, effect, FAILURE_EEPROM, error);
		return;
	}
	life_become(life, effect, CM4_STATE_UPDATED);
	effect->actions |= LIFE_DO_ADMIT;
	if (life->stage == CM4_STAGE_NONE)
		await_stage(life, effect);
}

/* booting: from the first byte served, or from adoption, until the disk is there. */
static struct effect handle_booting(struct life *life, enum life_event event, int error)
{
	struct effect effect = {0};

	switch (event) {
	case LIFE_USB_ROM:
	case LIFE_USB_SECOND:
	case LIFE_USB_DISK:
	case LIFE_USB_OTHER:
		if (life->dialogue)
			life->enumerated = true;
		else
			take_stage(life, &effect);
		break;
	case LIFE_USB_GONE:
		life->enumerated = false;
		if (!life->wanted) {
			life->gone = true;
			effect.actions = LIFE_DO_LEAVE;
		}
		break;
	case LIFE_DISK_HERE:
		life->disk_here = true;
		if (life->stage == CM4_STAGE_DISK && !life->dialogue)
			take_stage(life, &effect);
		break;
	case LIFE_DISK_EMPTY:
		life_fail(life, &effect, FAILURE_NO_MEDIUM, 0);
		break;
	case LIFE_DISK_GONE:
		life->disk_here = false;
		break;
	case LIFE_SERVED:
	case LIFE_BROKE:
		end_dialogue(life, &effect, error);
		break;
	case LIFE_UPDATED:
	case LIFE_UPDATE_FAILED:
		end_update(life, &effect, error);
		break;
	case LIFE_TIMEOUT:
		life_fail(life, &effect, failure_of_timeout(life->dialogue_stage, life->stage), 0);
		life->gone = life->stage == CM4_STAGE_NONE;
		break;
	case LIFE_CANCEL:
		fail_boot(life, &effect, FAILURE_CANCELLED, 0);
		effect.actions |= LIFE_DO_ABORT;
		break;
	case LIFE_IMAGE_FAILED:
		life_image_failed(life, &effect, error);
		break;
	case LIFE_BOOT:
	case LIFE_IMAGE_BEGAN:
	case LIFE_IMAGE_VERIFYING:
	case LIFE_IMAGE_VERIFIED:
	case LIFE_IMAGE_WHOLE:
	case LIFE_IMAGE_INCOMPLETE:
	case LIFE_CLEAR:
	case LIFE_EVENT_N:
		break;
	}
	return effect;
}

static void boot_idle(struct life *life, struct effect *effect)
{
	if (life->disk_here) {
		effect->actions |= LIFE_DO_ADMIT;
	} else if (life->gone) {
		life_fail(life, effect, FAILURE_GONE, 0);
	} else {
		begin_boot(life, effect);
	}
}

static void clear_idle(struct life *life, struct effect *effect)
{
	if (life->gone)
		effect->actions |= LIFE_DO_LEAVE;
	else if (life->disk_here)
		life_become(life, effect, CM4_STATE_READY);
	else
		life_become(life, effect, CM4_STATE_ROM);
	if (life->stage == CM4_STAGE_NONE && !life->gone)
		await_stage(life, effect);
}

/* ready, done, incomplete, failed, updated: nothing is under way. */
static struct effect handle_idle(struct life *life, enum life_event event, int error)
{
	struct effect effect = {0};

	switch (event) {
	case LIFE_USB_GONE:
		be_absent(life, &effect);
		break;
	case LIFE_DISK_HERE:
		life->disk_here = life->stage == CM4_STAGE_DISK;
		/* A disk that came late is better than the failure it was given up for. */
		if (life->disk_here && life->state == CM4_STATE_FAILED && !life->gone)
			life_become(life, &effect, CM4_STATE_READY);
		effect.actions |= LIFE_DO_ADMIT;
		break;
	case LIFE_DISK_EMPTY:
		life_fail(life, &effect, FAILURE_NO_MEDIUM, 0);
		break;
	case LIFE_DISK_GONE:
		life->disk_here = false;
		effect.actions = LIFE_DO_ABORT;
		break;
	case LIFE_BOOT:
		boot_idle(life, &effect);
		break;
	case LIFE_SERVED:
	case LIFE_BROKE:
	case LIFE_UPDATED:
	case LIFE_UPDATE_FAILED:
		life->dialogue = false;
		break;
	case LIFE_IMAGE_BEGAN:
		life_become(life, &effect, CM4_STATE_FLASHING);
		break;
	case LIFE_IMAGE_VERIFYING:
		/* The verb: what was done is looked at once more. */
		if (life->state == CM4_STATE_DONE)
			life_become(life, &effect, CM4_STATE_VERIFYING);
		break;
	case LIFE_IMAGE_INCOMPLETE:
		life_stop_short(life, &effect, error);
		break;
	case LIFE_IMAGE_FAILED:
		/* The end of what was aborted is no news: the first failure is the cause. */
		if (life->state != CM4_STATE_FAILED || (error != -ENODEV && error != -ECANCELED))
			life_image_failed(life, &effect, error);
		break;
	case LIFE_TIMEOUT:
		give_up_absent(life, &effect);
		break;
	case LIFE_CLEAR:
		clear_idle(life, &effect);
		break;
	case LIFE_USB_ROM:
	case LIFE_USB_SECOND:
	case LIFE_USB_DISK:
	case LIFE_USB_OTHER:
	case LIFE_IMAGE_VERIFIED:
	case LIFE_IMAGE_WHOLE:
	case LIFE_CANCEL:
	case LIFE_EVENT_N:
		break;
	}
	return effect;
}

static struct effect dispatch(struct life *life, enum life_event event, int error)
{
	switch (life->state) {
	case CM4_STATE_ROM:
		return handle_rom(life, event, error);
	case CM4_STATE_BOOTING:
	case CM4_STATE_WAITING:
		return handle_booting(life, event, error);
	case CM4_STATE_FLASHING:
	case CM4_STATE_VERIFYING:
		return life_handle_flashing(life, event, error);
	case CM4_STATE_READY:
	case CM4_STATE_DONE:
	case CM4_STATE_INCOMPLETE:
	case CM4_STATE_FAILED:
	case CM4_STATE_UPDATED:
		return handle_idle(life, event, error);
	}
	return (struct effect){0};
}

unsigned life_handle(struct life *life, enum life_event event, int error, bool *ret_timer)
{
	struct effect effect;

	if (event == LIFE_USB_GONE)
		leave_bus(life);
	else
		stage_of(event, &life->stage);
	if (event == LIFE_BOOT)
		life->wanted = true;

	effect = dispatch(life, event, error);
	*ret_timer = effect.timer;
	return effect.actions;
}

void life_init(struct life *life, enum cm4_stage stage)
{
	*life = (struct life){.state = CM4_STATE_ROM, .stage = stage};

	/* In mass storage already: adopted, its disk is on its way. */
	if (stage == CM4_STAGE_DISK) {
		life->state = CM4_STATE_BOOTING;
		life->timeout_ms = LIFE_DISK_MS;
	}
}
