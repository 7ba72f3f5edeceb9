#pragma once

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "seam/block.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * A disk in memory, as strict as O_DIRECT, which can be held up, fail and be aborted. Waits end
 * after PATIENCE: a hang is a failure, not a hang.
 */
#define PATIENCE (20 * NS_PER_S)
#define KIB	 1024ull
#define MIB	 (1024ull * KIB)
#define GARBAGE	 0xee /* what was on the disk before */

#define MAX_NOTES 4096

struct note {
	uint64_t offset, size;
};

struct disk {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned char *bytes;  /* as it reads: what was written, synced or not */
	unsigned char *medium; /* what is left of it when the power goes */
	uint64_t size;
	bool held;	     /* transfers wait until it is let go, or aborted */
	uint64_t hold_at;    /* writes at this offset do; 0: none */
	uint64_t hold_reads; /* reads of so many bytes or more do; 0: none */
	unsigned waiting;    /* transfers that do */
	int fail_write, fail_read, fail_sync;
	unsigned last; /* the power goes after so many writes and syncs; 0: never */
	unsigned done;
	uint64_t fail_from; /* fail_write is for writes at or behind this offset */
	bool open, aborted, writable;
	unsigned opened, closed, reads, syncs, faults;
	bool proof_aborted;
	bool proof_held; /* those who read it back wait, until it is let go, or aborted */
	unsigned proofs; /* ... have it open, */
	uint64_t lie_from, lie_end; /* ... and read something else here */
	struct note writes[MAX_NOTES];
	size_t n_writes;
};

struct disk_block {
	struct block block;
	struct disk *disk;
};

static inline void patience_over(const char *what)
{
	fprintf(stderr, "gave up waiting for %s\n", what);
	abort();
}

/* AWAIT(&x->lock, &x->moved, x->flag): lock held. */
#define AWAIT(lock, cond, condition)                                                               \
	do {                                                                                       \
		uint64_t until = clock_ns() + PATIENCE;                                            \
		while (!(condition))                                                               \
			if (cond_wait_until(cond, lock, until) == ETIMEDOUT)                       \
				patience_over(#condition);                                         \
	} while (0)

static inline struct disk *disk_of(struct block *block)
{
	return ((struct disk_block *)block)->disk;
}

/* Lock held. Has the power gone? */
static inline bool disk_is_dead(struct disk *disk)
{
	return disk->last && disk->done++ >= disk->last;
}

/* Lock held. 0, or that it was aborted while it waited. */
static inline int disk_pass(struct disk *disk)
{
	disk->waiting++;
	pthread_cond_broadcast(&disk->moved);
	AWAIT(&disk->lock, &disk->moved, !disk->held || disk->aborted);
	disk->waiting--;
	return disk->aborted ? -ECANCELED : 0;
}

static inline void disk_check(struct disk *disk, uint64_t offset, uint64_t size, const void *buffer)
{
	bool tail = offset + size == disk->size && size % BLOCK_SECTOR == 0;

	if (offset % BLOCK_ALIGN || (size % BLOCK_ALIGN && !tail) || size == 0 ||
		offset + size > disk->size || (uintptr_t)buffer % BLOCK_ALIGN)
		disk->faults++;
}

static inline int disk_writev(struct block *block, const struct iovec *iov, int n, uint64_t offset)
{
	struct disk *disk = disk_of(block);
	uint64_t at = offset;
	LOCKED(&disk->lock);
	int r = disk_pass(disk);

	if (r == 0 && disk->hold_at && disk->hold_at == offset) {
		disk->waiting++;
		pthread_cond_broadcast(&disk->moved);
		AWAIT(&disk->lock, &disk->moved, disk->hold_at != offset);
		disk->waiting--;
	}
	if (r < 0)
		return r;
	if (!disk->writable)
		disk->faults++;
	if (disk_is_dead(disk))
		return -ENODEV;
	if (disk->fail_write && offset >= disk->fail_from)
		return disk->fail_write;
	for (int i = 0; i < n; i++) {
		disk_check(disk, at, iov[i].iov_len, iov[i].iov_base);
		if (at + iov[i].iov_len <= disk->size)
			memcpy(disk->bytes + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	if (disk->n_writes < MAX_NOTES)
		disk->writes[disk->n_writes++] = (struct note){offset, at - offset};
	pthread_cond_broadcast(&disk->moved);
	return 0;
}

static inline int disk_read(struct block *block, void *buffer, size_t size, uint64_t offset)
{
	struct disk *disk = disk_of(block);
	LOCKED(&disk->lock);
	int r = disk_pass(disk);

	if (r == 0 && disk->hold_reads && size >= disk->hold_reads) {
		disk->waiting++;
		pthread_cond_broadcast(&disk->moved);
		AWAIT(&disk->lock, &disk->moved, !disk->hold_reads);
		disk->waiting--;
	}
	if (r < 0 || disk->fail_read)
		return r < 0 ? r : disk->fail_read;
	disk_check(disk, offset, size, buffer);
	disk->reads++;
	pthread_cond_broadcast(&disk->moved);
	if (offset + size <= disk->size)
		memcpy(buffer, disk->bytes + offset, size);
	return 0;
}

static inline int disk_sync(struct block *block)
{
	struct disk *disk = disk_of(block);
	LOCKED(&disk->lock);
	int r = disk_pass(disk);

	disk->syncs++;
	if (r < 0 || disk->fail_sync)
		return r < 0 ? r : disk->fail_sync;
	if (disk_is_dead(disk))
		return -ENODEV;
	memcpy(disk->medium, disk->bytes, disk->size);
	return 0;
}

static inline void disk_abort(struct block *block)
{
	struct disk *disk = disk_of(block);
	LOCKED(&disk->lock);

	disk->aborted = true;
	pthread_cond_broadcast(&disk->moved);
}

static inline void disk_close(struct block *block)
{
	struct disk *disk = disk_of(block);

	{
		LOCKED(&disk->lock);
		disk->open = false;
		disk->closed++;
		pthread_cond_broadcast(&disk->moved);
	}
	free(block);
}

static inline struct block *disk_open(struct disk *disk, bool writable)
{
	static const struct block_ops ops = {
		.writev = disk_writev,
		.read = disk_read,
		.sync = disk_sync,
		.abort = disk_abort,
		.close = disk_close,
	};
	struct disk_block *self = calloc(1, sizeof(*self));
	LOCKED(&disk->lock);

	disk->faults += disk->open;
	disk->open = true;
	disk->writable = writable;
	disk->aborted = false;
	disk->opened++;
	self->block = (struct block){.ops = &ops, .bytes = disk->size};
	self->disk = disk;
	return &self->block;
}

/* Who reads back. */

static inline int proof_read(struct block *block, void *buffer, size_t size, uint64_t offset)
{
	struct disk *disk = disk_of(block);
	unsigned char *bytes = buffer;
	LOCKED(&disk->lock);

	disk->waiting++;
	pthread_cond_broadcast(&disk->moved);
	AWAIT(&disk->lock, &disk->moved, !disk->proof_held || disk->proof_aborted);
	disk->waiting--;
	if (disk->proof_aborted)
		return -ECANCELED;
	disk_check(disk, offset, size, buffer);
	memcpy(bytes, disk->bytes + offset, size);
	for (uint64_t i = 0; i < size; i++)
		if (offset + i >= disk->lie_from && offset + i < disk->lie_end)
			bytes[i] ^= 1;
	return 0;
}

static inline void proof_abort(struct block *block)
{
	struct disk *disk = disk_of(block);
	LOCKED(&disk->lock);

	disk->proof_aborted = true;
	pthread_cond_broadcast(&disk->moved);
}

static inline void proof_close(struct block *block)
{
	struct disk *disk = disk_of(block);

	{
		LOCKED(&disk->lock);
		disk->proofs--;
	}
	free(block);
}

static inline struct block *disk_open_proof(struct disk *disk)
{
	static const struct block_ops ops = {
		.read = proof_read,
		.abort = proof_abort,
		.close = proof_close,
	};
	struct disk_block *self = calloc(1, sizeof(*self));
	LOCKED(&disk->lock);

	disk->proofs++;
	disk->proof_aborted = false;
	self->block = (struct block){.ops = &ops, .bytes = disk->size};
	self->disk = disk;
	return &self->block;
}

static inline void disk_hold_proof(struct disk *disk, bool held)
{
	LOCKED(&disk->lock);

	disk->proof_held = held;
	pthread_cond_broadcast(&disk->moved);
}

/* The next reading back finds something else in [from, end). */
static inline void disk_lie(struct disk *disk, uint64_t from, uint64_t end)
{
	LOCKED(&disk->lock);

	disk->lie_from = from;
	disk->lie_end = end;
}

static inline bool disk_is_open(struct disk *disk)
{
	LOCKED(&disk->lock);

	return disk->open;
}

static inline struct disk *disk_new(uint64_t size)
{
	struct disk *disk = calloc(1, sizeof(*disk));

	disk->size = size;
	disk->bytes = malloc(size);
	memset(disk->bytes, GARBAGE, size);
	disk->medium = malloc(size);
	memset(disk->medium, GARBAGE, size);
	pthread_mutex_init(&disk->lock, NULL);
	cond_init(&disk->moved);
	return disk;
}

static inline void disk_free(struct disk *disk)
{
	assert_int_equal(disk->faults, 0);
	assert_int_equal(disk->opened, disk->closed);
	assert_int_equal(disk->proofs, 0);
	pthread_cond_destroy(&disk->moved);
	pthread_mutex_destroy(&disk->lock);
	free(disk->bytes);
	free(disk->medium);
	free(disk);
}

static inline void disk_hold(struct disk *disk, bool held)
{
	LOCKED(&disk->lock);

	disk->held = held;
	pthread_cond_broadcast(&disk->moved);
}

/* Writes at this offset wait, until another is said; 0: none do. */
static inline void disk_hold_at(struct disk *disk, uint64_t offset)
{
	LOCKED(&disk->lock);

	disk->hold_at = offset;
	pthread_cond_broadcast(&disk->moved);
}

/* Reads of @size bytes or more wait, until 0 is said. */
static inline void disk_hold_reads(struct disk *disk, uint64_t size)
{
	LOCKED(&disk->lock);

	disk->hold_reads = size;
	pthread_cond_broadcast(&disk->moved);
}

/* Writes at or behind @from fail with @error; 0: none do. */
static inline void disk_break(struct disk *disk, int error, uint64_t from)
{
	LOCKED(&disk->lock);

	disk->fail_write = error;
	disk->fail_from = from;
}

static inline void disk_await_writes(struct disk *disk, size_t n)
{
	LOCKED(&disk->lock);

	AWAIT(&disk->lock, &disk->moved, disk->n_writes >= n);
}

static inline void disk_await_transfer(struct disk *disk)
{
	LOCKED(&disk->lock);

	AWAIT(&disk->lock, &disk->moved, disk->waiting > 0);
}
