#include <errno.h>
#include <zlib.h>

#include "decode/internal.h"

/* RFC 1952. zlib reads members, compares CRC32 and length, and stops behind each. */
#define GZIP_MEMBERS	(16 + MAX_WBITS)
#define MAGIC_SIZE	2
#define FIRST_OF_MEMBER 0x1f

enum gz_state {
	GZ_MEMBER,
	GZ_BETWEEN, /* members */
	GZ_PADDING, /* zeros, as gzip(1) takes them from tapes; no member follows them */
};

struct gz {
	struct decoder decoder;
	enum gz_state state;
	bool another; /* this member is not the first */
	z_stream zlib;
};

static int gz_init(struct decoder *decoder)
{
	struct gz *gz = (struct gz *)decoder;

	return inflateInit2(&gz->zlib, GZIP_MEMBERS) == Z_OK ? 0 : -ENOMEM;
}

static void gz_fini(struct decoder *decoder)
{
	inflateEnd(&((struct gz *)decoder)->zlib);
}

static int end_member(struct gz *gz)
{
	gz->state = GZ_BETWEEN;
	gz->another = true;
	gz->decoder.complete = true;
	return inflateReset2(&gz->zlib, GZIP_MEMBERS) == Z_OK ? 1
							      : decoder_fail_memory(&gz->decoder);
}

static int run_member(struct gz *gz, struct decode_step *step)
{
	z_stream *zlib = &gz->zlib;
	size_t n_in = step_in_left(step), n_out = step_out_left(step);
	int r;

	zlib->next_in = (unsigned char *)step_in(step);
	zlib->avail_in = (uInt)n_in;
	zlib->next_out = step_out(step);
	zlib->avail_out = (uInt)n_out;
	r = inflate(zlib, Z_NO_FLUSH);
	n_in -= zlib->avail_in;
	n_out -= zlib->avail_out;
	step->in_used += n_in;
	step->out_used += n_out;

	switch (r) {
	case Z_OK:
	case Z_BUF_ERROR: /* no progress, nothing worse */
		return n_in > 0 || n_out > 0;
	case Z_STREAM_END:
		return end_member(gz);
	case Z_MEM_ERROR:
		return decoder_fail_memory(&gz->decoder);
	default:
		return gz->another && zlib->total_in <= MAGIC_SIZE
			       ? decoder_fail_garbage(&gz->decoder)
			       : decoder_fail_corrupt(&gz->decoder);
	}
}

/* Behind a member. */
static int run_between(struct gz *gz, struct decode_step *step)
{
	if (step_in_left(step) == 0)
		return 0;
	if (gz->state == GZ_BETWEEN && *step_in(step) == FIRST_OF_MEMBER) {
		gz->state = GZ_MEMBER;
		gz->decoder.complete = false;
		return 1;
	}
	gz->state = GZ_PADDING;
	while (step_in_left(step) > 0) {
		if (*step_in(step) != 0)
			return decoder_fail_garbage(&gz->decoder);
		step->in_used++;
	}
	return 0;
}

static int gz_run(struct decoder *decoder, struct decode_step *step)
{
	struct gz *gz = (struct gz *)decoder;

	return gz->state == GZ_MEMBER ? run_member(gz, step) : run_between(gz, step);
}

const struct decode_ops decode_gz = {
	.size = sizeof(struct gz),
	.memory = 64 << 10, /* 32 KiB of window, 7 KiB of state: zlib's zconf.h */
	.corrupt = "the gzip stream is corrupt",
	.cut = "the gzip stream ends early",
	.garbage = "bytes follow the end of the gzip stream that are no gzip stream",
	.init = gz_init,
	.fini = gz_fini,
	.run = gz_run,
};
