#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

#include "decode/budget.h"
#include "decode/internal.h"
#include "decode/xz.h"
#include "util/bytes.h"

/*
 * Stream by stream, so that each one's end shows; for each the library is set up anew, and memory taken.
 *
 * Where the first block says how large it is, blocks are decoded by threads (of the library's), within the limit it
 * was given: it keeps blocks in memory, packed and unpacked, and where they do not fit goes on without threads. Else,
 * or where there is too little memory for two, it begins with a small limit and is given more as it asks for more,
 * which is when it meets a block with a larger dictionary.
 */
#define THREADS_MEMORY (128ull << 20)
#define THREADS_MAX    16
#define LIMIT_FIRST    (1ull << 20)
#define LIMIT_STEP     (8ull << 20) /* threads do not say how much it is that they miss */
#define PADDING_ALIGN  4

enum xz_state {
	XZ_BETWEEN, /* streams, or before the first: nothing, or padding */
	XZ_HEAD,    /* gathering it */
	XZ_STREAM,
};

struct xz {
	struct decoder decoder;
	enum xz_state state;
	bool another; /* this stream is not the first */
	unsigned padding;
	unsigned char head[XZ_HEAD_MAX];
	size_t n_head, fed; /* to the library, of the head */
	bool threads;
	uint64_t limit;	 /* the library's, and what was taken */
	uint64_t wanted; /* more than the limit: goes no further without it */
	lzma_stream lib;
};

static int xz_init(struct decoder *decoder)
{
	((struct xz *)decoder)->lib = (lzma_stream)LZMA_STREAM_INIT;
	return 0;
}

static void xz_fini(struct decoder *decoder)
{
	lzma_end(&((struct xz *)decoder)->lib);
}

static int run_between(struct xz *xz, struct decode_step *step)
{
	while (step_in_left(step) > 0 && *step_in(step) == 0) {
		if (!xz->another)
			return decoder_fail_corrupt(&xz->decoder);
		step->in_used++;
		xz->padding = (xz->padding + 1) % PADDING_ALIGN;
		xz->decoder.complete = xz->padding == 0;
	}
	if (step_in_left(step) == 0)
		return 0;
	if (xz->padding != 0)
		return decoder_fail_garbage(&xz->decoder);
	xz->decoder.complete = false;
	xz->state = XZ_HEAD;
	xz->n_head = 0;
	xz->fed = 0;
	return 1;
}

/* True: threads are to decode it, and what they may take is taken. */
static bool take_for_threads(struct xz *xz, unsigned threads)
{
	uint64_t block = xz_head_block_memory(xz->head, xz->n_head);
	uint64_t most = min64(block * threads, THREADS_MEMORY);

	if (block == 0 || threads < 2 || most < 2 * block || !budget_take_spare(most))
		return false;
	xz->decoder.taken += most;
	xz->limit = most;
	return true;
}

static int take_for_one(struct xz *xz)
{
	int r = decoder_take(&xz->decoder, LIMIT_FIRST);

	if (r == 0)
		xz->limit = LIMIT_FIRST;
	return r;
}

static int begin_stream(struct xz *xz)
{
	unsigned threads = (unsigned)min64(lzma_cputhreads(), THREADS_MAX);
	int r;

	xz->threads = take_for_threads(xz, threads);
	if (xz->threads) {
		lzma_mt options = {
			.threads = threads,
			.memlimit_threading = xz->limit,
			.memlimit_stop = xz->limit,
		};

		r = lzma_stream_decoder_mt(&xz->lib, &options) == LZMA_OK ? 0 : -ENOMEM;
	} else {
		r = take_for_one(xz);
		if (r < 0)
			return r;
		r = lzma_stream_decoder(&xz->lib, xz->limit, 0) == LZMA_OK ? 0 : -ENOMEM;
	}
	if (r < 0)
		return decoder_fail_memory(&xz->decoder);
	xz->wanted = xz->limit;
	xz->state = XZ_STREAM;
	return 1;
}

static int run_head(struct xz *xz, struct decode_step *step)
{
	size_t want = xz_head_want(xz->head, xz->n_head);
	bool whole = step_gather(step, xz->head, &xz->n_head, want);

	if (!xz_head_is_magic(xz->head, xz->n_head))
		return xz->another ? decoder_fail_garbage(&xz->decoder)
				   : decoder_fail_corrupt(&xz->decoder);
	if (!whole)
		return 0;
	return xz_head_want(xz->head, xz->n_head) > xz->n_head ? 1 : begin_stream(xz);
}

static int end_stream(struct xz *xz)
{
	lzma_end(&xz->lib);
	decoder_give(&xz->decoder, xz->limit);
	xz->limit = 0;
	xz->state = XZ_BETWEEN;
	xz->another = true;
	xz->padding = 0;
	xz->decoder.complete = true;
	return 1;
}

static int grow(struct xz *xz)
{
	int r = decoder_take(&xz->decoder, xz->wanted - xz->limit);

	if (r < 0)
		return r;
	xz->limit = xz->wanted;
	return lzma_memlimit_set(&xz->lib, xz->limit) == LZMA_OK
		       ? 1
		       : decoder_fail_corrupt(&xz->decoder);
}

/* The library's answer to a call that took @n_in and put out @n_out. */
static int answer(struct xz *xz, lzma_ret r, bool progress)
{
	switch ((int)r) {
	case LZMA_OK: /* without progress it says so once, and then calls it an error */
		return 1;
	case LZMA_BUF_ERROR:
		return progress;
	case LZMA_STREAM_END:
		return end_stream(xz);
	case LZMA_MEMLIMIT_ERROR:
		xz->wanted = lzma_memusage(&xz->lib);
		if (xz->wanted <= xz->limit)
			xz->wanted = xz->limit + LIMIT_STEP;
		return 1;
	case LZMA_MEM_ERROR:
		return decoder_fail_memory(&xz->decoder);
	case LZMA_OPTIONS_ERROR:
		return decoder_fail(&xz->decoder, -EINVAL,
			"the xz stream uses a filter or an option that is not known here");
	default:
		return decoder_fail_corrupt(&xz->decoder);
	}
}

static int run_stream(struct xz *xz, struct decode_step *step)
{
	bool from_head = xz->fed < xz->n_head;
	size_t n_in = from_head ? xz->n_head - xz->fed : step_in_left(step);
	size_t n_out = step_out_left(step);
	lzma_ret r;
	int result;

	if (xz->wanted > xz->limit)
		return grow(xz);
	xz->lib.next_in = from_head ? xz->head + xz->fed : step_in(step);
	xz->lib.avail_in = n_in;
	xz->lib.next_out = step_out(step);
	xz->lib.avail_out = n_out;
	r = lzma_code(&xz->lib, LZMA_RUN);
	n_in -= xz->lib.avail_in;
	n_out -= xz->lib.avail_out;
	if (from_head)
		xz->fed += n_in;
	else
		step->in_used += n_in;
	step->out_used += n_out;

	result = answer(xz, r, n_in > 0 || n_out > 0);
	/* Not to be called without input, for then it waits. */
	if (result > 0 && r == LZMA_OK && xz->threads && step->more && step->in_size > 0 &&
		step_in_left(step) == 0 && xz->fed == xz->n_head)
		return 0;
	return result;
}

static int xz_run(struct decoder *decoder, struct decode_step *step)
{
	struct xz *xz = (struct xz *)decoder;

	switch (xz->state) {
	case XZ_BETWEEN:
		return run_between(xz, step);
	case XZ_HEAD:
		return run_head(xz, step);
	case XZ_STREAM:
		return run_stream(xz, step);
	}
	return 0;
}

const struct decode_ops decode_xz = {
	.size = sizeof(struct xz),
	.corrupt = "the xz stream is corrupt",
	.cut = "the xz stream ends early",
	.garbage = "bytes follow the end of the xz stream that are no xz stream",
	.init = xz_init,
	.fini = xz_fini,
	.run = xz_run,
};
