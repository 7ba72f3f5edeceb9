#pragma once

#include "decode/decode.h"

/*
 * Within the room:
 *
 *   decode.c    what all have in common: the budget, errors that stick, the loop
 *   budget.c    the memory of them all
 *   sniff.c     which format is it?
 *   xz.c gz.c zst.c bz2.c lz4.c zip.c
 *               one format each, over the library that knows it; zip-record.c: a zip's records, as plain facts
 *
 * A format's struct begins with a struct decoder.
 */
struct decode_ops {
	size_t size;		   /* of its struct */
	uint64_t memory;	   /* to take before init */
	const char *corrupt, *cut; /* sentences: it is corrupt; it ends early */
	const char *garbage;	   /* something else is behind its end */

	int (*init)(struct decoder *decoder);  /* 0 or -ENOMEM */
	void (*fini)(struct decoder *decoder); /* also of one whose init failed */

	/*
	 * One step of the library, or less. 1: there was progress, call again while there is room; 0: nothing
	 * more comes without input; an error: see decoder_run. It is called with room only, and may be without
	 * input.
	 */
	int (*run)(struct decoder *decoder, struct decode_step *step);
};

struct decoder {
	const struct decode_ops *ops;
	uint64_t taken; /* of the budget */
	bool ready;	/* init was called */
	bool complete;	/* what came is a whole file; kept by the format */
	uint64_t total;
	int error;	  /* it sticks */
	const char *text; /* of the error */
};

extern const struct decode_ops decode_xz, decode_gz, decode_zst, decode_bz2, decode_lz4, decode_zip;

/* An error with its sentence; returns it. */
int decoder_fail(struct decoder *decoder, int error, const char *text);
int decoder_fail_corrupt(struct decoder *decoder); /* -EBADMSG */
int decoder_fail_garbage(struct decoder *decoder); /* -EBADMSG */
int decoder_fail_memory(struct decoder *decoder);  /* -ENOMEM, the system's */

/* More of the budget. 0, -EAGAIN, or -ENOMEM where it is more than there is. */
int decoder_take(struct decoder *decoder, uint64_t bytes);
void decoder_give(struct decoder *decoder, uint64_t bytes);

/* What is left of a step, in numbers that every library can take. */
#define STEP_MAX ((size_t)1 << 30)

static inline const unsigned char *step_in(const struct decode_step *step)
{
	return step->in_used > 0 ? step->in + step->in_used : step->in; /* which may be NULL */
}

static inline size_t step_in_left(const struct decode_step *step)
{
	size_t left = step->in_size - step->in_used;

	return left < STEP_MAX ? left : STEP_MAX;
}

static inline unsigned char *step_out(const struct decode_step *step)
{
	return step->out + step->out_used;
}

static inline size_t step_out_left(const struct decode_step *step)
{
	size_t left = step->out_size - step->out_used;

	return left < STEP_MAX ? left : STEP_MAX;
}

/* Adds to the @*n bytes in @head until there are @want. True: they are there. */
bool step_gather(struct decode_step *step, unsigned char *head, size_t *n, size_t want);

/* Takes up to @*left bytes and drops them. True: @*left is 0. */
bool step_skip(struct decode_step *step, uint64_t *left);
