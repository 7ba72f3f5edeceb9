#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "image/internal.h"

/*
 * The image's thread. It lives from admit to reap, and everything that touches the disk happens on
 * it, one thing after the other: so no more is needed to keep writes, zeros, syncs and reads in
 * order. It looks at what there is to do, does one thing, and looks again.
 */

void image_tell(struct cm4_image *image, enum image_event event, int error, const char *text)
{
	pthread_mutex_unlock(&image->lock);
	image->owner.event(image->owner.data, image, event, error, text);
	pthread_mutex_lock(&image->lock);
}

static void tell_done(struct cm4_image *image, struct cm4_io_list *done)
{
	pthread_mutex_unlock(&image->lock);
	io_list_complete(done);
	pthread_mutex_lock(&image->lock);
}

/*
 * The owner hears of it before the disk is changed; nothing is taken from writers before its start is gone, or before
 * what they write can be held back.
 */
static void announce(struct cm4_image *image)
{
	image_clock_start(image);
	image_tell(image, IMAGE_BEGAN, 0, NULL);
	if (image->state != DISK_OPEN || head_hold(image) < 0)
		return;
	/* Also if no byte follows after all, for its writer may be interrupted: the next close() mends it. */
	image->whole = false;
	image->touched = true;
	if (!judge_is_held(image) && judge_let_pass(image) < 0)
		return;
	image->began = true;
	image->restart = false;
}

static ssize_t run_read(struct cm4_image *image, struct cm4_io *io)
{
	while (image->running == io && image->state == DISK_OPEN) {
		int r = reader_fetch(image, io);

		if (image->running != io)
			break; /* interrupted meanwhile, and perhaps freed */
		if (r < 0)
			return io->done ? (ssize_t)io->done : r;
		if (reader_serve(image, io, true))
			return (ssize_t)io->done;
	}
	return -ECANCELED;
}

static ssize_t run_sync(struct cm4_image *image)
{
	uint64_t change = image->change;
	int r = 0;

	/* Held back, it is in memory until its close says what it is; so is the start of any image. */
	if (judge_is_held(image))
		r = judge_look(image, false);
	if (r == 0 && !judge_is_held(image))
		r = writer_sync(image);
	if (r == 0 && image->change == change) {
		image->synced_by_writer = true;
		image->touched = true;
	}
	return r;
}

static ssize_t run(struct cm4_image *image, struct cm4_io *io)
{
	bool flash = image->mode == CM4_IMAGE_FLASH;

	switch (io->kind) {
	case CM4_IO_READ:
		return run_read(image, io);
	case CM4_IO_SYNC:
		return flash ? run_sync(image) : writer_sync(image);
	case CM4_IO_FLUSH:
		return flash ? finish_flash(image) : writer_sync(image);
	case CM4_IO_VERIFY:
		return finish_verify(image);
	case CM4_IO_SUM:
		return tally_check_sums(image);
	case CM4_IO_WRITE:
	case CM4_IO_TRUNCATE:
	case CM4_IO_ZERO:
	case CM4_IO_ALLOCATE:
		break; /* never run: they are answered when there is room */
	}
	return -EINVAL;
}

static bool is_run(const struct cm4_io *io)
{
	return io->kind == CM4_IO_READ || io->kind == CM4_IO_SYNC || io->kind == CM4_IO_FLUSH ||
	       io->kind == CM4_IO_VERIFY || io->kind == CM4_IO_SUM;
}

/*
 * @io is the first that is parked. The asker may be gone when it is through: it is told by running.
 */
static void run_request(struct cm4_image *image, struct cm4_io *io)
{
	struct cm4_io_list done = TAILQ_HEAD_INITIALIZER(done);
	ssize_t result;

	TAILQ_REMOVE(&image->parked, io, link);
	io->place = IO_RUNNING;
	image->running = io;
	result = run(image, io);
	if (image->running != io)
		return;
	image->running = NULL;
	io->result = result;
	if (result < 0 && image->state != DISK_OPEN) {
		/* Not before the owner has heard of it. */
		io->place = IO_FAILED;
		io->result = image->said_error;
		TAILQ_INSERT_HEAD(&image->failed, io, link);
		return;
	}
	io->place = IO_ANSWERED;
	TAILQ_INSERT_TAIL(&done, io, link);
	tell_done(image, &done);
}

static bool must_leave(const struct cm4_image *image)
{
	const struct cm4_io *first = TAILQ_FIRST(&image->parked);

	if (first && io_changes(first) && !image->writable)
		return true;
	if (image->superseded && !image->began)
		return true;
	return !first && image->opens == 0;
}

/* What was written before an image goes on another day is proved today: its proof ends with the disk's closing. */
static void leave(struct cm4_image *image)
{
	uint64_t change = image->change;
	int r = 0;

	if (!judge_is_held(image)) {
		if (change != image->synced)
			r = writer_sync(image);
		if (r == 0)
			prove_wait(image);
		/* It may have failed; or somebody has come back meanwhile, and perhaps has left again. */
		if (image->state != DISK_OPEN || !must_leave(image) || image->change != change)
			return;
	}
	if (image->began)
		finish_incomplete(image);
	else
		image->state = DISK_CLOSING;
	image_settle(image);
}

static void wait_for_work(struct cm4_image *image)
{
	image->asleep = true;
	while (image->asleep)
		pthread_cond_wait(&image->wake, &image->lock);
}

/* A flash begins with the first request that needs the disk to be written. */
static bool must_announce(const struct cm4_image *image, const struct cm4_io *io)
{
	return image->mode == CM4_IMAGE_FLASH && io_changes(io) &&
	       (!image->began || image->restart);
}

static void work(struct cm4_image *image)
{
	struct cm4_io_list done = TAILQ_HEAD_INITIALIZER(done);
	bool held = judge_is_held(image);
	struct cm4_io *first;

	request_advance(image, &done);
	if (!TAILQ_EMPTY(&done)) {
		tell_done(image, &done);
		return;
	}
	if (image->state != DISK_OPEN)
		return;

	first = TAILQ_FIRST(&image->parked);
	if (must_leave(image))
		leave(image);
	else if (first && must_announce(image, first))
		announce(image);
	else if (judge_is_due(image))
		judge_look(image, false);
	else if (first && is_run(first))
		run_request(image, first);
	else if (held && first)
		judge_look(image, true); /* memory is full */
	else if (!held && !TAILQ_EMPTY(&image->pool.queued))
		writer_write_run(image);
	else if (first)
		chunk_queue_oldest(&image->pool); /* it waits for room */
	else if (reader_may_prefetch(image))
		reader_prefetch(image);
	else
		wait_for_work(image);
}

/* Lock held, given up in between. */
static void close_disk(struct cm4_image *image)
{
	struct block *block = image->block;

	prove_end(image);
	while (image->aborting)
		pthread_cond_wait(&image->wake, &image->lock);
	pthread_mutex_unlock(&image->lock);
	block->ops->close(block);
	pthread_mutex_lock(&image->lock);
	image->block = NULL;
	if (!image_keeps_chunks(image))
		chunk_pool_fini(&image->pool);
	reader_fini(image);
	free(image->scratch);
	image->scratch = NULL;
}

/* What has failed is said first: whoever then sees its error finds FAIL.TXT written. */
static void end(struct cm4_image *image)
{
	struct cm4_io_list failed = TAILQ_HEAD_INITIALIZER(failed);
	char text[sizeof(image->text)];

	snprintf(text, sizeof(text), "%s", image->text);
	if (image->say_failed)
		image_tell(image, IMAGE_FAILED, image->said_error, text);
	image->say_failed = false;
	stream_wake(image);
	{
		struct cm4_io *io;

		TAILQ_CONCAT(&failed, &image->failed, link);
		TAILQ_FOREACH (io, &failed, link)
			io->place = IO_ANSWERED;
	}
	tell_done(image, &failed);
	close_disk(image);
	/* An image that may go on keeps its start; of all others it is on the disk, or of no use. */
	if (image->whole || image->error || image->superseded || image->size == 0)
		head_fini(image);
	if (image->say_incomplete)
		image_tell(image, IMAGE_INCOMPLETE, -EBADMSG, text);
	image->say_incomplete = false;
	image_tell(image, IMAGE_CLOSED, 0, NULL);
}

void *image_thread(void *data)
{
	struct cm4_image *image = data;

	pthread_setname_np(pthread_self(), "cm4-image");
	pthread_mutex_lock(&image->lock);
	/* It grew on a larger disk than the one it goes on with. */
	if (image->mode == CM4_IMAGE_FLASH && image->size > image->block->bytes)
		image_fail(image, -ENOSPC, true,
			"the image needs %" PRIu64 " bytes, the disk has %" PRIu64, image->size,
			image->block->bytes);
	while (image->state == DISK_OPEN)
		work(image);
	end(image);
	pthread_mutex_unlock(&image->lock);
	return NULL;
}
