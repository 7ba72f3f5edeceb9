#pragma once

#include <cm4fs/module.h>

/*
 * Everything that can go wrong with a module, a port or this host's USB, each with a word for
 * scripts, its errno, whose fault it is, a sentence, what to try, and the kernel's lines by which
 * people look for it. One table: FAIL.TXT, status.json, DIAGNOSIS.TXT, the manual's chapter and
 * docs/troubleshooting.md are made from it. Pure, constant, for any thread.
 */
enum failure {
	/* In a module's life: FAIL.TXT. */
	FAILURE_NO_PAYLOAD,
	FAILURE_PAYLOAD_UNREADABLE,
	FAILURE_OTP,
	FAILURE_STAGED,
	FAILURE_EEPROM,
	FAILURE_ACCESS,
	FAILURE_ROM_SILENT,
	FAILURE_ROM_NONSENSE,
	FAILURE_ROM_REFUSED,
	FAILURE_ROM_LOOP,
	FAILURE_NO_SECOND_STAGE,
	FAILURE_SECOND_SILENT,
	FAILURE_SECOND_NONSENSE,
	FAILURE_NO_DISK_STAGE,
	FAILURE_NO_DISK,
	FAILURE_NO_MEDIUM,
	FAILURE_OTHER_GADGET,
	FAILURE_GONE,
	FAILURE_CANCELLED,
	FAILURE_DISK_HELD,
	FAILURE_TOO_LARGE,
	FAILURE_NOT_WHOLE,
	FAILURE_CORRUPT,
	FAILURE_NOT_AN_IMAGE,
	FAILURE_MEDIUM,
	FAILURE_INTERNAL,

	/* What is known around a failure, and explains it better (failure_refine): its errno stays. */
	FAILURE_FULL_SPEED,
	FAILURE_WRITE_STALL,
	FAILURE_VPU_PAYLOAD,
	FAILURE_TOO_OLD,
	FAILURE_BOOT_SIG,

	/* On a port, by the kernel's log and sysfs: DIAGNOSIS.TXT. */
	FAILURE_PORT_GARBLED,
	FAILURE_PORT_MUTE,
	FAILURE_PORT_REFUSES,
	FAILURE_PORT_FLAPS,
	FAILURE_OVER_CURRENT,
	FAILURE_BUS_POWER,
	FAILURE_HUB,
	FAILURE_CONTROLLER,
	FAILURE_OWN_SYSTEM,

	/* Of the host as a whole. */
	FAILURE_NOTHING,
	FAILURE_LOG_DENIED,
	FAILURE_N,
};

enum table_group { TABLE_MODULE, TABLE_PORT, TABLE_HOST };

struct table_row {
	const char *id;
	enum table_group group;
	int error; /* positive; 0: no call fails by it, or each by its own */
	enum cm4_blame blame;
	const char *text;	/* a sentence without its full stop */
	const char *advice;	/* steps joined by newlines, the most likely first */
	const char *const *log; /* NULL-terminated; NULL: the kernel says nothing */
};

const struct table_row *table_row(enum failure failure);
