#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "layout/layout.h"

struct cm4_image;

/*
 * Is it a disk image, and is all of it there? The first is asked before anything on the disk is changed: until it is
 * answered, what is written waits in memory, in the head and in chunks, and the image is held back. The second is asked
 * at a close().
 *
 * The answer comes when the first MiB is there. While that is absent or nothing but zeros, there may be a writer who
 * begins elsewhere, and so it is not taken for an answer before the chunks are full.
 *
 * FLASH images only. Thread: the image's, its lock held, and given up in between; but is_held, has_head and forget,
 * which want the lock and keep it.
 */
struct judge {
	bool passed; /* it is one: the disk may be changed */

	/* What the last close() found; until something changes. */
	bool refused; /* no disk image as it is; text is in layout */
	bool lacking; /* it ends before its own layout does */

	uint64_t looked_at;   /* the head's changes at the last look */
	struct layout layout; /* as far as it is known */
};

/* The disk has not been changed yet, and must not be. */
bool judge_is_held(const struct cm4_image *image);

/* There is a new first MiB to look at. */
bool judge_is_due(struct cm4_image *image);

/*
 * Looks at what there is. @last: more of it cannot be waited for. 0: it has passed or, while it may still become one,
 * is held back as before. -errno: the image has failed by it: EINVAL, it is none; ENOSPC, it reaches past the disk's
 * end by its own word; ENOMEM and the like, it could not be found out; or what came of wiping the old start.
 */
int judge_look(struct cm4_image *image, bool last);

/* Nothing stands in the way of changing the disk any more: its old start goes, on the medium. 0 or -errno. */
int judge_let_pass(struct cm4_image *image);

/*
 * At a close(), with nothing of it in chunks. 0; -EBADMSG: it reaches past its end, and nothing changes by that;
 * other -errno: the image has failed by it, by EINVAL where what passed once is no disk image any more.
 */
int judge_whole(struct cm4_image *image);

/*
 * Lock not held. Bytes of the image as it is, wherever they are; what nobody wrote is zeros. @data: the image. 0;
 * -ENODATA: not within it; or the disk's error.
 */
int judge_read(void *data, void *buffer, size_t size, uint64_t offset);

/* Fails the image: it is no disk image, as its last look or close found. */
void judge_refuse(struct cm4_image *image);

void judge_forget(struct cm4_image *image); /* the content begins anew */
