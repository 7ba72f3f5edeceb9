#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A set of blocks, as bits. Blocks are numbered from 0; a run is [first, end).
 *
 * The bits are kept in segments of one 1 GiB of disk each. A segment that is all clear or all set
 * costs 16 bytes, any other 32 KiB; so a map of an eMMC of 32 GiB is never larger than 1 MiB, and
 * mostly one segment.
 *
 * Thread: none; the owner's lock guards it. A map of zeros is an empty map.
 */
#define RANGEMAP_BLOCK 4096u

struct rangemap_segment;

struct rangemap {
	struct rangemap_segment *segments;
	size_t n_segments;
	uint64_t n_set;
};

void rangemap_clear(struct rangemap *map); /* also frees it */

/* 0 or -ENOMEM; the set may then have changed in part. */
int rangemap_add(struct rangemap *map, uint64_t first, uint64_t end);
int rangemap_remove(struct rangemap *map, uint64_t first, uint64_t end);

bool rangemap_has(const struct rangemap *map, uint64_t block);
bool rangemap_covers(const struct rangemap *map, uint64_t first, uint64_t end);

/* How many blocks are in the set. */
uint64_t rangemap_total(const struct rangemap *map);

/*
 * The first block of [from, end) that is in the set (@set) or is not (!@set); @end if there is
 * none.
 */
uint64_t rangemap_next(const struct rangemap *map, uint64_t from, uint64_t end, bool set);

/* The first run of such blocks within [from, end). False: there is none. */
bool rangemap_next_run(const struct rangemap *map, uint64_t from, uint64_t end, bool set,
	uint64_t *ret_first, uint64_t *ret_end);
