#include "image/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"
#include "sidecar/digest.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* The file's side: what its writer asks, and how that is answered. */

static void free_stream(struct stream *stream)
{
	decoder_free(stream->decoder);
	digest_free(stream->digest);
	input_fini(&stream->input);
	free(stream->output);
	pthread_cond_destroy(&stream->wake);
	free(stream);
}

static int begin(struct cm4_image *image, enum decode_format format)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int r;

	if (!stream)
		return -ENOMEM;
	stream->format = format;
	stream->image = image;
	cond_init(&stream->wake);
	stream->output = malloc(STREAM_OUTPUT);
	r = stream->output ? input_init(&stream->input) : -ENOMEM;
	if (r == 0)
		r = decoder_new(format, &stream->decoder);
	if (r == 0)
		r = digest_new("SHA256", &stream->digest);
	if (r == 0)
		r = image_start_thread(&stream->thread, stream_thread, stream);
	if (r < 0)
		free_stream(stream);
	else
		image->stream = stream;
	return r;
}

/* The stream's thread has something to do, and the disk is to stay until it is done. */
static void set_to_work(struct stream *stream)
{
	if (!stream->holds) {
		stream->holds = true;
		stream->image->opens++;
		stream->image->opens_writable++;
	}
	pthread_cond_signal(&stream->wake);
}

static bool has_write(const struct cm4_image *image)
{
	const struct cm4_io *io;

	TAILQ_FOREACH (io, &image->stream_parked, link)
		if (io->kind == CM4_IO_WRITE)
			return true;
	return false;
}

static void park(struct cm4_image *image, struct cm4_io *io)
{
	if (io->kind == CM4_IO_WRITE && has_write(image))
		image->stream->parallel = true;
	io->place = IO_STREAM;
	TAILQ_INSERT_TAIL(&image->stream_parked, io, link);
	set_to_work(image->stream);
}

/*
 * A write(2) of several requests comes by several threads, and what is behind the beginning may have come before it:
 * that waits for the disk as if it were a raw image's, and is the file's.
 */
static void adopt(struct cm4_image *image)
{
	struct cm4_io *io, *next;

	for (io = TAILQ_FIRST(&image->parked); io; io = next) {
		next = TAILQ_NEXT(io, link);
		if (io->kind != CM4_IO_WRITE)
			continue;
		TAILQ_REMOVE(&image->parked, io, link);
		park(image, io);
	}
}

/*
 * The first bytes of a file tell. Those of a writer who sends them one by one wait in the head, as a raw image's do,
 * until there are enough.
 */
static enum decode_format look(struct cm4_image *image, const struct cm4_io *io)
{
	unsigned char first[DECODE_SNIFF];
	size_t n = 0;

	if (io->offset > 0) {
		n = (size_t)io->offset;
		memcpy(first, image->head.data, n);
	}
	if (io->length < DECODE_SNIFF - n)
		return DECODE_RAW;
	memcpy(first + n, io->buffer, DECODE_SNIFF - n);
	return decode_sniff(first, DECODE_SNIFF);
}

static bool may_begin(const struct cm4_image *image, const struct cm4_io *io)
{
	if (io->kind != CM4_IO_WRITE || image->error || image->superseded)
		return false;
	if (io->offset == 0)
		return image->bytes_in == 0 || image->stream;
	return io->offset < DECODE_SNIFF && io->offset == image->size && image->head.data &&
	       judge_is_held(image);
}

/* Nobody else is in the middle of it: who writes its beginning writes a new file. */
static bool is_over(const struct stream *stream)
{
	return stream->ended || (!stream->holds && stream->image->opens_writable <= 1);
}

bool stream_claims(struct cm4_image *image, struct cm4_io *io)
{
	enum decode_format format;
	unsigned char first[DECODE_SNIFF];
	size_t n = (size_t)io->offset;

	if (image->mode != CM4_IMAGE_FLASH || io->kind == CM4_IO_VERIFY || io->kind == CM4_IO_SUM)
		return false;
	if (image->stream &&
		!(io->kind == CM4_IO_WRITE && io->offset == 0 && is_over(image->stream)))
		return true;
	if (!may_begin(image, io))
		return image->stream;
	format = look(image, io);
	if (image->stream)
		image_forget(image); /* and the stream with it */
	if (format == DECODE_RAW)
		return false;
	if (n > 0)
		memcpy(first, image->head.data, n);
	image_forget(image);
	/* Where there is no memory for it, the file is none that could be flashed. */
	image->error = begin(image, format);
	if (image->error)
		return true;
	adopt(image);
	if (n > 0) {
		input_put(&image->stream->input, 0, first, n);
		image->stream->size = n;
	}
	return true;
}

static bool answered(struct cm4_io *io, ssize_t result)
{
	io->result = result;
	return true;
}

static bool take_truncate(struct stream *stream, struct cm4_io *io)
{
	if (io->length == 0 && stream->size > 0) {
		image_forget(stream->image);
		return answered(io, 0);
	}
	if (io->length < input_end(&stream->input))
		return answered(io, -EOPNOTSUPP);
	stream->size = io->length;
	stream->sized_last = true;
	stream->image->touched = true;
	return answered(io, 0);
}

static bool take_allocate(struct stream *stream, struct cm4_io *io)
{
	uint64_t end;

	if (__builtin_add_overflow(io->offset, io->length, &end))
		return answered(io, -EFBIG);
	if (end > stream->size) {
		stream->size = end;
		stream->sized_last = false; /* a promise */
	}
	return answered(io, 0);
}

static bool take_flush(struct cm4_image *image, struct cm4_io *io)
{
	struct stream *stream = image->stream;

	if (io->writer_killed && !image->whole) {
		stream->killed = true;
		set_to_work(stream);
		return answered(io, -EBADMSG);
	}
	if (!image->touched && !stream->holds)
		return answered(io, 0);
	park(image, io);
	return false;
}

/* Its decoder is gone, or its disk is another's: it can be closed, and a new file may begin. */
static bool take_late(struct stream *stream, struct cm4_io *io)
{
	if (io->kind == CM4_IO_READ)
		return answered(io, -EOPNOTSUPP);
	if (io->kind != CM4_IO_TRUNCATE || stream->image->superseded)
		return answered(io, io_closes(io) ? 0 : -ESTALE);
	if (io->length == 0)
		return take_truncate(stream, io);
	return answered(io, io->length == stream->size ? 0 : -ESTALE);
}

bool stream_take(struct cm4_image *image, struct cm4_io *io)
{
	struct stream *stream = image->stream;

	if (image->error)
		return answered(io, image->error);
	if (image->superseded || stream->ended)
		return take_late(stream, io);
	switch (io->kind) {
	case CM4_IO_READ:
		return answered(io, -EOPNOTSUPP);
	case CM4_IO_WRITE:
		if (io->length == 0)
			return answered(io, 0);
		park(image, io);
		return false;
	case CM4_IO_TRUNCATE:
		return take_truncate(stream, io);
	case CM4_IO_ZERO:
		/* What is not here yet will be zeros, if nothing else comes. */
		return answered(io, io->offset >= input_end(&stream->input) ? 0 : -EOPNOTSUPP);
	case CM4_IO_ALLOCATE:
		return take_allocate(stream, io);
	case CM4_IO_SYNC:
		park(image, io);
		return false;
	case CM4_IO_FLUSH:
		return take_flush(image, io);
	case CM4_IO_VERIFY:
	case CM4_IO_SUM:
		break;
	}
	return answered(io, -EINVAL);
}

void stream_withdraw(struct cm4_image *image, struct cm4_io *io)
{
	if (image->stream && image->stream->serving == io)
		image->stream->serving = NULL;
	TAILQ_REMOVE(&image->stream_parked, io, link);
	stream_wake(image);
}

void stream_wake(struct cm4_image *image)
{
	if (image->stream)
		pthread_cond_signal(&image->stream->wake);
}

void stream_retire(struct cm4_image *image)
{
	struct stream *stream = image->stream;
	struct cm4_io *io;

	if (!stream)
		return;
	image->stream = NULL;
	TAILQ_INSERT_TAIL(&image->retired, stream, link);
	/* Its thread tells them. */
	TAILQ_FOREACH (io, &image->stream_parked, link)
		io->result = -ESTALE;
	stream->serving = NULL;
	stream->stop = true;
	if (stream->asked && !stream->answered && request_withdraw(image, &stream->io)) {
		stream->answered = true;
		stream->result = -ESTALE;
	}
	pthread_cond_signal(&stream->wake);
}

/* Lock held. One of the retired; @ended: that waits for nothing any more. Never the caller's own. */
static struct stream *take_retired(struct cm4_image *image, bool ended)
{
	struct stream *stream;

	TAILQ_FOREACH (stream, &image->retired, link)
		if ((stream->ended || !ended) && !pthread_equal(stream->thread, pthread_self())) {
			TAILQ_REMOVE(&image->retired, stream, link);
			return stream;
		}
	return NULL;
}

static void join_retired(struct cm4_image *image, bool ended)
{
	struct stream *stream;

	for (;;) {
		{
			LOCKED(&image->lock);
			stream = take_retired(image, ended);
		}
		if (!stream)
			return;
		pthread_join(stream->thread, NULL);
		free_stream(stream);
	}
}

void stream_reap(struct cm4_image *image)
{
	join_retired(image, true);
}

bool stream_join(struct cm4_image *image)
{
	struct stream *own;

	{
		LOCKED(&image->lock);
		stream_retire(image);
	}
	join_retired(image, false);
	LOCKED(&image->lock);
	own = TAILQ_FIRST(&image->retired);
	if (own)
		own->is_last = true;
	return !own;
}

void stream_leave(struct stream *stream)
{
	struct cm4_image *image = stream->image;

	if (!stream->is_last)
		return;
	pthread_detach(stream->thread);
	free_stream(stream);
	image_free(image);
}
