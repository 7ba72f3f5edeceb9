#include "module/life-internal.h"

/* A life while a flash is under way. */

/* flashing, verifying: an image holds the disk. */
struct effect life_handle_flashing(struct life *life, enum life_event event, int error)
{
	struct effect effect = {0};

	switch (event) {
	case LIFE_USB_GONE:
		life->gone = true;
		life_fail(life, &effect, FAILURE_GONE, 0);
		effect.actions |= LIFE_DO_ABORT;
		break;
	case LIFE_DISK_GONE:
		life->disk_here = false;
		life_fail(life, &effect, FAILURE_GONE, 0);
		effect.actions |= LIFE_DO_ABORT;
		break;
	case LIFE_IMAGE_BEGAN:
		/* Somebody writes on, though all seemed to be there. */
		life_become(life, &effect, CM4_STATE_FLASHING);
		break;
	case LIFE_IMAGE_VERIFYING:
		life_become(life, &effect, CM4_STATE_VERIFYING);
		break;
	case LIFE_IMAGE_VERIFIED:
		if (life->state == CM4_STATE_VERIFYING)
			life_become(life, &effect, error ? CM4_STATE_READY : CM4_STATE_DONE);
		break;
	case LIFE_IMAGE_WHOLE:
		life_become(life, &effect, CM4_STATE_DONE);
		break;
	case LIFE_IMAGE_INCOMPLETE:
		life_stop_short(life, &effect, error);
		break;
	case LIFE_IMAGE_FAILED:
		life_image_failed(life, &effect, error);
		break;
	case LIFE_CANCEL:
		life_fail(life, &effect, FAILURE_CANCELLED, 0);
		effect.actions |= LIFE_DO_ABORT;
		break;
	case LIFE_BOOT:
	case LIFE_DISK_HERE:
		effect.actions = LIFE_DO_ADMIT;
		break;
	case LIFE_SERVED:
	case LIFE_BROKE:
	case LIFE_UPDATED:
	case LIFE_UPDATE_FAILED:
		life->dialogue = false;
		break;
	case LIFE_USB_ROM:
	case LIFE_USB_SECOND:
	case LIFE_USB_DISK:
	case LIFE_USB_OTHER:
	case LIFE_DISK_EMPTY:
	case LIFE_TIMEOUT:
	case LIFE_CLEAR:
	case LIFE_EVENT_N:
		break;
	}
	return effect;
}
