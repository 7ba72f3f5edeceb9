#include <cm4fs/module.h>

/* The words of the interface for what is an enum inside. */

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
