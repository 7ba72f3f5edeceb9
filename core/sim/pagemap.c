#include <errno.h>
#include <stdlib.h>

#include "sim/pagemap.h"

#define BITS 64

int sim_pagemap_init(struct sim_pagemap *map, size_t n)
{
	*map = (struct sim_pagemap){.words = calloc(n / BITS + 1, sizeof(uint64_t)), .n = n};
	return map->words ? 0 : -ENOMEM;
}

void sim_pagemap_finish(struct sim_pagemap *map)
{
	free(map->words);
	*map = (struct sim_pagemap){0};
}

bool sim_pagemap_has(const struct sim_pagemap *map, size_t page)
{
	return map->words[page / BITS] >> page % BITS & 1;
}

/* The bits of [from, to) that lie in @from's word. */
static uint64_t mask(size_t from, size_t to)
{
	size_t n = to - from < BITS - from % BITS ? to - from : BITS - from % BITS;

	return (n == BITS ? UINT64_MAX : (1ull << n) - 1) << from % BITS;
}

void sim_pagemap_add(struct sim_pagemap *map, size_t from, size_t to)
{
	for (; from < to; from += BITS - from % BITS) {
		uint64_t *word = &map->words[from / BITS], bits = mask(from, to);

		map->count += (size_t)__builtin_popcountll(bits & ~*word);
		*word |= bits;
	}
}

void sim_pagemap_remove(struct sim_pagemap *map, size_t from, size_t to)
{
	for (; from < to; from += BITS - from % BITS) {
		uint64_t *word = &map->words[from / BITS], bits = mask(from, to);

		map->count -= (size_t)__builtin_popcountll(bits & *word);
		*word &= ~bits;
	}
}

static size_t next(const struct sim_pagemap *map, size_t from, uint64_t flip)
{
	for (; from < map->n; from += BITS - from % BITS) {
		uint64_t word = (map->words[from / BITS] ^ flip) >> from % BITS;

		if (word) {
			from += (size_t)__builtin_ctzll(word);
			return from < map->n ? from : map->n;
		}
	}
	return map->n;
}

size_t sim_pagemap_next(const struct sim_pagemap *map, size_t from)
{
	return next(map, from, 0);
}

size_t sim_pagemap_next_hole(const struct sim_pagemap *map, size_t from)
{
	return next(map, from, UINT64_MAX);
}
