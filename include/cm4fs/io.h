#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/*
 * One request on a file that stands for a disk or for an image of one.
 *
 * Nothing in cm4fs may block the thread that asks: a module can take half a minute to boot and a
 * slow medium longer than that. So every request is submitted, and completed once, later, by
 * whichever thread comes to know the result. That may be the submitter itself, before submit
 * returns.
 *
 * Ownership: the submitter owns the structure and the buffer, and leaves both alone from submit to
 * complete. complete() is called with no lock held and may free the structure.
 */

enum cm4_io_kind {
	CM4_IO_READ,  /* offset, length, buffer: bytes read, 0 at and behind the end */
	CM4_IO_WRITE, /* offset, length, buffer: bytes taken; fewer if interrupted, or at the end */
	CM4_IO_TRUNCATE, /* length: the file's new size */
	CM4_IO_ZERO,	 /* offset, length: this range is zeros from now on; the size stays */
	CM4_IO_ALLOCATE, /* offset, length: the size becomes at least offset + length */
	CM4_IO_SYNC,   /* everything taken so far is on the medium when this completes, but for what
			waits for a FLUSH: the start, and all of what is not known for a disk image yet */
	CM4_IO_FLUSH,  /* one close(): as SYNC, and the image is whole, or this says why not */
	CM4_IO_VERIFY, /* a whole image: the disk holds it still, or this says that it does not */
	CM4_IO_SUM, /* a whole image: it is what the lists of sums beside it say, or this says that it is not */
};

struct cm4_io {
	enum cm4_io_kind kind;
	uint64_t offset;
	uint64_t length;
	void *buffer; /* read from by WRITE, written to by READ */

	/* FLUSH only: the caller is being killed, so what it wrote cannot be all it meant to. */
	bool writer_killed;

	/*
	 * result: as said at the kind (0 where nothing is said), or -errno; the errno table is the
	 * manual's.
	 */
	void (*complete)(struct cm4_io *io, ssize_t result);

	/* The image's own, from submit to complete. */
	TAILQ_ENTRY(cm4_io) link;
	int place;
	uint64_t done; /* bytes of it that are taken or read */
	ssize_t result;
};

TAILQ_HEAD(cm4_io_list, cm4_io);
