#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "sim/pagemap.h"

/*
 * The page cache before a medium, in the manner of Linux: writes land here, write-out begins in the
 * background when there is much of it, and whoever writes too much waits.
 *
 * There is no thread that writes out. Time is arithmetic: a run of pages under way has a time at which it will
 * have reached the medium, and whoever comes next (a write, a read, a sync, the loss of power) first brings the
 * cache up to the present (sim_cache_settle). To all of them the medium is as if a thread had done it; only who
 * opens the medium's file beside the simulation finds it as the last of these left it.
 *
 * The pages' bytes are in a file in memory, not in the heap: they cost the process no memory of its
 * own, and no more of the machine's than SIM_CACHE_MAX.
 *
 * The lock is the medium's; every function here wants it held.
 */
#define SIM_PAGE	     4096u
#define SIM_CACHE_MAX	     (256u << 20) /* clean and dirty; the oldest clean pages go */
#define SIM_DIRTY_BACKGROUND (8u << 20)	  /* more than this is written out in the background */
#define SIM_DIRTY_MAX	     (64u << 20)  /* and with more than this, writers wait */
#define SIM_RUN_MAX	     (1u << 20)	  /* written out at once */

struct sim_medium;

struct sim_cache {
	int fd; /* the pages' bytes, at their own offsets */
	struct sim_pagemap cached, dirty;
	unsigned char *bounce; /* SIM_RUN_MAX, aligned */
	int error;	       /* writing out failed: -EIO until the power goes */
	unsigned syncing;      /* how many want all of it written out */

	/* Write-out goes round the disk like the hand of a clock. */
	size_t hand; /* the page it goes on from */
	uint64_t
		passed; /* pages passed since the beginning; what lay in between is on the medium */
	bool flying;	/* a run is under way: */
	size_t from, to;  /* its pages */
	uint64_t stretch; /* pages from the hand's last place to its end */
	uint64_t due;	  /* when it will be there */

	size_t evict_hand;
};

int sim_cache_init(struct sim_cache *cache, uint64_t bytes); /* 0 or -errno */
void sim_cache_finish(struct sim_cache *cache);

/* Everything that has happened up to @now. */
void sim_cache_settle(struct sim_medium *medium, uint64_t now);

/* Whether @size more bytes may be written now; else they may be tried again at cache.due. */
bool sim_cache_has_room(const struct sim_cache *cache, size_t size);

/* Now: the bytes are dirty. 0 or -EIO. */
int sim_cache_write(struct sim_medium *medium, const struct iovec *iov, int n, size_t size,
	uint64_t offset, uint64_t now);

/* What is not cached comes from the medium, and @ret_missed says how much that was. 0 or -EIO. */
int sim_cache_read(
	struct sim_medium *medium, void *buffer, size_t size, uint64_t offset, size_t *ret_missed);

void sim_cache_drop_clean(struct sim_cache *cache);
void sim_cache_lose(struct sim_cache *cache); /* the power is gone */
