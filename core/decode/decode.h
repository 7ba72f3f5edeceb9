#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Compressed images, as they arrive: bytes go in as somebody writes them, what they unpack to comes out. Nothing here
 * reads, waits for input or knows what the bytes are for.
 *
 * Every checksum that a format has is compared. What is behind the end and not of the format is an error, and what is
 * cut short is told from what is complete: an image that was half downloaded has to show as such.
 *
 * A decoder belongs to one thread at a time. The memory of all of them together is bounded (budget.h), whatever the
 * input says.
 */

enum decode_format {
	DECODE_RAW,
	DECODE_XZ,
	DECODE_GZ,
	DECODE_ZST,
	DECODE_BZ2,
	DECODE_LZ4,
	DECODE_ZIP,
};

#define DECODE_SNIFF 10 /* bytes after which decode_sniff knows for certain */

/* By content. With fewer than DECODE_SNIFF bytes: what they are so far; a whole shorter magic is enough. */
enum decode_format decode_sniff(const void *bytes, size_t n);

const char *decode_format_to_string(enum decode_format format); /* "raw", "xz", "gz", ... */

struct decoder;

int decoder_new(
	enum decode_format format, struct decoder **ret_decoder); /* 0 or -ENOMEM. Not for RAW */
void decoder_free(
	struct decoder *decoder); /* NULL is accepted. Gives its part of the budget back */

struct decode_step {
	const unsigned char *in;
	size_t in_size;
	size_t in_used; /* of this call; set by it, also where it fails */
	unsigned char *out;
	size_t out_size;
	size_t out_used; /* likewise */

	/*
	 * More input is at hand, and will follow without a pause. What threads are still at need not come out then:
	 * they go on with it while the next input is taken. Without this a threaded decoder has one block in work
	 * at a time, unless one call brings several.
	 */
	bool more;
};

/*
 * Takes from in, puts to out. Returns when out is full (and is to be called again, with or without input), or when
 * all input is taken and nothing more comes of it: it may wait for threads of its own, never for input.
 *
 * 0, or an error, which sticks but for the last:
 *
 *   -EBADMSG  corrupt; or bytes behind the end that are not of the format
 *   -EINVAL   what is not supported: a zip that is not of one file, encrypted or compressed in an odd way; an lz4 of
 *             the legacy format; a window over 128 MiB; a dictionary
 *   -ENOMEM   no memory, or it would take more than all of the budget
 *   -EAGAIN   other decoders have the budget just now. Nothing was used; ask again later. Where something had been
 *             used before that showed, the call returns 0, with input and room left, and the next one says this
 */
int decoder_run(struct decoder *decoder, struct decode_step *step);

/*
 * What has come so far is a complete file: it is at the end of a stream, member or frame, or of a zip's end record.
 * False before the first byte and after an error. More may follow all the same, but in a zip.
 */
bool decoder_may_end(const struct decoder *decoder);

/*
 * For people, without a full stop: the error, "the xz stream is corrupt", or where that is what keeps it from ending,
 * "the xz stream ends early". "" where it may end. Constant.
 */
const char *decoder_text(const struct decoder *decoder);

/*
 * The size of what comes out, where the format says it ahead and as far as it has been read: by zstd's first frame,
 * until a second one begins, and by a zip's local header. Not to be relied on: who wrote it may lie until the end.
 * 0: not known.
 */
uint64_t decoder_total(const struct decoder *decoder);
