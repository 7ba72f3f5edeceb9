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

#include "image/image.h"
#include "seam/block.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * A disk in memory, as strict as O_DIRECT, which can be held up, fail and be aborted; and an owner
 * who answers as the module does, on a thread of his own. Waits end after PATIENCE: a hang is a
 * failure, not a hang.
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
	unsigned char *bytes;
	uint64_t size;
	bool held;	  /* transfers wait until it is let go, or aborted */
	unsigned waiting; /* transfers that do */
	int fail_write, fail_read, fail_sync;
	uint64_t fail_from; /* fail_write is for writes at or behind this offset */
	bool open, aborted, writable;
	unsigned opened, closed, reads, syncs, faults;
	struct note writes[MAX_NOTES];
	size_t n_writes;
};

struct disk_block {
	struct block block;
	struct disk *disk;
};

struct told {
	enum image_event event;
	int error;
	char text[256];
};

struct owner {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	pthread_t thread;
	struct disk *disk;
	struct cm4_image *image; /* that is to be answered */
	bool wanted, wanted_writable, closed, stop, released;
	bool silent; /* does not answer by itself */
	unsigned times_wanted;
	struct told told[MAX_NOTES];
	size_t n_told;
};

struct asked {
	struct cm4_io io;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned answers;
	ssize_t result;
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

/* The disk. */

static inline struct disk *disk_of(struct block *block)
{
	return ((struct disk_block *)block)->disk;
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

	if (r < 0)
		return r;
	if (!disk->writable)
		disk->faults++;
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
	return 0;
}

static inline int disk_read(struct block *block, void *buffer, size_t size, uint64_t offset)
{
	struct disk *disk = disk_of(block);
	LOCKED(&disk->lock);
	int r = disk_pass(disk);

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
	return r < 0 ? r : disk->fail_sync;
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

static inline struct disk *disk_new(uint64_t size)
{
	struct disk *disk = calloc(1, sizeof(*disk));

	disk->size = size;
	disk->bytes = malloc(size);
	memset(disk->bytes, GARBAGE, size);
	pthread_mutex_init(&disk->lock, NULL);
	cond_init(&disk->moved);
	return disk;
}

static inline void disk_free(struct disk *disk)
{
	assert_int_equal(disk->faults, 0);
	assert_int_equal(disk->opened, disk->closed);
	pthread_cond_destroy(&disk->moved);
	pthread_mutex_destroy(&disk->lock);
	free(disk->bytes);
	free(disk);
}

static inline void disk_hold(struct disk *disk, bool held)
{
	LOCKED(&disk->lock);

	disk->held = held;
	pthread_cond_broadcast(&disk->moved);
}

/* Writes at or behind @from fail with @error; 0: none do. */
static inline void disk_break(struct disk *disk, int error, uint64_t from)
{
	LOCKED(&disk->lock);

	disk->fail_write = error;
	disk->fail_from = from;
}

static inline void disk_await_transfer(struct disk *disk)
{
	LOCKED(&disk->lock);

	AWAIT(&disk->lock, &disk->moved, disk->waiting > 0);
}

/* The owner. */

static inline void owner_wanted(void *data, struct cm4_image *image, bool writable)
{
	struct owner *owner = data;
	LOCKED(&owner->lock);

	/* An abort may come before the answer. */
	if (!owner->wanted)
		cm4_image_ref(image);
	owner->image = image;
	owner->wanted = true;
	owner->wanted_writable = writable;
	owner->times_wanted++;
	pthread_cond_broadcast(&owner->moved);
}

static inline void owner_event(
	void *data, struct cm4_image *image, enum image_event event, int error, const char *text)
{
	struct owner *owner = data;
	LOCKED(&owner->lock);

	if (event == IMAGE_CLOSED)
		owner->closed = true;
	if (owner->n_told < MAX_NOTES) {
		struct told *told = &owner->told[owner->n_told++];

		told->event = event;
		told->error = error;
		snprintf(told->text, sizeof(told->text), "%s", text ? text : "");
	}
	pthread_cond_broadcast(&owner->moved);
}

static inline void owner_released(void *data)
{
	struct owner *owner = data;
	LOCKED(&owner->lock);

	owner->released = true;
	pthread_cond_broadcast(&owner->moved);
}

static inline void *owner_run(void *data)
{
	struct owner *owner = data;

	pthread_mutex_lock(&owner->lock);
	while (!owner->stop) {
		if (owner->closed) {
			owner->closed = false;
			pthread_mutex_unlock(&owner->lock);
			image_reap(owner->image);
			pthread_mutex_lock(&owner->lock);
		} else if (owner->wanted && !owner->silent) {
			bool writable = owner->wanted_writable;

			owner->wanted = false;
			pthread_mutex_unlock(&owner->lock);
			image_admit(owner->image, disk_open(owner->disk, writable), writable);
			cm4_image_unref(owner->image);
			pthread_mutex_lock(&owner->lock);
		} else {
			pthread_cond_wait(&owner->moved, &owner->lock);
		}
	}
	pthread_mutex_unlock(&owner->lock);
	return NULL;
}

static inline struct owner *owner_new(
	struct disk *disk, enum cm4_image_mode mode, struct cm4_image **ret_image)
{
	struct owner *owner = calloc(1, sizeof(*owner));
	struct image_owner as_owner = {
		.wanted = owner_wanted,
		.event = owner_event,
		.released = owner_released,
		.data = owner,
	};

	owner->disk = disk;
	pthread_mutex_init(&owner->lock, NULL);
	cond_init(&owner->moved);
	assert_int_equal(image_new(mode, "mmcblk0", "x.img", &as_owner, ret_image), 0);
	if (mode == CM4_IMAGE_RAW)
		image_set_size(*ret_image, disk->size);
	pthread_create(&owner->thread, NULL, owner_run, owner);
	return owner;
}

/* After the last unref by the test. */
static inline void owner_free(struct owner *owner)
{
	{
		LOCKED(&owner->lock);
		AWAIT(&owner->lock, &owner->moved, owner->released);
		owner->stop = true;
		pthread_cond_broadcast(&owner->moved);
	}
	pthread_join(owner->thread, NULL);
	pthread_cond_destroy(&owner->moved);
	pthread_mutex_destroy(&owner->lock);
	free(owner);
}

static inline unsigned owner_count(struct owner *owner, enum image_event event)
{
	unsigned n = 0;

	for (size_t i = 0; i < owner->n_told; i++)
		n += owner->told[i].event == event;
	return n;
}

static inline unsigned told_times(struct owner *owner, enum image_event event)
{
	LOCKED(&owner->lock);

	return owner_count(owner, event);
}

static inline void await_told(struct owner *owner, enum image_event event, unsigned times)
{
	LOCKED(&owner->lock);

	AWAIT(&owner->lock, &owner->moved, owner_count(owner, event) >= times);
}

/* The last of its kind. */
static inline struct told last_told(struct owner *owner, enum image_event event)
{
	struct told none = {0};
	LOCKED(&owner->lock);

	for (size_t i = owner->n_told; i-- > 0;)
		if (owner->told[i].event == event)
			return owner->told[i];
	return none;
}

/* Requests. */

static inline void asked_complete(struct cm4_io *io, ssize_t result)
{
	struct asked *asked = (struct asked *)io;
	LOCKED(&asked->lock);

	asked->answers++;
	asked->result = result;
	pthread_cond_broadcast(&asked->moved);
}

static inline void ask(struct asked *asked, struct cm4_image *image, enum cm4_io_kind kind,
	uint64_t offset, uint64_t length, void *buffer)
{
	*asked = (struct asked){
		.io = {.kind = kind,
			.offset = offset,
			.length = length,
			.buffer = buffer,
			.complete = asked_complete},
	};
	pthread_mutex_init(&asked->lock, NULL);
	cond_init(&asked->moved);
	cm4_image_submit(image, &asked->io);
}

static inline bool is_answered(struct asked *asked)
{
	LOCKED(&asked->lock);

	return asked->answers > 0;
}

static inline ssize_t answer_of(struct asked *asked)
{
	ssize_t result;

	{
		LOCKED(&asked->lock);
		AWAIT(&asked->lock, &asked->moved, asked->answers > 0);
		assert_int_equal(asked->answers, 1);
		result = asked->result;
	}
	pthread_cond_destroy(&asked->moved);
	pthread_mutex_destroy(&asked->lock);
	return result;
}

static inline ssize_t do_io(struct cm4_image *image, enum cm4_io_kind kind, uint64_t offset,
	uint64_t length, void *buffer)
{
	struct asked asked;

	ask(&asked, image, kind, offset, length, buffer);
	return answer_of(&asked);
}

static inline ssize_t do_write(
	struct cm4_image *image, uint64_t offset, const void *data, uint64_t n)
{
	return do_io(image, CM4_IO_WRITE, offset, n, (void *)data);
}

static inline ssize_t do_truncate(struct cm4_image *image, uint64_t size)
{
	return do_io(image, CM4_IO_TRUNCATE, 0, size, NULL);
}

static inline ssize_t do_sync(struct cm4_image *image)
{
	return do_io(image, CM4_IO_SYNC, 0, 0, NULL);
}

static inline ssize_t do_flush(struct cm4_image *image)
{
	return do_io(image, CM4_IO_FLUSH, 0, 0, NULL);
}

static inline ssize_t do_killed_flush(struct cm4_image *image)
{
	struct asked asked = {
		.io = {.kind = CM4_IO_FLUSH, .writer_killed = true, .complete = asked_complete},
	};

	pthread_mutex_init(&asked.lock, NULL);
	cond_init(&asked.moved);
	cm4_image_submit(image, &asked.io);
	return answer_of(&asked);
}

/* A disk, an owner and an image that is open for writing. */

struct fixture {
	struct disk *disk;
	struct owner *owner;
	struct cm4_image *image;
	unsigned char *data; /* never the same in two blocks, nor GARBAGE, nor 0 */
};

#define FIXTURE_DATA (32 * MIB)

static inline void fixture_begin(struct fixture *f, enum cm4_image_mode mode, uint64_t disk_size)
{
	uint32_t x = 1;

	*f = (struct fixture){.disk = disk_new(disk_size), .data = malloc(FIXTURE_DATA)};
	for (size_t i = 0; i < FIXTURE_DATA; i++) {
		x = x * 1664525u + 1013904223u;
		f->data[i] = (unsigned char)(1 + (x >> 24) % 200);
	}
	f->owner = owner_new(f->disk, mode, &f->image);
	cm4_image_open(f->image, true);
}

/* The last close; waits until the disk is given back. */
static inline void fixture_close(struct fixture *f)
{
	cm4_image_close(f->image, true);
	LOCKED(&f->disk->lock);
	AWAIT(&f->disk->lock, &f->disk->moved, !f->disk->open);
}

static inline void fixture_end(struct fixture *f)
{
	fixture_close(f);
	cm4_image_unref(f->image);
	owner_free(f->owner);
	disk_free(f->disk);
	free(f->data);
}

static inline void assert_filled(const unsigned char *bytes, uint64_t n, int value)
{
	for (uint64_t i = 0; i < n; i++)
		if (bytes[i] != value)
			fail_msg("byte %llu is %#x, not %#x", (unsigned long long)i, bytes[i],
				value);
}
