#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sidecar/digest.h"

/*
 * What a bmap says of a raw image: which of its blocks matter, and their checksums. The versions 1.0 to 1.4 and 2.x,
 * as bmaptool reads and writes them:
 *
 *	before 1.3	no checksum anywhere
 *	1.3		SHA-1: Range's attribute sha1, and BmapFileSHA1
 *	1.4, 2.x	those that ChecksumType names: Range's attribute chksum, and BmapFileChecksum
 *
 * All numbers in it have to agree, and so has the file's own checksum; so what is damaged is refused. A Range need not
 * have a checksum.
 */
#define BMAP_TEXT_MAX	(64u << 20)
#define BMAP_RANGES_MAX (2u << 20) /* some 23 bytes of text each, at the least */

#define BMAP_IMAGE_MAX (1ull << 46) /* bytes; what is kept of a map grows with it */

#define BMAP_BLOCK_MIN 512
#define BMAP_BLOCK_MAX (1u << 20)

struct bmap_range {
	uint64_t first, end; /* blocks of the bmap's own size, [first, end), not empty */
	bool has_sum;
	unsigned char sum
		[DIGEST_SIZE_MAX]; /* of the image's bytes in it; its last block ends with the image */
};

struct bmap {
	atomic_uint refs;
	uint64_t image_size;
	uint32_t block_size; /* a power of two */
	uint64_t n_blocks, n_mapped;
	const char *digest; /* libcrypto's name of it, a constant; NULL: there are no checksums */
	size_t sum_size;    /* bytes */
	size_t n_ranges;
	struct bmap_range *ranges; /* ascending, not overlapping */
};

/*
 * 0; or, with a sentence in @why that has no full stop:
 *   EINVAL   it is no bmap, contradicts itself, or is of a kind that is not known; or of more than BMAP_IMAGE_MAX bytes
 *   EBADMSG  it is not what its own checksum is of
 *   EFBIG    more than BMAP_TEXT_MAX bytes, or BMAP_RANGES_MAX ranges
 *   ENOMEM
 */
int bmap_parse(const void *text, size_t size, struct bmap **ret_bmap, char *why, size_t why_size);

/* What was parsed has one reference. Any thread; but for them nothing in it ever changes. */
struct bmap *bmap_ref(struct bmap *bmap);
void bmap_unref(struct bmap *bmap); /* NULL is accepted */

/* The range that holds @block, or else the first one behind it; NULL: none. */
const struct bmap_range *bmap_find(const struct bmap *bmap, uint64_t block);
