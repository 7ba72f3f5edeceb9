#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "seam/block.h"

/*
 * A disk whose transfers are timed: one that does not take a write for seconds on end is a sign of a
 * bad link or a dying medium long before the kernel gives it up. Writes alone: a sync may take
 * minutes, and be well, where a module has gigabytes of cache.
 *
 * Any thread. Several disks of one module share a clock; the latest write to begin has it.
 */
struct stall {
	unsigned limit_ms; /* 0: STALL_MS */
	atomic_ullong began_ms;
	atomic_bool stalled; /* a write took longer than the limit, since reset */
};

#define STALL_MS 10000

/* @inner, timed; it is closed with what is returned. No memory: @inner itself. @stall outlives it. */
struct block *stall_watch(struct block *inner, struct stall *stall);

void stall_reset(struct stall *stall);
bool stall_happened(struct stall *stall); /* or is happening */

/* For how long the write under way has stood still; 0: not beyond the limit. */
uint64_t stall_now_ms(struct stall *stall);
