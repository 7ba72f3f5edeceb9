#pragma once

#include "seam/backend.h"
#include "sim/module.h"

/*
 * The bus that simulated modules sit on: the backend, and the one thread on which time passes for
 * them. It takes each module's step when it is due and tells the listener what changed since it
 * last looked; what came and went in between is not told, as a real hub does not.
 */
struct sim_bus {
	struct backend backend;
	struct sim_spec *spec; /* owned; constant */
	struct sim_module *modules;
	unsigned n_modules;

	struct backend_listener listener; /* constant while the thread runs */
	pthread_t thread;
	bool running; /* of who starts and stops */

	pthread_mutex_t lock; /* guards the rest; held over nothing */
	pthread_cond_t changed;
	bool kicked;  /* something became due earlier than the thread knows */
	bool settled; /* the first round is over */
	bool stopping;
};

/* Any thread, also one that holds a module's lock. */
void sim_bus_kick(struct sim_bus *bus);

/* The module on @port, or NULL. */
struct sim_module *sim_bus_find(struct sim_bus *bus, const char *port);

/* What the backend's calls come to (usb.c, disk.c, console.c). */
int sim_usb_open(struct sim_module *module, struct usb_device **ret_device);
int sim_disk_open(
	struct sim_module *module, const char *name, bool writable, struct block **ret_block);
int sim_console_open(struct sim_module *module, struct console **ret_console);
