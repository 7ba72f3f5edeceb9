#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/record.h"

struct backend;

/*
 * Simulated modules as only a test can see and treat them: past every seam. @number counts modules from 1; a
 * number that is none is the test's own mistake (assert). Any thread.
 */
unsigned sim_inspect_count(struct backend *backend);
uint32_t sim_inspect_serial(struct backend *backend, unsigned number);
const char *sim_inspect_port(struct backend *backend, unsigned number);

/* The medium, not its cache. 0, -ENXIO (no such disk), or -EIO (behind its end). */
int sim_inspect_medium(struct backend *backend, unsigned number, const char *disk, void *buffer,
	size_t size, uint64_t offset);

void sim_inspect_unplug(struct backend *backend, unsigned number);
void sim_inspect_plug(struct backend *backend, unsigned number);

/* A copy of what was recorded so far, in its order; free() it. NULL: nothing, or no memory. */
struct sim_item *sim_inspect_record(struct backend *backend, unsigned number, size_t *ret_n);

struct sim_counters {
	uint64_t written, read; /* bytes over the link, by all disks */
	uint64_t syncs;
	uint64_t dirty; /* bytes in caches now */
};

void sim_inspect_counters(
	struct backend *backend, unsigned number, struct sim_counters *ret_counters);
