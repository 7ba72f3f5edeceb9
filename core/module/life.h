#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cm4fs/module.h>

#include "module/failure.h"

/*
 * The life of a module as one state machine, pure: events in, a new state and things to do out. It
 * knows no thread, clock, bus or disk; the module (module.c) feeds it under its lock and does what
 * it says.
 *
 *	rom --boot--> booting --disk here--> ready --image began--> flashing --> verifying --whole--> done
 *	                 |                     |                     |  `--not whole--> incomplete
 *	                 `------- failed <-----'---------------------'
 *
 * From ready, done, incomplete and failed (its disk still there) a new image leads to flashing
 * again. A module that leaves the bus while it boots is expected back; one that leaves at any other
 * time is gone: it takes its directory along, unless it failed or is incomplete. One whose boot is
 * given up while it is between two stages is waited for all the same, so that it keeps its name. One whose EEPROM was
 * written becomes `updated`; whether it then stays away, or comes back as a ROM, is its config.txt's business.
 */

enum life_event {
	/* What enumerates on the module's port. */
	LIFE_USB_ROM,
	LIFE_USB_SECOND,
	LIFE_USB_DISK,
	LIFE_USB_OTHER,
	LIFE_USB_GONE,
	LIFE_DISK_HERE,	 /* the disk that images go to, with a medium */
	LIFE_DISK_EMPTY, /* it is there, without a medium */
	LIFE_DISK_GONE,	 /* it left, the USB device stays */

	/* What came of the dialogue that an action asked for. */
	LIFE_SERVED,
	LIFE_BROKE,   /* with an error, negative */
	LIFE_UPDATED, /* served, and its EEPROM was written; or was to be written, and was not: */
	LIFE_UPDATE_FAILED, /* with an error, negative */

	LIFE_BOOT,    /* somebody wants the disk */
	LIFE_TIMEOUT, /* the deadline has passed */

	/* What an image on this module's disk reports. */
	LIFE_IMAGE_BEGAN,
	LIFE_IMAGE_VERIFYING,
	LIFE_IMAGE_VERIFIED, /* with an error, negative: another image is on the disk by now */
	LIFE_IMAGE_WHOLE,
	LIFE_IMAGE_INCOMPLETE, /* with an error, negative */
	LIFE_IMAGE_FAILED,     /* with an error, negative */

	LIFE_CANCEL,
	LIFE_CLEAR,
	LIFE_EVENT_N,
};

/* Things to do, as bits. */
enum life_action {
	LIFE_DO_ROM = 1 << 0,	 /* send the second stage */
	LIFE_DO_SERVER = 1 << 1, /* serve files */
	LIFE_DO_ADMIT = 1 << 2,	 /* give the disk to those who wait for it */
	LIFE_DO_REFUSE = 1 << 3, /* tell those who wait for it life's failure */
	LIFE_DO_ABORT = 1 << 4,	 /* end the dialogue under way, and every image on the disk */
	LIFE_DO_LEAVE = 1 << 5,	 /* the module is out of the fleet */
};

struct life {
	enum cm4_state state;
	enum cm4_stage stage;
	bool gone;

	bool wanted;		       /* somebody has asked for the disk */
	bool dialogue;		       /* one is under way, or asked for */
	bool enumerated;	       /* something came on the bus while it was */
	enum cm4_stage dialogue_stage; /* whom the last one was with */
	unsigned dialogues;	       /* begun in this boot */
	bool disk_here;		       /* images can be written */
	unsigned rom_tries;	       /* second stages sent in this boot */
	unsigned timeout_ms;	       /* from the last event that set it; 0: none */

	enum failure failure; /* when failed or incomplete */
	int failure_error;    /* positive; 0: the failure's own errno */
	unsigned failures;    /* counted, so that a new one can be told from the last */
};

/* At first sight, with @stage on the bus. */
void life_init(struct life *life, enum cm4_stage stage);

/*
 * @error: negative, for events that carry one; else 0. Returns actions. @ret_timer: whether
 * timeout_ms was set by this event (0 then disarms).
 */
unsigned life_handle(struct life *life, enum life_event event, int error, bool *ret_timer);

const char *life_event_to_string(enum life_event event);

/* Bounds on what a healthy module takes, several times over (PROTOCOL: 0.3 to 2.6 s; 30 s;
 * usb-storage 1 s). */
#define LIFE_SECOND_STAGE_MS 20000 /* ROM served, until the second stage enumerates */
#define LIFE_DISK_STAGE_MS   60000 /* files served, until mass storage enumerates */
#define LIFE_DISK_MS	     30000 /* mass storage enumerated, until its disk is there */
#define LIFE_ROM_TRIES	     3 /* the ROM may be seen a second time in a good boot (usbboot PR#63) */
