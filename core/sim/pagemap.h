#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of page numbers: one bit each, untouched parts of which cost no memory. Whoever holds it
 * guards it. */
struct sim_pagemap {
	uint64_t *words;
	size_t n;     /* pages */
	size_t count; /* of them, in the set */
};

int sim_pagemap_init(struct sim_pagemap *map, size_t n); /* 0 or -ENOMEM */
void sim_pagemap_finish(struct sim_pagemap *map);

bool sim_pagemap_has(const struct sim_pagemap *map, size_t page);
void sim_pagemap_add(struct sim_pagemap *map, size_t from, size_t to);	  /* [from, to) */
void sim_pagemap_remove(struct sim_pagemap *map, size_t from, size_t to); /* [from, to) */

/* The first page at or behind @from that is in the set (or, the second, is not); n where there is
 * none. */
size_t sim_pagemap_next(const struct sim_pagemap *map, size_t from);
size_t sim_pagemap_next_hole(const struct sim_pagemap *map, size_t from);
