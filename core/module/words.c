#include <errno.h>
#include <string.h>

#include <cm4fs/module.h>

#include "module/life.h"

/* The words of the interface for what is an enum inside; last, those of the life machine's tests. */

const char *cm4_state_to_string(enum cm4_state state)
{
	switch (state) {
	case CM4_STATE_ROM:
		return "rom";
	case CM4_STATE_BOOTING:
		return "booting";
	case CM4_STATE_READY:
		return "ready";
	case CM4_STATE_FLASHING:
		return "flashing";
	case CM4_STATE_VERIFYING:
		return "verifying";
	case CM4_STATE_DONE:
		return "done";
	case CM4_STATE_INCOMPLETE:
		return "incomplete";
	case CM4_STATE_FAILED:
		return "failed";
	case CM4_STATE_WAITING:
		return "waiting";
	case CM4_STATE_UPDATED:
		return "updated";
	}
	return "";
}

const char *cm4_stage_to_string(enum cm4_stage stage)
{
	switch (stage) {
	case CM4_STAGE_NONE:
		return "none";
	case CM4_STAGE_ROM:
		return "rom";
	case CM4_STAGE_SECOND:
		return "second-stage";
	case CM4_STAGE_DISK:
		return "disk";
	case CM4_STAGE_OTHER:
		return "other";
	}
	return "";
}

const char *cm4_blame_to_string(enum cm4_blame blame)
{
	switch (blame) {
	case CM4_BLAME_USER:
		return "user";
	case CM4_BLAME_MEDIA:
		return "media";
	case CM4_BLAME_LINK:
		return "link";
	case CM4_BLAME_MODULE:
		return "module";
	case CM4_BLAME_INTERNAL:
		return "internal";
	}
	return "";
}

const char *cm4_verify_to_string(enum cm4_verify verify)
{
	switch (verify) {
	case CM4_VERIFY_OFF:
		return "off";
	case CM4_VERIFY_READBACK:
		return "readback";
	case CM4_VERIFY_MEDIUM:
		return "medium";
	}
	return "";
}

int cm4_verify_from_string(const char *word, enum cm4_verify *ret_verify)
{
	for (enum cm4_verify verify = CM4_VERIFY_OFF; verify <= CM4_VERIFY_MEDIUM; verify++) {
		if (strcmp(word, cm4_verify_to_string(verify)) == 0) {
			*ret_verify = verify;
			return 0;
		}
	}
	return -EINVAL;
}

const char *life_event_to_string(enum life_event event)
{
	static const char *const names[LIFE_EVENT_N] = {
		[LIFE_USB_ROM] = "usb-rom",
		[LIFE_USB_SECOND] = "usb-second",
		[LIFE_USB_DISK] = "usb-disk",
		[LIFE_USB_OTHER] = "usb-other",
		[LIFE_USB_GONE] = "usb-gone",
		[LIFE_DISK_HERE] = "disk-here",
		[LIFE_DISK_EMPTY] = "disk-empty",
		[LIFE_DISK_GONE] = "disk-gone",
		[LIFE_SERVED] = "served",
		[LIFE_BROKE] = "broke",
		[LIFE_UPDATED] = "updated",
		[LIFE_UPDATE_FAILED] = "update failed",
		[LIFE_BOOT] = "boot",
		[LIFE_TIMEOUT] = "timeout",
		[LIFE_IMAGE_BEGAN] = "image-began",
		[LIFE_IMAGE_VERIFYING] = "image-verifying",
		[LIFE_IMAGE_VERIFIED] = "image-verified",
		[LIFE_IMAGE_WHOLE] = "image-whole",
		[LIFE_IMAGE_INCOMPLETE] = "image-incomplete",
		[LIFE_IMAGE_FAILED] = "image-failed",
		[LIFE_CANCEL] = "cancel",
		[LIFE_CLEAR] = "clear",
	};

	return names[event];
}
