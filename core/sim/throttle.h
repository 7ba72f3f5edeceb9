#pragma once

#include <stdint.h>

/*
 * A rate that is kept by arithmetic: each transfer is told when it will be over, and whoever makes
 * it waits until then. What was not used is not saved up, but the waiter's own lateness in waking
 * is given back to the next transfer: it is the simulation's fault and not the link's, and at 1 MiB
 * a transfer it would be felt.
 *
 * Pure; whoever holds one guards it.
 */
struct sim_throttle {
	uint64_t rate;	  /* bytes per second; 0: no limit */
	uint64_t free_at; /* CLOCK_MONOTONIC, ns: when all that was taken is over */
	uint64_t late;	  /* ns that the last waiter overslept */
};

/* When @bytes taken at @now are through; @now itself where there is no limit. */
uint64_t sim_throttle_take(struct sim_throttle *throttle, uint64_t now, uint64_t bytes);

/* A waiter for @due woke at @now. */
void sim_throttle_woke(struct sim_throttle *throttle, uint64_t due, uint64_t now);

/* What @bytes cost at @rate, ns. */
uint64_t sim_throttle_cost(uint64_t rate, uint64_t bytes);
