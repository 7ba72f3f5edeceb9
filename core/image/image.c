#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cm4fs/log.h>

#include "image/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* The life of an image, and what its owner does with it. */

int image_new(enum cm4_image_mode mode, const char *disk, const char *label,
	const struct image_owner *owner, const struct image_policy *policy,
	struct cm4_image **ret_image)
{
	struct cm4_image *image = calloc(1, sizeof(*image));

	if (!image)
		return -ENOMEM;
	image->mode = mode;
	image->owner = *owner;
	image->policy = *policy;
	image->refs = 1;
	snprintf(image->disk, sizeof(image->disk), "%s", disk);
	snprintf(image->label, sizeof(image->label), "%s", label);
	TAILQ_INIT(&image->parked);
	TAILQ_INIT(&image->failed);
	TAILQ_INIT(&image->retired);
	TAILQ_INIT(&image->stream_parked);
	pthread_mutex_init(&image->lock, NULL);
	cond_init(&image->wake);
	*ret_image = image;
	return 0;
}

/* Lock held, or nobody else is left; and no thread runs. What would only serve if it were written on. */
static void let_memory_go(struct cm4_image *image)
{
	chunk_pool_fini(&image->pool);
	head_fini(image);
	ledger_clear(&image->prove.ledger);
}

struct cm4_image *cm4_image_ref(struct cm4_image *image)
{
	LOCKED(&image->lock);

	image->refs++;
	return image;
}

void cm4_image_unref(struct cm4_image *image)
{
	if (!image)
		return;
	{
		LOCKED(&image->lock);
		if (--image->refs > 0)
			return;
	}
	if (stream_join(image))
		image_free(image);
}

void image_free(struct cm4_image *image)
{
	tally_fini(image);
	image->owner.released(image->owner.data);
	let_memory_go(image);
	rangemap_clear(&image->data);
	rangemap_clear(&image->known);
	pthread_cond_destroy(&image->wake);
	pthread_mutex_destroy(&image->lock);
	free(image);
}

void image_wake(struct cm4_image *image)
{
	/* A thread that works looks again by itself: most writes need no signal. */
	if (!image->asleep)
		return;
	image->asleep = false;
	pthread_cond_signal(&image->wake);
}

void image_settle(struct cm4_image *image)
{
	if (image->opens > 0)
		return;
	image->touched = false;
	if (image->mode == CM4_IMAGE_RAW) {
		/* What could not be written was told to those who wrote it. */
		image->error = 0;
		image->synced = image->change;
	}
}

void image_want_locked(struct cm4_image *image)
{
	image->state = DISK_WANTED;
	/*
	 * A raw disk that is open for both is asked for once, not first to read and then to write.
	 */
	image->writable = image_has_changers(image) ||
			  (image->mode == CM4_IMAGE_RAW && image->opens_writable > 0);
	image->refs += 2; /* until the answer, and until it was asked */
}

void image_ask(struct cm4_image *image)
{
	bool writable;

	{
		LOCKED(&image->lock);
		writable = image->writable;
	}
	image->owner.wanted(image->owner.data, image, writable);
	cm4_image_unref(image);
}

/* Lock held. Parked requests will complete with @error; they go to @list. */
static void give_up(struct cm4_image *image, int error, struct cm4_io_list *list)
{
	struct cm4_io *io;

	TAILQ_FOREACH (io, &image->parked, link) {
		io->place = IO_ANSWERED;
		io->result = error;
	}
	TAILQ_CONCAT(list, &image->parked, link);
}

void image_fail(struct cm4_image *image, int error, bool say, const char *format, ...)
{
	struct cm4_io *io;
	va_list args;

	if (image->state != DISK_OPEN)
		return;
	va_start(args, format);
	vsnprintf(image->text, sizeof(image->text), format, args);
	va_end(args);
	if (!image->error)
		image->error = error;
	image->say_failed = say;
	image->said_error = error;
	image->began = false;
	image_clock_stop(image);

	TAILQ_FOREACH (io, &image->parked, link) {
		io->place = IO_FAILED;
		io->result = error;
	}
	TAILQ_CONCAT(&image->failed, &image->parked, link);
	image->state = DISK_CLOSING;
	image_wake(image);
	stream_wake(image);
}

/* What is held back is nowhere else. */
bool image_keeps_chunks(const struct cm4_image *image)
{
	return judge_is_held(image) && !image->error && !image->superseded && image->size > 0;
}

int image_start_thread(pthread_t *thread, void *(*run)(void *data), void *data)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(thread, NULL, run, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

/* Lock held. The disk is open, or it is not. */
static int take_disk(struct cm4_image *image, struct block *block, bool writable)
{
	bool kept = image->pool.memory;
	int r = kept ? 0 : chunk_pool_init(&image->pool, block->bytes);

	if (r < 0)
		return r;
	image->state = DISK_OPEN;
	image->block = block;
	image->writable = writable;
	if (image->mode == CM4_IMAGE_RAW)
		image->size = block->bytes;
	r = image_start_thread(&image->thread, image_thread, image);
	if (r < 0) {
		if (!kept)
			chunk_pool_fini(&image->pool);
		image->block = NULL;
		image->state = DISK_WANTED;
		return -ENOMEM;
	}
	return 0;
}

int image_admit(struct cm4_image *image, struct block *block, bool writable)
{
	int r = -ECANCELED;

	{
		LOCKED(&image->lock);
		if (image->state == DISK_WANTED)
			r = take_disk(image, block, writable);
	}
	if (r < 0)
		block->ops->close(block);
	if (r == -ENOMEM)
		image_refuse(image, r, "out of memory");
	return r;
}

void image_refuse(struct cm4_image *image, int error, const char *text)
{
	struct cm4_io_list list = TAILQ_HEAD_INITIALIZER(list);

	{
		LOCKED(&image->lock);
		if (image->state != DISK_WANTED)
			return;
		image->state = DISK_IDLE;
		give_up(image, error, &list);
		if (image->mode == CM4_IMAGE_FLASH && image->writable)
			image->error = error;
		stream_wake(image);
	}
	cm4_log(LOG_DEBUG, "%s: no disk for an image: %s", image->disk, text);
	io_list_complete(&list);
	cm4_image_unref(image);
}

/* Lock held, and given up in between: both, which may be NULL, live as long as somebody is in their abort. */
static void abort_transfers(struct cm4_image *image, struct block *block, struct prover *prover)
{
	image->aborting++;
	pthread_mutex_unlock(&image->lock);
	if (block)
		block->ops->abort(block);
	if (prover)
		prover_abort(prover);
	pthread_mutex_lock(&image->lock);
	image->aborting--;
	pthread_cond_signal(&image->wake);
}

void image_abort(struct cm4_image *image, int error, const char *text)
{
	struct cm4_io_list list = TAILQ_HEAD_INITIALIZER(list);
	bool flash = image->mode == CM4_IMAGE_FLASH, wanted, say;

	{
		LOCKED(&image->lock);
		if (image->state == DISK_OPEN) {
			say = flash && (image->began || image_has_changers(image));
			image_fail(image, error, say, "%s", text);
			abort_transfers(image, image->block, image->prove.prover);
			return;
		}
		wanted = image->state == DISK_WANTED;
		say = flash && wanted && image->writable;
		give_up(image, error, &list);
		if (wanted)
			image->state = DISK_IDLE;
		if (!image->error)
			image->error = error;
		if (image->state == DISK_IDLE)
			let_memory_go(image);
		image_settle(image);
		stream_wake(image);
	}
	if (say)
		image->owner.event(image->owner.data, image, IMAGE_FAILED, error, text);
	io_list_complete(&list);
	if (wanted)
		cm4_image_unref(image);
}

void image_reap(struct cm4_image *image)
{
	bool again;

	pthread_join(image->thread, NULL);
	{
		LOCKED(&image->lock);
		image->state = DISK_IDLE;
		image_settle(image);
		again = !TAILQ_EMPTY(&image->parked);
		if (again)
			image_want_locked(image);
	}
	if (again)
		image_ask(image);
	cm4_image_unref(image);
}

/* Lock held, and given up in between. A proof of what is not there any more ends, and leaves the console to others. */
static void end_verification(struct cm4_image *image)
{
	if (image->prove.prover && !image->began)
		abort_transfers(image, NULL, image->prove.prover);
}

void image_supersede(struct cm4_image *image)
{
	LOCKED(&image->lock);

	image->superseded = true;
	if (image->state == DISK_IDLE)
		let_memory_go(image);
	end_verification(image);
	image_wake(image);
	stream_wake(image);
}

void image_overwrite(struct cm4_image *image)
{
	LOCKED(&image->lock);

	/* What is held back was never on it. */
	if (judge_is_held(image))
		return;
	image->prove.overwritten = true;
	end_verification(image);
}

const char *image_disk(const struct cm4_image *image)
{
	return image->disk;
}

enum cm4_image_mode image_mode(const struct cm4_image *image)
{
	return image->mode;
}

bool image_is_writing(struct cm4_image *image)
{
	LOCKED(&image->lock);

	if (image->error && image->state == DISK_CLOSING)
		return false;
	return image->opens > 0 && image->state != DISK_IDLE &&
	       (image->writable || image_has_changers(image));
}

int image_set_bmap(struct cm4_image *image, struct bmap *bmap)
{
	LOCKED(&image->lock);

	return tally_set_bmap(image, bmap);
}

void image_set_size(struct cm4_image *image, uint64_t bytes)
{
	LOCKED(&image->lock);

	image->size = bytes;
}

void cm4_image_open(struct cm4_image *image, bool writable)
{
	LOCKED(&image->lock);

	image->opens++;
	image->opens_writable += writable;
}

void image_close_locked(struct cm4_image *image, bool writable)
{
	image->opens--;
	image->opens_writable -= writable;
	if (image->opens > 0)
		return;
	stream_wake(image);
	if (image->state == DISK_OPEN)
		image_wake(image);
	else
		image_settle(image);
}

void cm4_image_close(struct cm4_image *image, bool writable)
{
	LOCKED(&image->lock);

	image_close_locked(image, writable);
}
