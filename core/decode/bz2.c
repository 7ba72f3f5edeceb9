#include <bzlib.h>
#include <errno.h>

#include "decode/internal.h"

/* Streams one behind the other, as pbzip2 makes them. The library compares the CRC of each block and of them all. */
#define FIRST_OF_STREAM 'B'

struct bz2 {
	struct decoder decoder;
	bool inside;  /* of a stream, for which the library is prepared */
	bool another; /* it is not the first */
	bz_stream lib;
};

static int bz2_init(struct decoder *decoder)
{
	return 0;
}

static void end_stream(struct bz2 *bz2)
{
	if (bz2->inside)
		BZ2_bzDecompressEnd(&bz2->lib);
	bz2->inside = false;
}

static void bz2_fini(struct decoder *decoder)
{
	end_stream((struct bz2 *)decoder);
}

static int begin_stream(struct bz2 *bz2, struct decode_step *step)
{
	if (step_in_left(step) == 0)
		return 0;
	if (bz2->another && *step_in(step) != FIRST_OF_STREAM)
		return decoder_fail_garbage(&bz2->decoder);
	bz2->decoder.complete = false;
	bz2->lib = (bz_stream){.next_in = NULL};
	if (BZ2_bzDecompressInit(&bz2->lib, 0, 0) != BZ_OK)
		return decoder_fail_memory(&bz2->decoder);
	bz2->inside = true;
	return 1;
}

static int run_stream(struct bz2 *bz2, struct decode_step *step)
{
	bz_stream *lib = &bz2->lib;
	size_t n_in = step_in_left(step), n_out = step_out_left(step);
	int r;

	lib->next_in = (char *)step_in(step);
	lib->avail_in = (unsigned)n_in;
	lib->next_out = (char *)step_out(step);
	lib->avail_out = (unsigned)n_out;
	r = BZ2_bzDecompress(lib);
	n_in -= lib->avail_in;
	n_out -= lib->avail_out;
	step->in_used += n_in;
	step->out_used += n_out;

	switch (r) {
	case BZ_OK:
		return n_in > 0 || n_out > 0;
	case BZ_STREAM_END:
		end_stream(bz2);
		bz2->another = true;
		bz2->decoder.complete = true;
		return 1;
	case BZ_MEM_ERROR:
		return decoder_fail_memory(&bz2->decoder);
	case BZ_DATA_ERROR_MAGIC:
		return bz2->another ? decoder_fail_garbage(&bz2->decoder)
				    : decoder_fail_corrupt(&bz2->decoder);
	default:
		return decoder_fail_corrupt(&bz2->decoder);
	}
}

static int bz2_run(struct decoder *decoder, struct decode_step *step)
{
	struct bz2 *bz2 = (struct bz2 *)decoder;

	return bz2->inside ? run_stream(bz2, step) : begin_stream(bz2, step);
}

const struct decode_ops decode_bz2 = {
	.size = sizeof(struct bz2),
	.memory = 4 << 20, /* four bytes for each of a block's 900000, and 64 KiB of state */
	.corrupt = "the bzip2 stream is corrupt",
	.cut = "the bzip2 stream ends early",
	.garbage = "bytes follow the end of the bzip2 stream that are no bzip2 stream",
	.init = bz2_init,
	.fini = bz2_fini,
	.run = bz2_run,
};
