#pragma once

#include <stdatomic.h>

#include "sim/shell.h"
#include "sim/tty.h"

struct sim_disk_slot;
struct sim_module;

/*
 * The shell on ttyGS0 and the thread it runs on: begins when a host first opens the console, and goes on, with
 * whatever it is at, when the host closes it, as a login on a line without carrier does. Ends with the power.
 *
 * One reference is the module's, one each open console's.
 */
struct sim_getty {
	atomic_uint references;
	unsigned enumeration; /* of the module; constant */
	struct sim_tty tty;
	struct sim_shell shell;
	pthread_t thread;
	bool claimed; /* a host has it open; guarded by the module's lock */
};

/* The disk that a device's path on the module names; NULL: none. */
const struct sim_disk_slot *sim_console_disk(const struct sim_module *module, const char *path);

/* The last one waits for the thread, which must have been hung up. NULL is accepted. */
void sim_getty_unref(struct sim_getty *getty);
