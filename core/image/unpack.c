#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "decode/budget.h"
#include "sidecar/digest.h"
#include "image/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * The stream's thread: bytes in, image out. It decodes with the lock free, and waits like any other writer where the
 * image has no room.
 */

#define BUDGET_RETRY_NS (NS_PER_S / 5)
#define IDLE_LOOK_NS	NS_PER_S
#define MISSING_NS	NS_PER_S

static void on_answer(struct cm4_io *io, ssize_t result)
{
	struct stream *stream = (struct stream *)((char *)io - offsetof(struct stream, io));
	LOCKED(&stream->image->lock);

	stream->result = result;
	stream->answered = true;
	pthread_cond_signal(&stream->wake);
}

/* Lock held, given up in between. What the image answers; negative also ends whatever was going on. */
static ssize_t ask(struct stream *stream, enum cm4_io_kind kind, void *buffer, size_t length)
{
	struct cm4_image *image = stream->image;

	stream->io = (struct cm4_io){
		.kind = kind,
		.offset = stream->n_raw,
		.length = length,
		.buffer = buffer,
		.complete = on_answer,
	};
	stream->asked = true;
	stream->answered = false;
	pthread_mutex_unlock(&image->lock);
	request_submit_decoded(stream);
	pthread_mutex_lock(&image->lock);
	while (!stream->answered)
		pthread_cond_wait(&stream->wake, &image->lock);
	stream->asked = false;
	return stream->result;
}

/* What the image did not take, and did not fail by, it has no use for any more: it is another's. */
static ssize_t put(struct stream *stream, size_t length)
{
	ssize_t r = ask(stream, CM4_IO_WRITE, stream->output, length);

	if (r < 0 && !stream->image->error)
		stream->last_word = (int)r;
	return r;
}

/* The disk is to be there before anything is taken from the writer. */
static void land(struct stream *stream)
{
	put(stream, 0);
}

static void put_output(struct stream *stream)
{
	ssize_t r = put(stream, stream->n_output);

	if (r < 0)
		return;
	stream->n_raw += (uint64_t)r;
	stream->n_output = 0;
}

static bool is_landed(const struct stream *stream)
{
	const struct cm4_image *image = stream->image;

	return image->state == DISK_OPEN && image->began && !image->restart;
}

static void fail(struct stream *stream, int error, const char *text)
{
	struct cm4_image *image = stream->image;

	/* While it was decoding, another file has begun, and that has not failed. */
	if (stream->stop)
		return;
	if (image->state == DISK_OPEN)
		image_fail(image, error, true, "%s", text);
	else if (!image->error)
		image->error = error;
}

/* Lock held, given up in between. */
static void complete(struct cm4_image *image, struct cm4_io *io, ssize_t result)
{
	TAILQ_REMOVE(&image->stream_parked, io, link);
	io->place = IO_ANSWERED;
	io->result = result;
	pthread_mutex_unlock(&image->lock);
	io->complete(io, result);
	pthread_mutex_lock(&image->lock);
}

/* As much of a WRITE as there is room for. It is answered when all of it is taken. */
static void take_write(struct stream *stream, struct cm4_io *io)
{
	struct cm4_image *image = stream->image;
	uint64_t at = io->offset + io->done;
	size_t n = (size_t)min64(input_room(&stream->input, at), io->length - io->done);
	int r = input_put(&stream->input, at, (unsigned char *)io->buffer + io->done, n);

	if (r < 0) {
		fail(stream, -EINVAL,
			"compressed data has to come in order, and each byte of it once; copy the "
			"file as a whole");
		return;
	}
	io->done += n;
	stream->missing_since = 0;
	if (at + n > stream->size)
		stream->size = at + n;
	stream->sized_last = false;
	stream->killed = false;
	image->killed = false;
	image->touched = true;
	if (io->done == io->length)
		complete(image, io, (ssize_t)io->length);
}

/* What was taken for zeros may have been on its way, from a writer who writes in another order than this takes. */
static void fail_decoding(struct stream *stream, int error)
{
	char text[160];

	snprintf(text, sizeof(text), "%s", decoder_text(stream->decoder));
	if (error == -EBADMSG && stream->leapt)
		snprintf(text, sizeof(text),
			"%s; %llu bytes of it were left out by its writer, or did not come in "
			"order",
			decoder_text(stream->decoder), (unsigned long long)stream->leapt);
	fail(stream, error, text);
}

/* @more: input is going to follow, so threads need not be waited for. */
static void decode(struct stream *stream, const unsigned char *data, size_t n, bool more)
{
	struct cm4_image *image = stream->image;
	struct decode_step step = {
		.in = data,
		.in_size = n,
		.out = stream->output + stream->n_output,
		.out_size = STREAM_OUTPUT - stream->n_output,
		.more = more,
	};
	int r;

	pthread_mutex_unlock(&image->lock);
	r = decoder_run(stream->decoder, &step);
	if (step.in_used)
		digest_update(stream->digest, data, step.in_used);
	pthread_mutex_lock(&image->lock);

	input_take(&stream->input, step.in_used);
	if (step.in_used)
		stream->has_hash = false;
	stream->n_output += step.out_used;
	stream->more = step.out_used == step.out_size;
	stream->threads = more;
	if (r == -EAGAIN)
		cond_wait_until(&stream->wake, &image->lock, clock_ns() + BUDGET_RETRY_NS);
	else if (r < 0)
		fail_decoding(stream, r);
	else if (stream->n_output == STREAM_OUTPUT)
		put_output(stream);
}

/* Zeros for what its writer left out, where what follows shows that it was left out. */
static bool fill_hole(struct stream *stream)
{
	struct input *input = &stream->input;
	uint64_t n = input_gap(input);

	if (n == 0 && stream->sized_last && !stream->killed && stream->size > input_end(input))
		n = stream->size - input_end(input);
	n = min64(n, input_room(input, input->base));
	return n > 0 && input_put(input, input->base, NULL, (size_t)n) == 0;
}

static bool is_complete(struct stream *stream)
{
	stream->lacks[0] = '\0';
	if (stream->size > stream->input.base)
		snprintf(stream->lacks, sizeof(stream->lacks),
			"a size of %llu bytes was set, but only %llu came",
			(unsigned long long)stream->size, (unsigned long long)stream->input.base);
	else if (!decoder_may_end(stream->decoder))
		snprintf(stream->lacks, sizeof(stream->lacks), "%s", decoder_text(stream->decoder));
	return !stream->lacks[0];
}

static ssize_t flush(struct stream *stream, enum cm4_io_kind kind)
{
	struct cm4_image *image = stream->image;

	if (kind == CM4_IO_FLUSH && !is_complete(stream))
		return -EBADMSG;
	if (kind == CM4_IO_FLUSH && stream->n_raw == 0) {
		fail(stream, -EINVAL, "this is not a disk image, there is nothing in it");
		return image->error;
	}
	if (kind == CM4_IO_FLUSH)
		stream->has_hash = digest_final(stream->digest, stream->hash) == 0;
	return ask(stream, kind, NULL, 0);
}

/* All that came before is decoded. */
static void run(struct stream *stream, struct cm4_io *io)
{
	ssize_t r;

	if (fill_hole(stream))
		return;
	if (stream->n_output > 0) {
		put_output(stream);
		return;
	}
	stream->serving = io;
	r = flush(stream, io->kind);
	/* It may have been interrupted; or it failed, and is told when that has been said. */
	if (stream->serving == io && !stream->image->error)
		complete(stream->image, io, r);
	stream->serving = NULL;
}

static void rest(struct stream *stream)
{
	struct cm4_image *image = stream->image;
	uint64_t until = UINT64_MAX;

	stream->missing_since = 0;
	is_complete(stream);
	if (stream->killed && !image->whole)
		image->killed = true;
	if (stream->holds) {
		stream->holds = false;
		image_close_locked(image, true);
		return;
	}
	if (image->opens == 0) {
		stream->ended = image->whole || budget_is_short();
		until = clock_ns() + IDLE_LOOK_NS;
	}
	if (!stream->ended)
		cond_wait_until(&stream->wake, &image->lock, until);
}

/* Zeros for all that is missing within the window, or before @io, which lies behind it. */
static void fill_gaps(struct stream *stream, const struct cm4_io *io)
{
	struct input *input = &stream->input;
	uint64_t at = input->base, end, n;

	for (size_t i = 0; i <= INPUT_EXTENTS && input_room(input, at) > 0; i++) {
		end = input_next(input, &at);
		n = min64(min64(end, io->offset + io->done) - at, input_room(input, at));
		if (n == 0 || input_put(input, at, NULL, (size_t)n) < 0)
			return;
		stream->leapt += n;
	}
}

/*
 * What is next has not come, and all that waits lies behind the window. Its request may be on its way still, above all
 * where its writer has several under way; if it does not come soon, he left it out, for it is zeros.
 */
static void await_missing(struct stream *stream, const struct cm4_io *io)
{
	uint64_t patience = stream->parallel ? MISSING_NS : MISSING_NS / 5;
	uint64_t now = clock_ns();

	if (!stream->missing_since)
		stream->missing_since = now;
	if (now - stream->missing_since < patience) {
		cond_wait_until(
			&stream->wake, &stream->image->lock, stream->missing_since + patience);
		return;
	}
	stream->missing_since = 0;
	fill_gaps(stream, io);
}

/* @io, or the first behind it that is of this file: one before it may not have told its own yet. */
static struct cm4_io *of_this_file(struct cm4_io *io)
{
	while (io && io->result != 0)
		io = TAILQ_NEXT(io, link);
	return io;
}

/* The first WRITE for which there is room: those of several threads do not come in the file's order. */
static struct cm4_io *find_write(struct stream *stream, struct cm4_io *first)
{
	struct cm4_io *io;

	for (io = first; io; io = of_this_file(TAILQ_NEXT(io, link))) {
		if (io->kind != CM4_IO_WRITE)
			return NULL;
		if (input_room(&stream->input, io->offset + io->done) > 0)
			return io;
	}
	return NULL;
}

static void turn(struct stream *stream)
{
	struct cm4_io *first = of_this_file(TAILQ_FIRST(&stream->image->stream_parked));
	struct cm4_io *write = find_write(stream, first);
	const unsigned char *data = NULL;
	bool closes;
	size_t n;

	if (first && first->kind == CM4_IO_WRITE && !is_landed(stream)) {
		land(stream);
		return;
	}
	if (write) {
		take_write(stream, write);
		return;
	}
	closes = first && first->kind != CM4_IO_WRITE;
	n = input_ready(&stream->input, &data);
	if (n > 0 || stream->more || (closes && stream->threads))
		decode(stream, data, n, !closes);
	else if (first && first->kind == CM4_IO_WRITE)
		await_missing(stream, first);
	else if (first)
		run(stream, first);
	else
		rest(stream);
}

/* Those who still wait. */
static void tell_rest(struct stream *stream, struct cm4_io_list *list)
{
	struct cm4_image *image = stream->image;
	struct cm4_io *io, *next;

	for (io = TAILQ_FIRST(&image->stream_parked); io; io = next) {
		next = TAILQ_NEXT(io, link);
		if (stream->stop && io->result == 0)
			continue; /* of the stream that came after */
		TAILQ_REMOVE(&image->stream_parked, io, link);
		io->place = IO_ANSWERED;
		if (!stream->stop && image->error)
			io->result = image->error;
		else
			io->result = io_closes(io) ? 0 : -ESTALE;
		TAILQ_INSERT_TAIL(list, io, link);
	}
}

static bool is_over(struct stream *stream)
{
	const struct cm4_image *image = stream->image;

	return stream->stop || stream->ended || stream->last_word || image->superseded;
}

void *stream_thread(void *data)
{
	struct cm4_io_list list = TAILQ_HEAD_INITIALIZER(list);
	struct stream *stream = data;
	struct cm4_image *image = stream->image;

	pthread_setname_np(pthread_self(), "cm4-decode");
	pthread_mutex_lock(&image->lock);
	while (!is_over(stream) && !(image->error && !image->say_failed)) {
		if (image->error)
			pthread_cond_wait(&stream->wake, &image->lock);
		else
			turn(stream);
	}
	stream->ended = true;
	tell_rest(stream, &list);
	/* Its memory is others' from now on. */
	decoder_free(stream->decoder);
	stream->decoder = NULL;
	input_fini(&stream->input);
	if (stream->holds)
		image_close_locked(image, true);
	stream->holds = false;
	pthread_mutex_unlock(&image->lock);
	io_list_complete(&list);
	stream_leave(stream);
	return NULL;
}
