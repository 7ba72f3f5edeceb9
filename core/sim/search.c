#include <string.h>

#include "sim/search.h"

/* How much of @text's beginning is the end of its first @n bytes, too, without being all of them. */
static size_t border(const char *text, size_t n)
{
	size_t k = n ? n - 1 : 0;

	while (k && memcmp(text, text + n - k, k) != 0)
		k--;
	return k;
}

void sim_search_feed(struct sim_search *search, const void *data, size_t size)
{
	const char *bytes = data, *text = search->text;

	for (size_t i = 0; text && i < size && !search->found; i++) {
		while (search->matched && text[search->matched] != bytes[i])
			search->matched = border(text, search->matched);
		search->matched += text[search->matched] == bytes[i];
		search->found = text[search->matched] == '\0';
	}
}
