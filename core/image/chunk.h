#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * The bounded queue between the writers and the disk. A chunk is memory for one aligned MiB of the
 * disk, and knows which of its bytes are valid.
 *
 *	free ----> open ----> queued ----> in flight ----> free
 *	      get       queue         take            release
 *
 * Of one MiB there is never more than one chunk that is not in flight, and never more than one in
 * flight: so a byte that is written twice reaches the disk in the order of the writes. Queued
 * chunks can still take bytes.
 *
 * Thread: the image's lock guards all of it, but for the data and the extents of a chunk in flight,
 * which belong to the image's thread.
 */
#define CHUNK_SIZE    (1u << 20)
#define CHUNK_COUNT   16
#define CHUNK_EXTENTS 32
#define CHUNK_RUN     4 /* chunks in one transfer: 4 MiB keep a USB link full */

enum chunk_state { CHUNK_FREE, CHUNK_OPEN, CHUNK_QUEUED, CHUNK_IN_FLIGHT };

struct chunk_extent {
	uint32_t start, end; /* of bytes within the chunk; sorted, and neither overlap nor touch */
};

struct chunk {
	TAILQ_ENTRY(chunk) link;
	enum chunk_state state;
	uint64_t index; /* which MiB of the disk */
	uint64_t turn;	/* counts up in the order of queueing */
	uint32_t limit; /* CHUNK_SIZE, or less where the disk ends */
	size_t n_extents;
	struct chunk_extent extents[CHUNK_EXTENTS];
	unsigned char *data; /* aligned to the page */
};

TAILQ_HEAD(chunk_list, chunk);

struct chunk_pool {
	struct chunk chunks[CHUNK_COUNT];
	struct chunk_list free, open, queued; /* open and queued: oldest first */
	uint64_t turn;			      /* of the chunk queued last */
	uint64_t disk_bytes;
	void *memory;
};

int chunk_pool_init(struct chunk_pool *pool, uint64_t disk_bytes); /* 0 or -ENOMEM */
void chunk_pool_fini(struct chunk_pool *pool);			   /* a pool of zeros is accepted */

/* The chunk for this MiB that is not in flight, or NULL. */
struct chunk *chunk_find(struct chunk_pool *pool, uint64_t index);

/* The same, made of a free one where there is none. NULL: none is free. */
struct chunk *chunk_get(struct chunk_pool *pool, uint64_t index);

/*
 * Makes [start, end) valid; its bytes are the caller's to put. 0, or -ENOBUFS: too many pieces, no
 * change.
 */
int chunk_cover(struct chunk *chunk, uint32_t start, uint32_t end);
bool chunk_is_full(const struct chunk *chunk);

/* What is not valid becomes zeros. */
void chunk_fill_gaps(struct chunk *chunk);

void chunk_queue(
	struct chunk_pool *pool, struct chunk *chunk); /* from open; else nothing happens */
void chunk_queue_all(struct chunk_pool *pool);
void chunk_queue_oldest(struct chunk_pool *pool);

/*
 * Puts into flight, for one transfer: the chunk queued first and, if it is full, full ones that lie
 * next to it on the disk. In the order of the disk; returns how many, 0 where nothing is queued.
 */
size_t chunk_take_run(struct chunk_pool *pool, struct chunk *run[CHUNK_RUN]);

/* Puts this open or queued chunk into flight alone. */
void chunk_take(struct chunk_pool *pool, struct chunk *chunk);
void chunk_release(struct chunk_pool *pool, struct chunk *chunk);

/*
 * What was taken for [start, end) of the disk and is not in flight is to be zeros, or not to be
 * written at all: so that it does no harm to zeros that are on the disk already.
 */
void chunk_erase(struct chunk_pool *pool, uint64_t start, uint64_t end);

/* The next run of blocks with valid bytes, from @from on, clipped to the limit. False: no more. */
bool chunk_next_blocks(
	const struct chunk *chunk, uint32_t from, uint32_t *ret_start, uint32_t *ret_end);

/*
 * The bytes of [start, end) that are not valid are taken from @source, which is [start, end) of the
 * disk.
 */
void chunk_fill(struct chunk *chunk, uint32_t start, uint32_t end, const unsigned char *source);

/* Are all bytes of [start, end) valid? */
bool chunk_covers(const struct chunk *chunk, uint32_t start, uint32_t end);
