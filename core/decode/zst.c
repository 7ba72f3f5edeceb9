#include <errno.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "decode/internal.h"
#include "util/bytes.h"
#include "util/le.h"

/*
 * RFC 8878. Frames one behind the other, and frames to be skipped, as pzstd makes them. Of each frame's header the
 * window is read here, before the library allocates it.
 */
#define MAGIC		 0xfd2fb528u
#define SKIPPABLE	 0x184d2a50u
#define SKIPPABLE_MASK	 0xfffffff0u
#define SKIPPABLE_HEADER 8
#define HEADER_MAX	 18

#define WINDOW_LOG_MAX 27 /* the command's own limit without --long or --memory */
#define WINDOW_MAX     (1ull << WINDOW_LOG_MAX)

/* Beside the window: the context, of 160 KiB, and three blocks of at most 128 KiB, for input, output and literals. */
#define MEMORY (1u << 20)

enum zst_state {
	ZST_HEADER,
	ZST_SKIP,
	ZST_FRAME,
};

struct zst {
	struct decoder decoder;
	enum zst_state state;
	bool another; /* this frame is not the first of any kind */
	unsigned frames;
	unsigned char head[HEADER_MAX];
	size_t n_head, fed; /* to the library, of the head */
	uint64_t skip;
	uint64_t window; /* for which memory was taken */
	bool full;	 /* the library may have more to put out */
	ZSTD_DCtx *lib;
};

struct frame {
	size_t header_size;
	bool has_dictionary;
	uint64_t window, content; /* content: 0: not said */
};

static int zst_init(struct decoder *decoder)
{
	struct zst *zst = (struct zst *)decoder;

	zst->lib = ZSTD_createDCtx();
	if (!zst->lib ||
		ZSTD_isError(ZSTD_DCtx_setParameter(zst->lib, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		return -ENOMEM;
	return 0;
}

static void zst_fini(struct decoder *decoder)
{
	ZSTD_freeDCtx(((struct zst *)decoder)->lib);
}

static size_t header_size(unsigned char descriptor)
{
	static const size_t dictionary_sizes[] = {0, 1, 2, 4}, content_sizes[] = {0, 2, 4, 8};
	bool single = descriptor & 0x20;
	size_t content = content_sizes[descriptor >> 6];

	if (single && content == 0)
		content = 1;
	return 5 + !single + dictionary_sizes[descriptor & 3] + content;
}

static uint64_t get_content(const unsigned char *end, unsigned char descriptor)
{
	switch (descriptor >> 6) {
	case 0:
		return descriptor & 0x20 ? end[-1] : 0;
	case 1:
		return get_le16(end - 2) + 256u;
	case 2:
		return get_le32(end - 4);
	default:
		return get_le64(end - 8);
	}
}

/* Of a whole header. Where the window is not said, it is the content. */
static struct frame read_header(const unsigned char *head)
{
	unsigned char descriptor = head[4];
	struct frame frame = {
		.header_size = header_size(descriptor),
		.has_dictionary = descriptor & 3,
	};

	frame.content = get_content(head + frame.header_size, descriptor);
	if (descriptor & 0x20) {
		frame.window = frame.content;
	} else {
		frame.window = 1ull << (10 + (head[5] >> 3));
		frame.window += frame.window / 8 * (head[5] & 7);
	}
	return frame;
}

static int take_window(struct zst *zst, uint64_t window)
{
	int r;

	if (window <= zst->window)
		return 0;
	r = decoder_take(&zst->decoder, window - zst->window);
	if (r == 0)
		zst->window = window;
	return r;
}

static int begin_frame(struct zst *zst)
{
	struct frame frame = read_header(zst->head);
	int r;

	if (frame.has_dictionary)
		return decoder_fail(&zst->decoder, -EINVAL,
			"the zstd stream was made with a dictionary, which is not here");
	if (frame.window > WINDOW_MAX)
		return decoder_fail(&zst->decoder, -EINVAL,
			"the zstd stream has a window of more than 128 MiB; compress it again, "
			"with --long=27 at most");
	r = take_window(zst, frame.window);
	if (r < 0)
		return r;
	if (ZSTD_isError(ZSTD_DCtx_reset(zst->lib, ZSTD_reset_session_only)))
		return decoder_fail_corrupt(&zst->decoder);
	zst->decoder.total = zst->frames++ == 0 ? frame.content : 0;
	zst->state = ZST_FRAME;
	zst->fed = 0;
	zst->full = false;
	return 1;
}

static int begin_skip(struct zst *zst)
{
	zst->skip = get_le32(zst->head + 4);
	zst->state = ZST_SKIP;
	return 1;
}

static int end_frame(struct zst *zst)
{
	zst->state = ZST_HEADER;
	zst->n_head = 0;
	zst->another = true;
	zst->decoder.complete = true;
	return 1;
}

/* A frame, of either kind: one byte of something else is enough to see that. */
static bool may_begin(unsigned char byte)
{
	return byte == (MAGIC & 0xff) || (byte & 0xf0) == (SKIPPABLE & 0xff);
}

static int run_header(struct zst *zst, struct decode_step *step)
{
	uint32_t magic;

	if (step_in_left(step) > 0) {
		if (zst->another && zst->n_head == 0 && !may_begin(*step_in(step)))
			return decoder_fail_garbage(&zst->decoder);
		zst->decoder.complete = false;
	}
	if (!step_gather(step, zst->head, &zst->n_head, 4))
		return 0;
	magic = get_le32(zst->head);
	if ((magic & SKIPPABLE_MASK) == SKIPPABLE)
		return step_gather(step, zst->head, &zst->n_head, SKIPPABLE_HEADER)
			       ? begin_skip(zst)
			       : 0;
	if (magic != MAGIC)
		return zst->another ? decoder_fail_garbage(&zst->decoder)
				    : decoder_fail_corrupt(&zst->decoder);
	if (!step_gather(step, zst->head, &zst->n_head, 5) ||
		!step_gather(step, zst->head, &zst->n_head, header_size(zst->head[4])))
		return 0;
	return begin_frame(zst);
}

static int fail(struct zst *zst, size_t r)
{
	const char *memory = ZSTD_getErrorString(ZSTD_error_memory_allocation);

	return strcmp(ZSTD_getErrorName(r), memory) == 0 ? decoder_fail_memory(&zst->decoder)
							 : decoder_fail_corrupt(&zst->decoder);
}

/*
 * The header goes to the library first, from where it was gathered. It counts calls that cannot make progress, and
 * takes too many for an error; so without input it is called only if it may have something left.
 */
static int run_frame(struct zst *zst, struct decode_step *step)
{
	bool from_head = zst->fed < zst->n_head;
	ZSTD_inBuffer in = {step_in(step), step_in_left(step), 0};
	ZSTD_outBuffer out = {step_out(step), step_out_left(step), 0};
	size_t r;

	if (from_head)
		in = (ZSTD_inBuffer){zst->head + zst->fed, zst->n_head - zst->fed, 0};
	else if (in.size == 0 && !zst->full)
		return 0;

	r = ZSTD_decompressStream(zst->lib, &out, &in);
	if (from_head)
		zst->fed += in.pos;
	else
		step->in_used += in.pos;
	step->out_used += out.pos;
	zst->full = out.pos == out.size;
	if (ZSTD_isError(r))
		return fail(zst, r);
	if (r == 0)
		return end_frame(zst);
	return in.pos > 0 || out.pos > 0;
}

static int zst_run(struct decoder *decoder, struct decode_step *step)
{
	struct zst *zst = (struct zst *)decoder;

	switch (zst->state) {
	case ZST_HEADER:
		return run_header(zst, step);
	case ZST_SKIP:
		return step_skip(step, &zst->skip) ? end_frame(zst) : step_in_left(step) > 0;
	case ZST_FRAME:
		return run_frame(zst, step);
	}
	return 0;
}

const struct decode_ops decode_zst = {
	.size = sizeof(struct zst),
	.memory = MEMORY,
	.corrupt = "the zstd stream is corrupt",
	.cut = "the zstd stream ends early",
	.garbage = "bytes follow the end of the zstd stream that are no zstd stream",
	.init = zst_init,
	.fini = zst_fini,
	.run = zst_run,
};
