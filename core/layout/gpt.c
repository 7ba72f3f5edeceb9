#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "layout/internal.h"
#include "util/cleanup.h"

/*
 * The header lies in the second sector, whatever a sector is, and its copy in the last. UEFI 2.10,
 * section 5.3. What is checked is what the kernel checks, save what takes the disk's size.
 */
#define HEADER_SIGNATURE  "EFI PART"
#define HEADER_SIZE	  12
#define HEADER_CRC	  16
#define HEADER_OWN	  24
#define HEADER_BACKUP	  32
#define HEADER_FIRST	  40
#define HEADER_LAST	  48
#define HEADER_TABLE	  72
#define HEADER_ENTRIES	  80
#define HEADER_ENTRY_SIZE 84
#define HEADER_TABLE_CRC  88
#define HEADER_SIZE_MIN	  92
#define SECTOR_MAX	  4096

#define ENTRY_SIZE_MIN 128
#define ENTRY_FIRST    32
#define ENTRY_LAST     40

#define TABLE_SIZE_MAX (1u << 20) /* the usual one has 16 KiB */

struct table {
	uint64_t offset;
	uint32_t entries, entry_size;
};

/* As in Ethernet and zip: reflected, 0x04c11db7. */
static uint32_t crc32_add(uint32_t crc, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

uint32_t gpt_crc32(const uint8_t *bytes, size_t size)
{
	return ~crc32_add(UINT32_MAX, bytes, size);
}

/* The header's own, which is made with zeros in its place. */
static uint32_t header_crc(const uint8_t *header, uint32_t size)
{
	static const uint8_t zeros[4];
	uint32_t crc = crc32_add(UINT32_MAX, header, HEADER_CRC);

	crc = crc32_add(crc, zeros, sizeof(zeros));
	return ~crc32_add(crc, header + HEADER_CRC + 4, size - HEADER_CRC - 4);
}

static bool is_sound(const uint8_t *header, uint32_t sector)
{
	uint32_t size = get_le32(header + HEADER_SIZE);

	return memcmp(header, HEADER_SIGNATURE, strlen(HEADER_SIGNATURE)) == 0 &&
	       size >= HEADER_SIZE_MIN && size <= sector &&
	       header_crc(header, size) == get_le32(header + HEADER_CRC) &&
	       get_le64(header + HEADER_OWN) == 1 &&
	       get_le64(header + HEADER_FIRST) <= get_le64(header + HEADER_LAST);
}

uint32_t gpt_find(const uint8_t *head)
{
	for (uint32_t sector = SECTOR; sector <= SECTOR_MAX; sector *= 2)
		if (is_sound(head + sector, sector))
			return sector;
	return 0;
}

static bool find_table(const uint8_t *header, uint32_t sector, struct table *ret_table)
{
	struct table table = {
		.offset = layout_end(get_le64(header + HEADER_TABLE), 0, sector),
		.entries = get_le32(header + HEADER_ENTRIES),
		.entry_size = get_le32(header + HEADER_ENTRY_SIZE),
	};

	if (table.entry_size < ENTRY_SIZE_MIN || table.entry_size % ENTRY_SIZE_MIN != 0 ||
		table.entries == 0 || table.entries > TABLE_SIZE_MAX / table.entry_size)
		return false;
	*ret_table = table;
	return true;
}

/* False: unused, or ends before it begins. */
static bool measure_entry(
	struct probe *probe, const uint8_t *entry, unsigned number, uint32_t sector)
{
	static const uint8_t unused[16];
	uint64_t first = get_le64(entry + ENTRY_FIRST), last = get_le64(entry + ENTRY_LAST);
	char where[48];

	if (memcmp(entry, unused, sizeof(unused)) == 0 || first > last)
		return false;
	probe_reach(probe, layout_end(last, 1, sector), "partition %u", number);
	snprintf(where, sizeof(where), " in partition %u", number);
	superblock_measure(probe, layout_end(first, 0, sector), where);
	return true;
}

/* The number of partitions, or -ENOENT if that cannot be known. */
static int measure_table(struct probe *probe, const uint8_t *header, uint32_t sector)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct table table;
	size_t size;
	int n = 0;

	if (!find_table(header, sector, &table))
		return -ENOENT;
	size = (size_t)table.entries * table.entry_size;
	bytes = malloc(size);
	if (!bytes) {
		probe->error = -ENOMEM;
		return -ENOENT;
	}
	if (!probe_read(probe, bytes, size, table.offset) ||
		gpt_crc32(bytes, size) != get_le32(header + HEADER_TABLE_CRC))
		return -ENOENT;
	for (unsigned i = 0; i < table.entries; i++)
		n += measure_entry(probe, bytes + (size_t)i * table.entry_size, i + 1, sector);
	return n;
}

void gpt_measure(struct probe *probe, uint32_t sector)
{
	const uint8_t *header = probe->head + sector;
	uint64_t backup = get_le64(header + HEADER_BACKUP);
	struct layout *layout = &probe->layout;
	int n = measure_table(probe, header, sector);

	layout->kind = LAYOUT_GPT;
	if (n >= 0)
		snprintf(layout->text, sizeof(layout->text), "GPT with %d partition%s", n,
			n == 1 ? "" : "s");
	else
		snprintf(layout->text, sizeof(layout->text), "GPT%s",
			layout->partial ? "" : " with a damaged table of partitions");
	if (backup > 1)
		probe_reach(probe, layout_end(backup, 1, sector), "the backup of the GPT");
	/* A hybrid's own partitions, for those who read no GPT. */
	mbr_measure(probe, " of the MBR");
}
