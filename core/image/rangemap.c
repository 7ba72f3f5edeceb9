#include "image/rangemap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS     64u
#define SEGMENT_BITS  (1u << 18) /* of 4096 bytes: 1 GiB */
#define SEGMENT_WORDS (SEGMENT_BITS / WORD_BITS)

/* Without bits, a segment is all clear (n_set 0) or all set (n_set SEGMENT_BITS). */
struct rangemap_segment {
	uint64_t *bits;
	uint32_t n_set;
};

/* Bits [first, end) of one word, 0 <= first < end <= 64. */
static uint64_t word_mask(unsigned first, unsigned end)
{
	return (~0ull >> (WORD_BITS - (end - first))) << first;
}

static void segment_fill(struct rangemap_segment *segment, bool set)
{
	free(segment->bits);
	segment->bits = NULL;
	segment->n_set = set ? SEGMENT_BITS : 0;
}

static int segment_unfold(struct rangemap_segment *segment)
{
	if (segment->bits)
		return 0;
	segment->bits = malloc(SEGMENT_BITS / 8);
	if (!segment->bits)
		return -ENOMEM;
	memset(segment->bits, segment->n_set ? 0xff : 0, SEGMENT_BITS / 8);
	return 0;
}

static int segment_change(struct rangemap_segment *segment, unsigned first, unsigned end, bool set)
{
	int r;

	if (segment->n_set == (set ? SEGMENT_BITS : 0))
		return 0;
	if (first == 0 && end == SEGMENT_BITS) {
		segment_fill(segment, set);
		return 0;
	}

	r = segment_unfold(segment);
	if (r < 0)
		return r;
	while (first < end) {
		unsigned stop = first - first % WORD_BITS + WORD_BITS;
		uint64_t *word = &segment->bits[first / WORD_BITS], mask;

		if (stop > end)
			stop = end;
		mask = word_mask(first % WORD_BITS, stop - (first - first % WORD_BITS));
		segment->n_set -= (uint32_t)__builtin_popcountll(*word);
		*word = set ? *word | mask : *word & ~mask;
		segment->n_set += (uint32_t)__builtin_popcountll(*word);
		first = stop;
	}
	if (segment->n_set == 0 || segment->n_set == SEGMENT_BITS)
		segment_fill(segment, set);
	return 0;
}

static unsigned segment_next(
	const struct rangemap_segment *segment, unsigned from, unsigned end, bool set)
{
	if (!segment->bits)
		return (segment->n_set != 0) == set ? from : end;

	while (from < end) {
		uint64_t word = segment->bits[from / WORD_BITS];

		word = (set ? word : ~word) & (~0ull << from % WORD_BITS);
		from -= from % WORD_BITS;
		if (word) {
			from += (unsigned)__builtin_ctzll(word);
			return from < end ? from : end;
		}
		from += WORD_BITS;
	}
	return end;
}

static int grow(struct rangemap *map, size_t n)
{
	struct rangemap_segment *segments;

	if (n <= map->n_segments)
		return 0;
	segments = reallocarray(map->segments, n, sizeof(*segments));
	if (!segments)
		return -ENOMEM;
	memset(&segments[map->n_segments], 0, (n - map->n_segments) * sizeof(*segments));
	map->segments = segments;
	map->n_segments = n;
	return 0;
}

static int change(struct rangemap *map, uint64_t first, uint64_t end, bool set)
{
	while (first < end) {
		size_t i = (size_t)(first / SEGMENT_BITS);
		uint64_t base = (uint64_t)i * SEGMENT_BITS;
		uint64_t stop = end < base + SEGMENT_BITS ? end : base + SEGMENT_BITS;
		struct rangemap_segment *segment = &map->segments[i];
		int r;

		map->n_set -= segment->n_set;
		r = segment_change(segment, (unsigned)(first - base), (unsigned)(stop - base), set);
		map->n_set += segment->n_set;
		if (r < 0)
			return r;
		first = stop;
	}
	return 0;
}

int rangemap_add(struct rangemap *map, uint64_t first, uint64_t end)
{
	int r;

	if (first >= end)
		return 0;
	r = grow(map, (size_t)((end - 1) / SEGMENT_BITS + 1));
	if (r < 0)
		return r;
	return change(map, first, end, true);
}

int rangemap_remove(struct rangemap *map, uint64_t first, uint64_t end)
{
	uint64_t known = (uint64_t)map->n_segments * SEGMENT_BITS;

	return change(map, first, end < known ? end : known, false);
}

void rangemap_clear(struct rangemap *map)
{
	for (size_t i = 0; i < map->n_segments; i++)
		free(map->segments[i].bits);
	free(map->segments);
	*map = (struct rangemap){0};
}

bool rangemap_has(const struct rangemap *map, uint64_t block)
{
	return rangemap_covers(map, block, block + 1);
}

bool rangemap_covers(const struct rangemap *map, uint64_t first, uint64_t end)
{
	return rangemap_next(map, first, end, false) >= end;
}

uint64_t rangemap_total(const struct rangemap *map)
{
	return map->n_set;
}

uint64_t rangemap_next(const struct rangemap *map, uint64_t from, uint64_t end, bool set)
{
	while (from < end) {
		uint64_t i = from / SEGMENT_BITS, base = i * SEGMENT_BITS, stop;
		unsigned found;

		if (i >= map->n_segments)
			return set ? end : from;
		stop = end < base + SEGMENT_BITS ? end : base + SEGMENT_BITS;
		found = segment_next(
			&map->segments[i], (unsigned)(from - base), (unsigned)(stop - base), set);
		from = base + found;
		if (from < stop)
			return from;
	}
	return end;
}

bool rangemap_next_run(const struct rangemap *map, uint64_t from, uint64_t end, bool set,
	uint64_t *ret_first, uint64_t *ret_end)
{
	uint64_t first = rangemap_next(map, from, end, set);

	if (first >= end)
		return false;
	*ret_first = first;
	*ret_end = rangemap_next(map, first, end, !set);
	return true;
}
