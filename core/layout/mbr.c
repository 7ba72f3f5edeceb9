#include <stdio.h>

#include "layout/internal.h"

/*
 * Four entries at the end of the first sector. One may be an extended partition: a box that begins
 * with a sector of the same form, which holds one logical partition, counted from that sector, and
 * a link to the next such sector, counted from the beginning of the box. Links may lead backwards;
 * those that lead out of the box are not followed. A loop ends when there have been too many reads.
 */
#define ENTRIES	   446
#define ENTRY_SIZE 16
#define SIGNATURE  510

#define TYPE_PROTECTIVE 0xee

#define LOGICAL_FIRST 5

struct entry {
	uint8_t type;
	uint32_t start, count; /* in sectors */
};

static bool is_signed(const uint8_t *sector)
{
	return sector[SIGNATURE] == 0x55 && sector[SIGNATURE + 1] == 0xaa;
}

static struct entry entry_at(const uint8_t *sector, unsigned i)
{
	const uint8_t *bytes = sector + ENTRIES + i * ENTRY_SIZE;

	return (struct entry){
		.type = bytes[4], .start = get_le32(bytes + 8), .count = get_le32(bytes + 12)};
}

/* By its length, as for the kernel: the ISOs of Debian have their partition without a type. */
static bool is_used(const struct entry *entry)
{
	return entry->count > 0;
}

/* Of DOS, of Windows, of Linux. */
static bool is_extended(const struct entry *entry)
{
	return entry->type == 0x05 || entry->type == 0x0f || entry->type == 0x85;
}

bool mbr_is_protective(const uint8_t *sector)
{
	if (!is_signed(sector))
		return false;
	for (unsigned i = 0; i < 4; i++)
		if (entry_at(sector, i).type == TYPE_PROTECTIVE)
			return true;
	return false;
}

unsigned mbr_entries(const uint8_t *sector)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct entry entry = entry_at(sector, i);

		n += is_used(&entry);
	}
	return n;
}

static void measure_partition(
	struct probe *probe, uint64_t start, uint32_t count, unsigned number, const char *suffix)
{
	char where[48];

	probe_reach(probe, layout_end(start, count, SECTOR), "partition %u%s", number, suffix);
	snprintf(where, sizeof(where), " in partition %u%s", number, suffix);
	superblock_measure(probe, layout_end(start, 0, SECTOR), where);
}

/* The number of the next logical partition, given that of the first in here. */
static unsigned measure_extended(
	struct probe *probe, const struct entry *box, unsigned number, const char *suffix)
{
	uint64_t at = box->start;
	uint8_t sector[SECTOR];

	while (probe_read(probe, sector, sizeof(sector), at * SECTOR) && is_signed(sector)) {
		struct entry logical, link;

		logical = entry_at(sector, 0);
		if (is_used(&logical) && !is_extended(&logical))
			measure_partition(
				probe, at + logical.start, logical.count, number++, suffix);
		link = entry_at(sector, 1);
		if (!is_used(&link) || !is_extended(&link) || link.start >= box->count)
			break;
		at = (uint64_t)box->start + link.start;
	}
	return number;
}

unsigned mbr_measure(struct probe *probe, const char *suffix)
{
	unsigned primary = 0, logical = LOGICAL_FIRST;

	for (unsigned i = 0; i < 4; i++) {
		struct entry entry = entry_at(probe->head, i);

		if (!is_used(&entry) || entry.type == TYPE_PROTECTIVE)
			continue;
		if (is_extended(&entry)) {
			probe_reach(probe, layout_end(entry.start, entry.count, SECTOR),
				"extended partition %u%s", i + 1, suffix);
			logical = measure_extended(probe, &entry, logical, suffix);
			continue;
		}
		measure_partition(probe, entry.start, entry.count, i + 1, suffix);
		primary++;
	}
	return primary + logical - LOGICAL_FIRST;
}
