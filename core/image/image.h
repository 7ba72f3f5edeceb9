#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cm4fs/image.h>
#include <cm4fs/module.h>

struct block;

/*
 * The core's side of an image: what its owner, the module, does with it. An image knows bytes, ranges and a
 * disk; that there are modules, ports and stages it does not know.
 *
 * The life of the disk under an image:
 *
 *	idle --first byte or read--> wanted --admit--> open --last close, abort--> closing --reap--> idle
 *	                               `-----refuse--> idle
 *
 * The image asks for a disk by wanted(); until the owner answers, requests are parked. While it is open, the
 * image's own thread does everything that touches the disk. When the thread has closed the disk it says
 * IMAGE_CLOSED and ends; the owner then calls image_reap, which joins it.
 */

enum image_event {
	IMAGE_BEGAN,	  /* the first byte of a flash was admitted, or writing goes on after WHOLE */
	IMAGE_WHOLE,	  /* a close() found it whole: all of it is on the medium */
	IMAGE_INCOMPLETE, /* the last close left it not whole; error and text say why */
	IMAGE_FAILED,	  /* an error sticks; error and text say which. The disk is closed at once */
	IMAGE_CLOSED,	  /* the disk has been closed: call image_reap */
};

/* Called with no lock held, from the submitter's or the image's own thread; must not wait. */
struct image_owner {
	void (*wanted)(void *data, struct cm4_image *image, bool writable);
	void (*event)(void *data, struct cm4_image *image, enum image_event event, int error,
		const char *text);
	void (*released)(void *data); /* the image is being freed: drop the reference behind @data */
	void *data;
};

/* @owner is copied. 0 or -ENOMEM. */
int image_new(enum cm4_image_mode mode, const char *disk, const char *label,
	const struct image_owner *owner, struct cm4_image **ret_image);

/*
 * The answers to wanted(). admit takes @block over in every case, and starts the thread; for a RAW image
 * block->bytes becomes its size. 0, or -errno (no thread to be had), and then it has refused by itself.
 * refuse: parked requests complete with @error (negative). For a FLASH the error sticks until restart.
 */
int image_admit(struct cm4_image *image, struct block *block, bool writable);
void image_refuse(struct cm4_image *image, int error, const char *text);

/* From outside: the module left (-ENODEV), cancel (-ECANCELED). Sticks. Says FAILED if a flash was under way. */
void image_abort(struct cm4_image *image, int error, const char *text);

/* After IMAGE_CLOSED, not on the image's thread: joins it. Requests that came meanwhile make it wanted again. */
void image_reap(struct cm4_image *image);

/* Another image begins on the same disk: this one's bytes are gone; reads answer ESTALE from now on. */
void image_supersede(struct cm4_image *image);

const char *image_disk(const struct cm4_image *image);
enum cm4_image_mode image_mode(const struct cm4_image *image);
bool image_is_writing(struct cm4_image *image); /* holds the disk, or wants it, for writing */
void image_status(struct cm4_image *image, struct cm4_image_status *ret_status);
void image_set_size(struct cm4_image *image, uint64_t bytes); /* RAW: the disk's size, before any open */
