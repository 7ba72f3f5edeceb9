#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode/budget.h"
#include "decode/internal.h"
#include "util/bytes.h"

static const struct decode_ops *ops_of(enum decode_format format)
{
	switch (format) {
	case DECODE_RAW:
		return NULL;
	case DECODE_XZ:
		return &decode_xz;
	case DECODE_GZ:
		return &decode_gz;
	case DECODE_ZST:
		return &decode_zst;
	case DECODE_BZ2:
		return &decode_bz2;
	case DECODE_LZ4:
		return &decode_lz4;
	case DECODE_ZIP:
		return &decode_zip;
	}
	return NULL;
}

int decoder_new(enum decode_format format, struct decoder **ret_decoder)
{
	const struct decode_ops *ops = ops_of(format);
	struct decoder *decoder;

	assert(ops);
	decoder = calloc(1, ops->size);
	if (!decoder)
		return -ENOMEM;
	decoder->ops = ops;
	*ret_decoder = decoder;
	return 0;
}

/* All that is large. */
static void release(struct decoder *decoder)
{
	if (decoder->ready)
		decoder->ops->fini(decoder);
	decoder->ready = false;
	decoder_give(decoder, decoder->taken);
}

void decoder_free(struct decoder *decoder)
{
	if (!decoder)
		return;
	release(decoder);
	free(decoder);
}

int decoder_fail(struct decoder *decoder, int error, const char *text)
{
	decoder->text = text;
	return error;
}

int decoder_fail_corrupt(struct decoder *decoder)
{
	return decoder_fail(decoder, -EBADMSG, decoder->ops->corrupt);
}

int decoder_fail_garbage(struct decoder *decoder)
{
	return decoder_fail(decoder, -EBADMSG, decoder->ops->garbage);
}

int decoder_fail_memory(struct decoder *decoder)
{
	return decoder_fail(decoder, -ENOMEM, "there is no memory to decompress it");
}

int decoder_take(struct decoder *decoder, uint64_t bytes)
{
	static_assert(BUDGET_SIZE == 256 << 20, "as the sentence says");

	if (bytes > BUDGET_SIZE - decoder->taken)
		return decoder_fail(decoder, -ENOMEM,
			"it would take more than 256 MiB of memory to decompress it");
	if (!budget_take(bytes))
		return -EAGAIN;
	decoder->taken += bytes;
	return 0;
}

void decoder_give(struct decoder *decoder, uint64_t bytes)
{
	budget_give(bytes);
	decoder->taken -= bytes;
}

bool step_gather(struct decode_step *step, unsigned char *head, size_t *n, size_t want)
{
	size_t take;

	if (*n >= want)
		return true;
	take = min64(want - *n, step_in_left(step));
	if (take > 0)
		memcpy(head + *n, step_in(step), take);
	*n += take;
	step->in_used += take;
	return *n == want;
}

bool step_skip(struct decode_step *step, uint64_t *left)
{
	size_t take = min64(*left, step_in_left(step));

	step->in_used += take;
	*left -= take;
	return *left == 0;
}

static int get_ready(struct decoder *decoder)
{
	int r;

	if (decoder->ready)
		return 0;
	r = decoder_take(decoder, decoder->ops->memory);
	if (r < 0)
		return r;
	decoder->ready = true;
	return decoder->ops->init(decoder) < 0 ? decoder_fail_memory(decoder) : 0;
}

int decoder_run(struct decoder *decoder, struct decode_step *step)
{
	int r;

	step->in_used = 0;
	step->out_used = 0;
	if (decoder->error)
		return decoder->error;
	if (step->in_size == 0 && !decoder->ready)
		return 0;

	r = get_ready(decoder);
	if (r == 0)
		r = 1;
	while (r > 0 && step->out_used < step->out_size)
		r = decoder->ops->run(decoder, step);

	if (r == -EAGAIN)
		return step->in_used > 0 || step->out_used > 0 ? 0 : r;
	if (r < 0) {
		decoder->error = r;
		release(decoder);
		return r;
	}
	return 0;
}

bool decoder_may_end(const struct decoder *decoder)
{
	return decoder->complete && !decoder->error;
}

const char *decoder_text(const struct decoder *decoder)
{
	if (decoder->error)
		return decoder->text;
	return decoder->complete ? "" : decoder->ops->cut;
}

uint64_t decoder_total(const struct decoder *decoder)
{
	return decoder->total;
}
