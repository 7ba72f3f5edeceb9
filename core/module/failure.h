#pragma once

#include <cm4fs/module.h>

/*
 * Everything that can go wrong with a module, each with its errno, whose fault it is, a sentence
 * and an advice: one table, from which FAIL.TXT and status.json are filled. Pure, for any thread.
 */
enum failure {
	FAILURE_NO_PAYLOAD,
	FAILURE_PAYLOAD_UNREADABLE,
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
	FAILURE_NOT_AN_IMAGE,
	FAILURE_MEDIUM,
	FAILURE_INTERNAL,
	FAILURE_N,
};

/* @detail, when not NULL or "", replaces the table's sentence; @error, when not 0, its errno. */
void failure_describe(enum failure failure, int error, const char *detail, struct cm4_failure *ret);

int failure_errno(enum failure failure); /* positive */

/* The row for how a dialogue with a boot stage ended; @error is negative, as driver.h lists them.
 */
enum failure failure_of_dialogue(enum cm4_stage with, int error);

/* The row for a wait that came to nothing: the last dialogue was @with one stage, @now is on the
 * bus. */
enum failure failure_of_timeout(enum cm4_stage with, enum cm4_stage now);

/* The row for an errno that an image or a disk reports, positive. FAILURE_INTERNAL for one that has
 * no row. */
enum failure failure_of_disk(int error);
