#include <errno.h>

#include "image/internal.h"
#include "image/whole.h"
#include "util/cleanup.h"

/*
 * Requests. What can be answered at once is answered by the thread that asks: a write for which
 * there is room, a read of what has been read ahead, anything about which nothing is left to be
 * found out. The rest is parked, and answered in order by the image's thread. Nobody overtakes:
 * behind a parked request all are parked.
 */

bool io_changes(const struct cm4_io *io)
{
	return io->kind != CM4_IO_READ && io->kind != CM4_IO_VERIFY && io->kind != CM4_IO_SUM;
}

bool io_closes(const struct cm4_io *io)
{
	return io->kind == CM4_IO_SYNC || io->kind == CM4_IO_FLUSH;
}

bool image_has_changers(const struct cm4_image *image)
{
	const struct cm4_io *io;

	TAILQ_FOREACH (io, &image->parked, link)
		if (io_changes(io))
			return true;
	return false;
}

static void complete(struct cm4_io *io)
{
	io->complete(io, io->result);
}

void io_list_complete(struct cm4_io_list *list)
{
	struct cm4_io *io;

	while ((io = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, io, link);
		complete(io);
	}
}

static enum answer ready(struct cm4_io *io, ssize_t result)
{
	io->result = result;
	return ANSWER_READY;
}

/*
 * The disk is here to be written, this request fits on it, and the owner knows that a flash began.
 */
static enum answer may_change(struct cm4_image *image, struct cm4_io *io)
{
	if (image->state != DISK_OPEN || !image->writable)
		return ANSWER_LATER;
	if (image->mode == CM4_IMAGE_RAW)
		return ANSWER_READY;
	if (!content_fits(image, io))
		return ANSWER_FAILED;
	return image->began && !image->restart && !image->committing ? ANSWER_READY : ANSWER_LATER;
}

static enum answer change_by(struct cm4_image *image, struct cm4_io *io,
	enum answer (*change)(struct cm4_image *image, struct cm4_io *io))
{
	enum answer answer = may_change(image, io);

	return answer == ANSWER_READY ? change(image, io) : answer;
}

static enum answer answer_read(struct cm4_image *image, struct cm4_io *io)
{
	if (io->length > 0 && !reader_serve(image, io, false))
		return ANSWER_LATER;
	if (reader_may_prefetch(image))
		image_wake(image);
	return ready(io, (ssize_t)io->done);
}

static enum answer answer_truncate(struct cm4_image *image, struct cm4_io *io)
{
	if (io->length == 0 && image->size > 0)
		image_forget(image);
	if (io->length == image->size) {
		/* A size set last is a word about the whole, also if it is no news. */
		image->wrote_since_sized = false;
		image->touched = true;
		return ready(io, 0);
	}
	return change_by(image, io, content_truncate);
}

/* A killed process closes its files as any other does; only what it says about itself differs. */
static enum answer answer_killed(struct cm4_image *image, struct cm4_io *io)
{
	if (image->error)
		return ready(io, image->error);
	if (image->size == 0 || image->whole || !image->touched || image->superseded)
		return ready(io, 0);
	image->killed = true;
	return ready(io, -EBADMSG);
}

static enum answer answer_flush(struct cm4_image *image, struct cm4_io *io)
{
	struct whole_facts facts;

	/* Not touched: whoever closes it has only looked at it. */
	if (image->size == 0 || image->whole || !image->touched)
		return ready(io, 0);
	content_facts(image, &facts);
	switch (whole_judge(&facts)) {
	case WHOLE_YES:
		return ANSWER_LATER;
	case WHOLE_BLANK:
		image->size_is_given = true;
		return ready(io, 0);
	case WHOLE_NO_KILLED:
	case WHOLE_NO_UNWRITTEN:
		break;
	}
	return ready(io, -EBADMSG);
}

static enum answer answer_sync(struct cm4_image *image, struct cm4_io *io)
{
	if (image->change != image->synced)
		return ANSWER_LATER;
	image->synced_by_writer = true;
	image->touched = true;
	return ready(io, 0);
}

static bool is_decoded(const struct cm4_image *image, const struct cm4_io *io)
{
	return image->stream && io == &image->stream->io;
}

static enum answer answer_flash(struct cm4_image *image, struct cm4_io *io)
{
	switch (io->kind) {
	case CM4_IO_READ:
		return answer_read(image, io);
	case CM4_IO_WRITE:
		/* A decoder asks for the disk before it has a byte for it. */
		return io->length || is_decoded(image, io) ? change_by(image, io, content_write)
							   : ready(io, 0);
	case CM4_IO_TRUNCATE:
		return answer_truncate(image, io);
	case CM4_IO_ZERO:
		/* Behind the end all is zeros already. */
		if (io->length == 0 || io->offset >= image->size)
			return ready(io, 0);
		return change_by(image, io, content_zero);
	case CM4_IO_ALLOCATE:
		if (io->length == 0 ||
			(io->length <= image->size && io->offset <= image->size - io->length))
			return ready(io, 0);
		return change_by(image, io, content_allocate);
	case CM4_IO_SYNC:
		return answer_sync(image, io);
	case CM4_IO_FLUSH:
		return answer_flush(image, io);
	case CM4_IO_VERIFY:
		return image->whole ? ANSWER_LATER : ready(io, -EBADMSG);
	case CM4_IO_SUM:
		/* One that is not whole is compared at its close. */
		return image->whole ? ANSWER_LATER : ready(io, 0);
	}
	return ready(io, -EINVAL);
}

/* As block devices answer; see blkdev_write_iter and blkdev_fallocate in Linux's block/fops.c. */
static enum answer answer_raw(struct cm4_image *image, struct cm4_io *io)
{
	uint64_t size = image->size;

	if (size == 0 && image->state != DISK_OPEN)
		return ANSWER_LATER;
	switch (io->kind) {
	case CM4_IO_READ:
		return answer_read(image, io);
	case CM4_IO_WRITE:
		if (io->length == 0)
			return ready(io, 0);
		if (io->offset >= size)
			return ready(io, -ENOSPC);
		return change_by(image, io, content_write);
	case CM4_IO_TRUNCATE:
		return ready(io, io->length == size ? 0 : -EINVAL);
	case CM4_IO_ZERO:
		if (io->offset >= size)
			return ready(io, -EINVAL);
		return change_by(image, io, content_write);
	case CM4_IO_ALLOCATE:
		return ready(
			io, io->length <= size && io->offset <= size - io->length ? 0 : -ENOSPC);
	case CM4_IO_SYNC:
	case CM4_IO_FLUSH:
		return image->change == image->synced ? ready(io, 0) : ANSWER_LATER;
	case CM4_IO_VERIFY:
	case CM4_IO_SUM:
		break;
	}
	return ready(io, -EINVAL);
}

/*
 * It goes on with what is on the disk; where that is not there any more, it cannot. Under way it has the disk to
 * itself: then the disk has left, and the abort that follows says so.
 */
static bool goes_on_with_what_is_gone(const struct cm4_image *image, const struct cm4_io *io)
{
	return image->prove.overwritten && !image->began && io_changes(io) &&
	       (io->kind != CM4_IO_TRUNCATE || io->length > 0);
}

enum answer request_answer(struct cm4_image *image, struct cm4_io *io)
{
	if (image->mode == CM4_IMAGE_RAW)
		return image->error && io_changes(io) ? ready(io, image->error)
						      : answer_raw(image, io);
	if (image->error)
		return ready(io, image->error);
	if (image->superseded || goes_on_with_what_is_gone(image, io)) {
		return ready(io, io_closes(io) ? 0 : -ESTALE);
	}
	return answer_flash(image, io);
}

void request_advance(struct cm4_image *image, struct cm4_io_list *done)
{
	struct cm4_io *io;

	while ((io = TAILQ_FIRST(&image->parked)) != NULL) {
		if (request_answer(image, io) != ANSWER_READY)
			return;
		io->place = IO_ANSWERED;
		TAILQ_REMOVE(&image->parked, io, link);
		TAILQ_INSERT_TAIL(done, io, link);
	}
}

/* Lock held. */
static void park(struct cm4_image *image, struct cm4_io *io, bool *ret_ask)
{
	io->place = IO_PARKED;
	TAILQ_INSERT_TAIL(&image->parked, io, link);
	if (image->state == DISK_IDLE) {
		image_want_locked(image);
		*ret_ask = true;
	}
	image_wake(image);
}

/* Lock held. False: it is parked, or failed. */
static bool take(struct cm4_image *image, struct cm4_io *io, bool *ret_ask)
{
	enum answer answer = ANSWER_LATER;

	if (io->kind == CM4_IO_FLUSH && io->writer_killed && image->mode == CM4_IMAGE_FLASH)
		answer = answer_killed(image, io);
	else if (TAILQ_EMPTY(&image->parked))
		answer = request_answer(image, io);

	if (answer == ANSWER_LATER) {
		park(image, io, ret_ask);
	} else if (answer == ANSWER_FAILED) {
		io->place = IO_FAILED;
		io->result = image->error;
		TAILQ_INSERT_TAIL(&image->failed, io, link);
	}
	return answer == ANSWER_READY;
}

/*
 * It has failed, and its owner has yet to hear of it: who is told after that finds FAIL.TXT written. A decoder waits
 * for that by itself.
 */
static bool waits_for_failure(struct cm4_image *image, struct cm4_io *io, const struct stream *from)
{
	if (from || !image->say_failed)
		return false;
	io->place = IO_FAILED;
	io->result = image->said_error;
	TAILQ_INSERT_TAIL(&image->failed, io, link);
	return true;
}

static void submit(struct cm4_image *image, struct cm4_io *io, const struct stream *from)
{
	bool is_ready, ask = false, reap;

	io->done = 0;
	io->result = 0;
	io->place = IO_ANSWERED;
	{
		LOCKED(&image->lock);
		if (from && from->stop)
			is_ready = ready(io, -ESTALE) == ANSWER_READY;
		else if (waits_for_failure(image, io, from))
			is_ready = false;
		else if (!from && stream_claims(image, io))
			is_ready = stream_take(image, io);
		else
			is_ready = take(image, io, &ask);
		reap = !from && !TAILQ_EMPTY(&image->retired);
	}
	if (reap)
		stream_reap(image);
	if (is_ready)
		complete(io);
	if (ask)
		image_ask(image);
}

void cm4_image_submit(struct cm4_image *image, struct cm4_io *io)
{
	submit(image, io, NULL);
}

void request_submit_decoded(struct stream *stream)
{
	submit(stream->image, &stream->io, stream);
}

bool request_withdraw(struct cm4_image *image, struct cm4_io *io)
{
	switch ((enum io_place)io->place) {
	case IO_ANSWERED:
		return false;
	case IO_PARKED:
		TAILQ_REMOVE(&image->parked, io, link);
		break;
	case IO_FAILED:
		TAILQ_REMOVE(&image->failed, io, link);
		break;
	case IO_RUNNING:
		image->running = NULL;
		break;
	case IO_STREAM:
		stream_withdraw(image, io);
		break;
	}
	io->place = IO_ANSWERED;
	/* What stood behind it may be answered now. */
	image_wake(image);
	return true;
}

void cm4_image_interrupt(struct cm4_image *image, struct cm4_io *io)
{
	{
		LOCKED(&image->lock);
		if (!request_withdraw(image, io))
			return;
		io->result = io->done && io->kind != CM4_IO_ZERO ? (ssize_t)io->done : -EINTR;
	}
	complete(io);
}
