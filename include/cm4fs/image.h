#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cm4fs/io.h>

/*
 * A file through which a disk is written or read: an image that was dropped, or the raw disk
 * itself.
 *
 * Thread: every function here may be called from any thread and none of them waits for USB or a
 * disk. Ownership: reference-counted; cm4_module_drop and cm4_module_raw give the caller a
 * reference.
 */
struct cm4_image;

enum cm4_image_mode {
	CM4_IMAGE_FLASH, /* starts empty; holes are zeros; has a state of wholeness */
	CM4_IMAGE_RAW,	 /* the disk as it is, of fixed size */
};

struct cm4_image *cm4_image_ref(struct cm4_image *image);
void cm4_image_unref(struct cm4_image *image); /* NULL is accepted */

/*
 * An open file on this image came or went. The last close of all gives the disk back; an image that
 * is not whole then becomes `incomplete`. A release does not wait: its work happens on the image's
 * thread.
 */
void cm4_image_open(struct cm4_image *image, bool writable);
void cm4_image_close(struct cm4_image *image, bool writable);

/*
 * An open with O_TRUNC: size 0, no error, nothing written. The disk is touched by the next byte
 * only.
 */
void cm4_image_restart(struct cm4_image *image);

/*
 * Somebody is in the middle of writing it, and neither dead nor told of a failure: an open with O_TRUNC
 * would pull the file away under him, and both would believe in what neither wrote.
 */
bool cm4_image_is_being_written(struct cm4_image *image);

/*
 * See io.h. The image must be open.
 *
 * FLASH: any error but -EINTR, -EBADMSG and -ESTALE sticks and answers every request until restart, and so does
 * -EINVAL but that of a FLUSH. -EBADMSG of a FLUSH means that the image is not whole, -EINVAL that what there is so far
 * is no disk image; writing may go on, and the last close makes it incomplete or failed. -ESTALE: it was
 * superseded. -ENOSPC as soon as a size beyond the disk's is known. RAW: a WRITE across the disk's
 * end is short, behind it -ENOSPC; TRUNCATE to another size and ZERO behind the end are -EINVAL,
 * and change nothing. What a write meets later, WRITE, SYNC and FLUSH repeat till all closed.
 */
void cm4_image_submit(struct cm4_image *image, struct cm4_io *io);

/*
 * The caller was interrupted: complete @io with -EINTR unless it is complete already; a WRITE or
 * READ that was done in part completes with that part's count. The image's work goes on. A SYNC or
 * FLUSH under way is answered at once; the sync itself ends in its own time. @io must have been
 * submitted and must not have been freed: the caller guards its life.
 */
void cm4_image_interrupt(struct cm4_image *image, struct cm4_io *io);

/*
 * A new label. Returns 0, or the image's sticky error as -errno (the label changes all the same,
 * for a program that renames a failed temporary must be told, and still finds its file).
 */
int cm4_image_rename(struct cm4_image *image, const char *label);

struct cm4_image_attr {
	uint64_t size;	 /* bytes, as the writer sees it */
	uint64_t blocks; /* of 512 bytes, written by the writer so far */
	bool superseded; /* another image has begun to replace it on the disk */
	bool writing;	 /* not whole yet */
};

void cm4_image_getattr(struct cm4_image *image, struct cm4_image_attr *ret_attr);
