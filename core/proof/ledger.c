#include "proof/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t end_of(const struct ledger_entry *entry)
{
	return entry->offset + entry->length;
}

/* The first that ends behind @offset: most writers come in order, and then it is the end. */
static size_t find(const struct ledger *ledger, uint64_t offset)
{
	size_t first = 0, end = ledger->n;

	if (end > 0 && end_of(&ledger->entries[end - 1]) <= offset)
		return end;
	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (end_of(&ledger->entries[middle]) <= offset)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

/* [first, last) makes place for @n entries. */
static int replace(struct ledger *ledger, size_t first, size_t last, size_t n)
{
	struct ledger_entry *entries = ledger->entries;
	size_t count = ledger->n - (last - first) + n;

	if (count > ledger->room) {
		size_t room = ledger->room ? ledger->room * 2 : 64;

		entries = reallocarray(entries, room, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		ledger->entries = entries;
		ledger->room = room;
	}
	memmove(&entries[first + n], &entries[last], (ledger->n - last) * sizeof(*entries));
	ledger->n = count;
	return 0;
}

int ledger_add(struct ledger *ledger, uint64_t offset, uint64_t length,
	const unsigned char hash[SHA256_SIZE])
{
	size_t first = find(ledger, offset), last = first;
	int r;

	while (last < ledger->n && ledger->entries[last].offset < offset + length)
		last++;
	r = replace(ledger, first, last, 1);
	if (r < 0) {
		/* What was known of it is true no more. */
		replace(ledger, first, last, 0);
		return r;
	}
	ledger->entries[first] = (struct ledger_entry){.offset = offset, .length = length};
	memcpy(ledger->entries[first].hash, hash, SHA256_SIZE);
	return 0;
}

uint64_t ledger_covers(const struct ledger *ledger, uint64_t end)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < ledger->n && ledger->entries[i].offset < end; i++) {
		const struct ledger_entry *entry = &ledger->entries[i];

		bytes += (end_of(entry) < end ? end_of(entry) : end) - entry->offset;
	}
	return bytes;
}

void ledger_clear(struct ledger *ledger)
{
	free(ledger->entries);
	*ledger = (struct ledger){0};
}
