#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "image/chunk.h"
#include "image/rangemap.h"

struct cm4_image;

/*
 * The start of an image comes last. Its first MiB stays in memory, as the writers have it, from the first byte of a
 * flash on; the disk's own start is wiped before anything else is changed. When all else is on the medium, the MiB
 * less its first block follows, and then that block alone. So whatever ends a flash early, power, cable or a killed
 * daemon, leaves a disk without partition table or filesystem: it never boots half a system, and never mounts one.
 *
 * FLASH images only. Thread: all with the image's lock held; hold, wipe and commit on the image's thread, which
 * give the lock up while the disk works. They answer 0, or -errno when the image has failed by it.
 */
#define HEAD_SIZE   CHUNK_SIZE
#define HEAD_BLOCKS (HEAD_SIZE / BLOCK_ALIGN)

struct head {
	unsigned char *
		data; /* HEAD_SIZE, zeros where nothing was written; NULL: it is on the disk, or nowhere */
	uint64_t changes; /* of data, counted */
	struct rangemap
		bytes; /* of data, what was written: by bytes, for blocks may be written in part */
};

/* Has it in memory, from the disk where it is there. */
int head_hold(struct cm4_image *image);

/* The disk has no start, and that is on the medium. */
int head_wipe(struct cm4_image *image);

/*
 * All else is on the medium, and proved: now this, its first block last, each synced and proved. Nothing may change the
 * content meanwhile. A first block of which that cannot be said is taken away again.
 */
int head_commit(struct cm4_image *image);

/* [offset, end) lies within the head, which is held. @source NULL: zeros. 0 or -ENOMEM. */
int head_put(struct cm4_image *image, uint64_t offset, uint64_t end, const unsigned char *source);

/* What of [start, end) lies within the head becomes zeros. Also when it is not held. */
void head_erase(struct cm4_image *image, uint64_t start, uint64_t end);

void head_fini(struct cm4_image *image); /* also when it is not held */
