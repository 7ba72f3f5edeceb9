#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cm4fs/diagnosis.h>
#include <cm4fs/module.h>

/*
 * Every module there is, and the hardware they come and go on.
 *
 * Thread: new, start, stop and free belong to one thread, the composition's; the rest is for any thread.
 */
struct cm4_fleet;
struct backend; /* core/seam/backend.h; made by the composition alone */
struct payload; /* core/payload/payload.h; likewise */

enum cm4_change {
	CM4_CHANGE_APPEARED, /* a module's directory is there now */
	CM4_CHANGE_LEFT,     /* ... and is gone; the module has left the fleet */
	CM4_CHANGE_STATE,    /* state, stage, disks or failure */
	CM4_CHANGE_IMAGE,    /* an image began, grew whole, or was superseded */
	CM4_CHANGE_SERVED,   /* a boot file was sent to it, or asked for and not there */
};

/* One change of one module. Of each module they are told in the order in which they came, one at a time. */
struct cm4_news {
	enum cm4_change change;
	struct cm4_status status; /* as it was at the change; without the payload's label */
	struct {
		char name[CM4_LABEL_MAX]; /* as the module says it: any bytes but NUL */
		uint64_t bytes;
		bool found;
	} file; /* SERVED */
};

struct cm4_fleet_config {
	struct backend *backend; /* borrowed: outlives the fleet */
	struct payload *payload; /* borrowed; NULL: no boot files on this host */
	enum cm4_verify verify;
	bool raw; /* images need not be disk images */
	bool autoboot;
	bool allow_otp;		  /* boot files may burn one-time-programmable memory */
	const char *const *ports; /* NULL-terminated prefixes; NULL: every port */

	/*
	 * Called for each change, on a core thread or on one that is within a call of this interface, no lock held;
	 * must not block. @news is borrowed. NULL: nobody listens.
	 */
	void (*changed)(void *data, struct cm4_module *module, const struct cm4_news *news);
	void *data;
};

int cm4_fleet_new(
	const struct cm4_fleet_config *config, struct cm4_fleet **ret_fleet); /* 0, -ENOMEM */

/* Begins to listen to the hardware. What is there already has appeared when this returns. 0 or -errno. */
int cm4_fleet_start(struct cm4_fleet *fleet);

/* Every image fails with ENODEV, every thread ends; bounded by one transfer to a disk. */
void cm4_fleet_stop(struct cm4_fleet *fleet);
void cm4_fleet_free(struct cm4_fleet *fleet); /* stops first; NULL is accepted */

/* A snapshot, in order of appearance, each with a reference; free with cm4_fleet_put. 0 or -ENOMEM. */
int cm4_fleet_get(struct cm4_fleet *fleet, struct cm4_module ***ret_modules, size_t *ret_n);
void cm4_fleet_put(struct cm4_module **modules, size_t n);

/* With a reference, or NULL. */
struct cm4_module *cm4_fleet_find_name(struct cm4_fleet *fleet, const char *name);
struct cm4_module *cm4_fleet_find_id(struct cm4_fleet *fleet, uint64_t id);

/*
 * What is wrong now, by the kernel's log, its ports and every module; only of the ports that are wanted. Bounded by
 * CM4_FINDINGS_MAX. End with cm4_report_fini. 0 or -ENOMEM.
 */
int cm4_fleet_report(struct cm4_fleet *fleet, struct cm4_report *ret_report);

/* rmdir: takes a module that is gone out of the list. 0, or -EBUSY: it is not gone. */
int cm4_fleet_forget(struct cm4_fleet *fleet, struct cm4_module *module);
