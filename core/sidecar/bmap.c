#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/internal.h"
#include "util/hex.h"

int bmap_refuse(struct reader *reader, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reader->why, reader->why_size, format, arguments);
	va_end(arguments);
	return error;
}

/* It is made with the digits of '0' in its own place. */
static int check_sum(struct reader *reader, const char *text, size_t size)
{
	unsigned char sum[DIGEST_SIZE_MAX], made[DIGEST_SIZE_MAX];
	size_t sum_size = reader->bmap->sum_size, at = (size_t)(reader->sum - text);
	char zeros[2 * DIGEST_SIZE_MAX];
	int r;

	/* What ends the element is no digit. */
	if (hex_span(reader->sum, size - at) != 2 * sum_size)
		return bmap_refuse(
			reader, -EINVAL, "its own checksum is none of %s", reader->bmap->digest);
	hex_decode(reader->sum, sum_size, sum);
	memset(zeros, '0', sizeof(zeros));
	digest_update(reader->digest, text, at);
	digest_update(reader->digest, zeros, 2 * sum_size);
	digest_update(reader->digest, text + at + 2 * sum_size, size - at - 2 * sum_size);
	r = digest_final(reader->digest, made);
	if (r < 0)
		return r;
	if (memcmp(sum, made, sum_size) != 0)
		return bmap_refuse(reader, -EBADMSG, "its own checksum is not that of its text");
	return 0;
}

static int check_numbers(struct reader *reader)
{
	const struct bmap *bmap = reader->bmap;
	uint64_t n_mapped = 0;

	if (bmap->image_size == 0)
		return bmap_refuse(reader, -EINVAL, "it is of an image of no bytes");
	if (bmap->image_size > BMAP_IMAGE_MAX)
		return bmap_refuse(reader, -EINVAL, "it is of an image larger than any disk");
	if (bmap->n_blocks != (bmap->image_size - 1) / bmap->block_size + 1)
		return bmap_refuse(reader, -EINVAL, "its BlocksCount does not fit its ImageSize");
	if (bmap->n_ranges > 0 && bmap->ranges[bmap->n_ranges - 1].end > bmap->n_blocks)
		return bmap_refuse(reader, -EINVAL, "its last range ends behind the image");
	for (size_t i = 0; i < bmap->n_ranges; i++)
		n_mapped += bmap->ranges[i].end - bmap->ranges[i].first;
	if (n_mapped != bmap->n_mapped)
		return bmap_refuse(
			reader, -EINVAL, "its MappedBlocksCount does not fit its ranges");
	return 0;
}

static int read_all(struct reader *reader, const char *text, size_t size)
{
	int r = xml_walk(text, size, &bmap_visitor, reader, reader->why, reader->why_size);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < N_ELEMENTS; i++)
		if (bmap_elements[i].dialects & reader->dialect && !reader->seen[i])
			return bmap_refuse(reader, -EINVAL, "it has no %s", bmap_elements[i].name);
	if (reader->dialect != DIALECT_NO_SUMS)
		r = check_sum(reader, text, size);
	return r < 0 ? r : check_numbers(reader);
}

int bmap_parse(const void *text, size_t size, struct bmap **ret_bmap, char *why, size_t why_size)
{
	struct reader reader = {.why = why, .why_size = why_size};
	int r;

	if (size > BMAP_TEXT_MAX)
		return bmap_refuse(&reader, -EFBIG, "it is larger than any bmap");
	reader.bmap = calloc(1, sizeof(*reader.bmap));
	if (!reader.bmap)
		return -ENOMEM;
	atomic_init(&reader.bmap->refs, 1);
	r = read_all(&reader, text, size);
	digest_free(reader.digest);
	if (r < 0) {
		bmap_unref(reader.bmap);
		return r;
	}
	*ret_bmap = reader.bmap;
	return 0;
}

struct bmap *bmap_ref(struct bmap *bmap)
{
	atomic_fetch_add(&bmap->refs, 1);
	return bmap;
}

void bmap_unref(struct bmap *bmap)
{
	if (!bmap || atomic_fetch_sub(&bmap->refs, 1) > 1)
		return;
	free(bmap->ranges);
	free(bmap);
}

const struct bmap_range *bmap_find(const struct bmap *bmap, uint64_t block)
{
	size_t low = 0, high = bmap->n_ranges;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (bmap->ranges[middle].end <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low < bmap->n_ranges ? &bmap->ranges[low] : NULL;
}
