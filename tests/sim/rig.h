#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <cm4fs/fleet.h>

/*
 * A fleet of simulated modules without a filesystem above it: what a command-line flasher on core
 * alone would be. Waits are for changes that the fleet tells of, with a bound that only a hang
 * reaches.
 */
#define RIG_BOUND_S 100

struct rig {
	char dir[64]; /* media and records, to be looked at from outside */
	struct backend *backend;
	struct payload *payload;
	struct cm4_fleet *fleet;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned changes; /* counted under the lock */
};

/* @spec without dir=, which the rig adds. Fails the test on any error. */
void rig_start(struct rig *rig, const char *spec, bool autoboot);
void rig_start_with_payload(struct rig *rig, const char *spec, struct payload *payload);
void rig_stop(struct rig *rig);

/* The module of this name, with a reference; waits for it to appear. */
struct cm4_module *rig_module(struct rig *rig, const char *name);
/* ... that came after the one with @id. */
struct cm4_module *rig_module_after(struct rig *rig, const char *name, uint64_t id);
void rig_wait_state(struct rig *rig, struct cm4_module *module, enum cm4_state state);
void rig_wait_gone(struct rig *rig, const char *name); /* its directory has left */
struct cm4_status rig_status(struct cm4_module *module);

/* One request, and what came of it. */
ssize_t rig_io(struct cm4_image *image, enum cm4_io_kind kind, uint64_t offset, uint64_t length,
	void *buffer);
int rig_control(struct cm4_module *module, enum cm4_verb verb);

/* A pattern that depends on seed and place; the same from any starting offset. */
void rig_fill(uint8_t *buffer, size_t size, uint64_t offset, unsigned seed);

/* A whole copy as cp makes it: open, writes of 128 KiB, flush, close. The first error, or 0. */
int rig_copy(struct cm4_module *module, const char *label, uint64_t size, unsigned seed);

/* Whether the first @size bytes of the medium of the module with @serial are the pattern. */
bool rig_medium_is(struct rig *rig, const char *serial, uint64_t size, unsigned seed);
