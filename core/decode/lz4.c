#include <errno.h>
#include <lz4frame.h>
#include <string.h>

#include "decode/internal.h"
#include "util/le.h"

/*
 * lz4_Frame_format.md, 1.6.2. Frames one behind the other, and frames to be skipped. The beginning of each is looked
 * at here, for the library says nothing of what it does not know.
 */
#define MAGIC	       0x184d2204u
#define LEGACY	       0x184c2102u
#define SKIPPABLE      0x184d2a50u
#define SKIPPABLE_MASK 0xfffffff0u
#define HEAD_SIZE      5 /* the magic and the flags */
#define DICTIONARY     1 /* in the flags */

struct lz4 {
	struct decoder decoder;
	bool inside;  /* of a frame */
	bool another; /* it is not the first */
	unsigned char head[HEAD_SIZE];
	size_t n_head, fed; /* to the library, of the head */
	LZ4F_dctx *lib;
};

static int lz4_init(struct decoder *decoder)
{
	struct lz4 *lz4 = (struct lz4 *)decoder;

	return LZ4F_isError(LZ4F_createDecompressionContext(&lz4->lib, LZ4F_VERSION)) ? -ENOMEM : 0;
}

static void lz4_fini(struct decoder *decoder)
{
	LZ4F_freeDecompressionContext(((struct lz4 *)decoder)->lib);
}

/* The first bytes of a frame are there. */
static int begin_frame(struct lz4 *lz4)
{
	uint32_t magic = get_le32(lz4->head);

	if (magic == LEGACY)
		return decoder_fail(&lz4->decoder, -EINVAL,
			"the lz4 stream is of the legacy format; compress it again, without -l");
	if (magic != MAGIC && (magic & SKIPPABLE_MASK) != SKIPPABLE)
		return lz4->another ? decoder_fail_garbage(&lz4->decoder)
				    : decoder_fail_corrupt(&lz4->decoder);
	if (magic == MAGIC && lz4->head[4] & DICTIONARY)
		return decoder_fail(&lz4->decoder, -EINVAL,
			"the lz4 stream was made with a dictionary, which is not here");
	lz4->inside = true;
	lz4->fed = 0;
	return 1;
}

/* A frame, of any kind: one byte of something else is enough to see that. */
static bool may_begin(unsigned char byte)
{
	return byte == (MAGIC & 0xff) || byte == (LEGACY & 0xff) ||
	       (byte & 0xf0) == (SKIPPABLE & 0xff);
}

static int run_header(struct lz4 *lz4, struct decode_step *step)
{
	if (step_in_left(step) > 0) {
		if (lz4->another && lz4->n_head == 0 && !may_begin(*step_in(step)))
			return decoder_fail_garbage(&lz4->decoder);
		lz4->decoder.complete = false;
	}
	return step_gather(step, lz4->head, &lz4->n_head, HEAD_SIZE) ? begin_frame(lz4) : 0;
}

static int end_frame(struct lz4 *lz4)
{
	lz4->inside = false;
	lz4->n_head = 0;
	lz4->another = true;
	lz4->decoder.complete = true;
	return 1;
}

/* The library has a code for it, and a name for the code, but only the latter is in its shared form. */
static int fail(struct lz4 *lz4, size_t r)
{
	return strcmp(LZ4F_getErrorName(r), "ERROR_allocation_failed") == 0
		       ? decoder_fail_memory(&lz4->decoder)
		       : decoder_fail_corrupt(&lz4->decoder);
}

static int run_frame(struct lz4 *lz4, struct decode_step *step)
{
	bool from_head = lz4->fed < lz4->n_head;
	const unsigned char *in = from_head ? lz4->head + lz4->fed : step_in(step);
	size_t n_in = from_head ? lz4->n_head - lz4->fed : step_in_left(step);
	size_t n_out = step_out_left(step), r;

	r = LZ4F_decompress(lz4->lib, step_out(step), &n_out, in, &n_in, NULL);
	if (LZ4F_isError(r))
		return fail(lz4, r);
	if (from_head)
		lz4->fed += n_in;
	else
		step->in_used += n_in;
	step->out_used += n_out;
	if (r == 0)
		return end_frame(lz4);
	return n_in > 0 || n_out > 0;
}

static int lz4_run(struct decoder *decoder, struct decode_step *step)
{
	struct lz4 *lz4 = (struct lz4 *)decoder;

	return lz4->inside ? run_frame(lz4, step) : run_header(lz4, step);
}

const struct decode_ops decode_lz4 = {
	.size = sizeof(struct lz4),
	.memory =
		9 << 20, /* a block of 4 MiB, packed and unpacked, and 128 KiB before the latter */
	.corrupt = "the lz4 stream is corrupt",
	.cut = "the lz4 stream ends early",
	.garbage = "bytes follow the end of the lz4 stream that are no lz4 stream",
	.init = lz4_init,
	.fini = lz4_fini,
	.run = lz4_run,
};
