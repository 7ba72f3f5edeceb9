#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "decode/budget.h"
#include "decode/decode.h"
#include "fuzz.h"

/*
 * A decoder, fed with the input as it is: in pieces, into rooms, whose sizes depend on the input's own length. What
 * it is not the magic of goes to the decoder of zips, which is our own.
 */
#define ROOM  4096
#define MUCH  (4u << 20) /* out of one input: a bomb is as good as another */
#define EXTRA 16	 /* behind the room, not to be touched */
#define MARK  0xa5

static void check_step(const struct decoder *decoder, const struct decode_step *step, int r)
{
	static const unsigned char marks[EXTRA] = {MARK, MARK, MARK, MARK, MARK, MARK, MARK, MARK,
		MARK, MARK, MARK, MARK, MARK, MARK, MARK, MARK};

	CHECK(step->in_used <= step->in_size && step->out_used <= step->out_size);
	CHECK(memcmp(step->out + step->out_size, marks, EXTRA) == 0);
	CHECK(r == 0 || r == -EBADMSG || r == -EINVAL || r == -ENOMEM);
	CHECK(r != 0 || step->in_used == step->in_size || step->out_used == step->out_size);
	CHECK(r == 0 || !decoder_may_end(decoder));
	CHECK(decoder_may_end(decoder) == (*decoder_text(decoder) == '\0'));
	CHECK(budget_used() <= BUDGET_SIZE && (r == 0 || budget_used() == 0));
}

/* All that comes of one piece. False: it is over, one way or another. */
static bool feed(
	struct decoder *decoder, const uint8_t *bytes, size_t size, size_t room, uint64_t *much)
{
	static unsigned char out[ROOM + EXTRA];
	struct decode_step step = {.in = bytes, .in_size = size, .more = size % 2};
	int r;

	do {
		memset(out, MARK, sizeof(out));
		if (step.in_used > 0)
			step.in += step.in_used;
		step.in_size -= step.in_used;
		step.out = out + ROOM - room;
		step.out_size = room;
		r = decoder_run(decoder, &step);
		check_step(decoder, &step, r);
		*much += step.out_used;
	} while (r == 0 && step.out_used == room && *much < MUCH);
	return r == 0 && *much < MUCH;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	enum decode_format format = decode_sniff(bytes, size);
	size_t piece = size % 5 == 0 ? 1 : size % 5 == 1 ? 13 : size, room = size % 3 ? ROOM : 100;
	struct decoder *decoder;
	uint64_t much = 0;

	CHECK(decoder_new(format == DECODE_RAW ? DECODE_ZIP : format, &decoder) == 0);
	CHECK(!decoder_may_end(decoder));
	for (size_t at = 0; at < size; at += piece)
		if (!feed(decoder, bytes + at, size - at < piece ? size - at : piece, room, &much))
			break;
	if (much < MUCH)
		feed(decoder, NULL, 0, room, &much);
	decoder_free(decoder);
	CHECK(budget_used() == 0);
	return 0;
}
