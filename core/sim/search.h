#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A text looked for in bytes that come in pieces, wherever they are cut. */
struct sim_search {
	const char *text; /* NULL: nothing is looked for */
	size_t matched;
	bool found; /* stays */
};

void sim_search_feed(struct sim_search *search, const void *data, size_t size);
