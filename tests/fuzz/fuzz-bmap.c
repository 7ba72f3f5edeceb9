#include <errno.h>
#include <string.h>

#include "sidecar/bmap.h"
#include "fuzz.h"

/*
 * A bmap, as it is. Most variations fail by its checksum, as they should; so that what is behind it sees some, too,
 * there are seeds without one (1.2). Whatever is accepted agrees with itself, and its ranges are found.
 */

static void check_ranges(const struct bmap *bmap)
{
	uint64_t n_mapped = 0, end = 0;

	for (size_t i = 0; i < bmap->n_ranges; i++) {
		const struct bmap_range *range = &bmap->ranges[i];

		CHECK(range->first >= end && range->first < range->end);
		CHECK(!range->has_sum || bmap->digest);
		CHECK(bmap_find(bmap, range->first) == range);
		CHECK(bmap_find(bmap, range->end - 1) == range);
		if (range->first > end)
			CHECK(bmap_find(bmap, range->first - 1) == range);
		n_mapped += range->end - range->first;
		end = range->end;
	}
	CHECK(end <= bmap->n_blocks && n_mapped == bmap->n_mapped);
	CHECK(!bmap_find(bmap, end));
}

static void check_bmap(const struct bmap *bmap)
{
	uint32_t block = bmap->block_size;

	CHECK(block >= BMAP_BLOCK_MIN && block <= BMAP_BLOCK_MAX && !(block & (block - 1)));
	CHECK(bmap->image_size > 0 && bmap->image_size <= INT64_MAX);
	CHECK((bmap->n_blocks - 1) * block < bmap->image_size);
	CHECK(bmap->image_size <= bmap->n_blocks * block);
	CHECK(bmap->sum_size <= DIGEST_SIZE_MAX && !bmap->sum_size == !bmap->digest);
	check_ranges(bmap);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct bmap *bmap = NULL;
	char why[256] = "";
	int r = bmap_parse(bytes, size, &bmap, why, sizeof(why));

	CHECK(r == 0 || r == -EINVAL || r == -EBADMSG);
	CHECK(!bmap == (r < 0) && !*why == (r == 0));
	for (const char *c = why; *c; c++)
		CHECK(*c >= ' ' && *c <= '~');
	if (bmap)
		check_bmap(bmap);
	bmap_unref(bmap);
	return 0;
}
