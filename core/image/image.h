#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cm4fs/image.h>
#include <cm4fs/module.h>

struct block;
struct bmap;
struct console;
struct sums_wanted;

/*
 * The core's side of an image: what its owner, the module, does with it. An image knows bytes,
 * ranges and a disk; that there are modules, ports and stages it does not know.
 *
 * The life of the disk under an image:
 *
 *	idle ----> wanted ----> open ----> closing ----> idle
 *	   a byte, |     admit       last close,    reap
 *	   a read  |                 abort, failure
 *	           `----> idle
 *	            refuse, abort
 *
 * The image asks for a disk by wanted(); until the owner answers, requests are parked. While it is
 * open, the image's own thread does everything that touches the disk. When the thread has closed
 * the disk it says IMAGE_CLOSED and ends; the owner then calls image_reap, which joins it.
 */

enum image_event {
	IMAGE_BEGAN,   /* the first byte of a flash was admitted, or writing goes on after WHOLE */
	IMAGE_CHANGES, /* between BEGAN and anything that happens to the disk: what was on it goes */
	IMAGE_VERIFYING, /* all is written but the start, and what is not proved yet is waited for */
	IMAGE_WHOLE,	 /* a close() found it whole: all of it is on the medium, and proved */
	IMAGE_VERIFIED, /* a proof by the verb has ended; error 0: all is well, or not known to be otherwise; -ESTALE */
	IMAGE_INCOMPLETE, /* the last close left it not whole; error and text say why */
	IMAGE_FAILED, /* an error sticks; error and text say which. The disk is closed at once */
	IMAGE_CLOSED, /* the disk has been closed: call image_reap */
};

/*
 * Called with no lock held; must not wait. Events come from the image's own thread, one after the
 * other, CLOSED last; but for the FAILED of an abort while the image is only wanted, which comes
 * from abort itself. wanted() comes from a submitter or from reap. @error is negative, or 0. RAW
 * images say CLOSED alone.
 *
 * From wanted() until the answer refuse, or reap after the answer admit, the image holds a
 * reference to itself. Whoever may answer when that is over (after an abort) must have a reference
 * of its own.
 */
struct image_owner {
	void (*wanted)(void *data, struct cm4_image *image, bool writable);
	void (*event)(void *data, struct cm4_image *image, enum image_event event, int error,
		const char *text);
	/* What the lists beside it say of an image called @label. May be NULL. */
	void (*sums)(void *data, const char *label, struct sums_wanted *ret_wanted);
	/*
	 * For its proof, while the image's thread runs; on a thread of the proof's, and may block.
	 * What they give is closed before IMAGE_CLOSED. See prover_source in proof/prover.h.
	 */
	int (*open_console)(void *data, struct console **ret_console);
	int (*open_block)(void *data, const char *disk, struct block **ret_block);
	/* The image is being freed: drop the reference behind @data. */
	void (*released)(void *data);
	void *data;
};

/* What is asked of a FLASH; of no meaning to a RAW image. */
struct image_policy {
	enum cm4_verify verify;
	bool raw; /* it need be no disk image, and its own word on its size is not asked for */
};

/* @owner and @policy are copied. 0 or -ENOMEM. */
int image_new(enum cm4_image_mode mode, const char *disk, const char *label,
	const struct image_owner *owner, const struct image_policy *policy,
	struct cm4_image **ret_image);

/*
 * The answers to wanted(). admit takes @block over in every case, and starts the thread; for a RAW
 * image block->bytes becomes its size. 0, or -errno: no memory or thread to be had, and then it has
 * refused by itself; -ECANCELED: it does not want a disk any more (an abort came first). A disk
 * that was admitted for reading alone while writers wait is closed again, and wanted anew for
 * writing after reap.
 *
 * refuse: parked requests complete with @error (negative). For a FLASH that was to be written the
 * error sticks until restart. No event: the owner knows.
 */
int image_admit(struct cm4_image *image, struct block *block, bool writable);
void image_refuse(struct cm4_image *image, int error, const char *text);

/*
 * From outside: the module left (-ENODEV), cancel (-ECANCELED). Sticks. Says FAILED if a flash was
 * under way. Does not wait: an open disk is closed by the image's thread, which then says CLOSED.
 * While wanted, it is the answer, and no other is due.
 */
void image_abort(struct cm4_image *image, int error, const char *text);

/*
 * After IMAGE_CLOSED, not on the image's thread: joins it. Requests that came meanwhile make it
 * wanted again.
 */
void image_reap(struct cm4_image *image);

/*
 * Another image begins on the same disk: this one's bytes are gone; reads and writes answer ESTALE
 * until restart. If it has the disk open for reading, it closes it.
 */
void image_supersede(struct cm4_image *image);

/*
 * The disk was opened for writing by somebody else, or left: what is known of it is known no more, and writing cannot
 * go on where it stopped (ESTALE), but begin anew.
 */
void image_overwrite(struct cm4_image *image);

const char *image_disk(const struct cm4_image *image);
enum cm4_image_mode image_mode(const struct cm4_image *image);

/*
 * Holds the disk, or wants it, for writing; not one whose last close has come, or that has failed: these are on
 * their way out.
 */
bool image_is_writing(struct cm4_image *image);

void image_status(struct cm4_image *image, struct cm4_image_status *ret_status);

/*
 * FLASH: a bmap that goes with it, or none any more. What is written from now on is written as it says. Takes a
 * reference. 0, -ENOMEM, or -EINVAL: its digest is not known here.
 */
int image_set_bmap(struct cm4_image *image, struct bmap *bmap);

/* RAW: the disk's size, before any open. */
void image_set_size(struct cm4_image *image, uint64_t bytes);
