#pragma once

#include <stdbool.h>

#include <cm4fs/module.h>

#include "diagnosis/table.h"

/*
 * From what happened to the row of the table (diagnosis/table.h) that explains it, and from there
 * to FAIL.TXT. Pure, for any thread.
 */

/* What is known around a failure. */
struct circumstances {
	bool full_speed; /* its link carries 12 Mbit/s, and it could do 480 */
	bool vpu;	/* its disk is that of the VPU's firmware, and it could have the gadget's */
	bool stalled;	/* a write stood still */
	bool asked_sig; /* boot.sig, again and again */
	bool old_payload; /* its boot files are years old */
};

/* The row that explains more; @failure itself where nothing around it does. */
enum failure failure_refine(enum failure failure, const struct circumstances *around);

#define FAILURE_OLD_DAYS 730 /* from when on boot files are suspected of knowing no new board */

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
