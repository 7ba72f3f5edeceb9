#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "decode/decode.h"
#include "image/input.h"

#include <cm4fs/io.h>

struct cm4_image;

/*
 * A dropped file that is compressed. What its writer sends is put in order (input.h), a thread of its own decodes it,
 * and that thread is then the image's only writer: what it decodes comes in by the door that a raw image's bytes come
 * in by. So judge, chunks, proof and start know nothing of it.
 *
 *	writer -> stream.c -> input -> unpack.c: decoder -> image_submit
 *
 * Requests of the file are answered here: in order, a WRITE when there is room for it, SYNC and FLUSH when all that
 * came before is decoded. The first WRITE is answered when the disk is there, as a raw image's is.
 *
 * A file that is not whole when it is closed keeps its decoder, so that appending goes on; unless others need the
 * memory (decode/budget.h), and then it answers ESTALE.
 *
 * Thread: all with the image's lock held, but where it is said. The stream's thread holds no reference: the image's
 * end waits for it.
 */
#define STREAM_OUTPUT (1u << 20)

struct stream {
	enum decode_format format;
	struct cm4_image *image;
	pthread_t thread;
	pthread_cond_t wake;
	TAILQ_ENTRY(stream) link; /* among the retired */

	struct input input;
	uint64_t size;	 /* of the file, as its writer sees it */
	bool sized_last; /* the size was set after the last byte came */
	uint64_t leapt;	 /* bytes that were left out, and taken for zeros */
	bool parallel;	 /* a WRITE came while another was under way */
	bool killed;	 /* the last word of its writer was its death */
	bool holds;	 /* has the image open, for there is work to do */
	bool stop;	 /* it is another's image by now */
	int last_word;	 /* what is answered from now on; negative, 0: nothing special */
	bool ended;	 /* the thread has nothing more to do with the image */
	bool is_last;	 /* ... but to free it */

	/* The thread's own. */
	struct decoder *decoder;
	unsigned char *output; /* STREAM_OUTPUT */
	size_t n_output;
	uint64_t n_raw; /* bytes given to the image */
	uint64_t
		missing_since; /* CLOCK_MONOTONIC; it waits for what is before all that is here; 0: it does not */

	bool threads; /* the decoder may have more to give, once its threads are waited for */
	bool more;    /* the decoder has more to give, without more input */

	/* Its request to the image, and the file's request that waits for it. */
	struct cm4_io io;
	bool asked, answered;
	ssize_t result;
	struct cm4_io *serving;

	struct digest *digest; /* of what came */
	bool has_hash;	       /* of all of it */
	unsigned char hash[32];

	char lacks[160]; /* why the file is not whole as it is; "" where it is */
};

TAILQ_HEAD(stream_list, stream);

/* Whether @io is of a compressed file: one that is known for it, or one that begins with @io. */
bool stream_claims(struct cm4_image *image, struct cm4_io *io);

/* Answers @io, which it claims, in io->result; or parks it, and then it is false. */
bool stream_take(struct cm4_image *image, struct cm4_io *io);

/* It is interrupted: as if it had never come, but for what was taken of it. */
void stream_withdraw(struct cm4_image *image, struct cm4_io *io);

/* Something has changed that the thread may wait for. Also where there is no stream. */
void stream_wake(struct cm4_image *image);

/* The content begins anew, or belongs to another: the stream ends by itself. Also where there is none. */
void stream_retire(struct cm4_image *image);

/*
 * Lock not held, and nobody else is left. Waits for its threads. False: it is called by one of them, that has answered
 * somebody who then let the image go; the thread frees the image at its end.
 */
bool stream_join(struct cm4_image *image);

/* The thread's last deed, if that has become its task. */
void stream_leave(struct stream *stream);

/* Lock not held. Of those that were retired, the ones that have ended. */
void stream_reap(struct cm4_image *image);

/* unpack.c */
void *stream_thread(void *stream);
