#include "layout-fixture.h"

#include "layout/internal.h"

/* Images by hand: what is none, what is broken, and what means harm. */

#define GPT_TABLE_SECTOR 2
#define GPT_ENTRIES	 128

static void seal_gpt(struct paper *paper, uint32_t sector)
{
	uint8_t *header = paper->bytes + sector;

	put32(header + 88, gpt_crc32(paper->bytes + GPT_TABLE_SECTOR * sector, GPT_ENTRIES * 128));
	put32(header + 16, 0);
	put32(header + 16, gpt_crc32(header, 92));
}

static void set_gpt_partition(
	struct paper *paper, uint32_t sector, unsigned i, uint64_t first, uint64_t last)
{
	uint8_t *entry = paper->bytes + GPT_TABLE_SECTOR * sector + 128 * i;

	memset(entry, 0x11, 16);
	put64(entry + 32, first);
	put64(entry + 40, last);
	seal_gpt(paper, sector);
}

/* One partition, and the backup in sector @backup. */
static struct paper *gpt_new(uint64_t size, uint32_t sector, uint64_t backup)
{
	struct paper *paper = paper_new(size);
	uint8_t *header = paper->bytes + sector;

	put_entry(paper->bytes, 0, 0xee, 1, UINT32_MAX);
	memcpy(header, "EFI PART\0\0\1\0", 12);
	put32(header + 12, 92);
	put64(header + 24, 1);
	put64(header + 32, backup);
	put64(header + 40, 34);
	put64(header + 48, backup - 33);
	put64(header + 72, GPT_TABLE_SECTOR);
	put32(header + 80, GPT_ENTRIES);
	put32(header + 84, 128);
	set_gpt_partition(paper, sector, 0, 2048, 4095);
	return paper;
}

static void assert_none(struct paper *paper, const char *text)
{
	struct layout layout = paper_probe(paper);

	assert_layout(layout, LAYOUT_NONE, text, 0, "");
	assert_false(layout.partial);
}

static void nothing_is_no_image(void **state)
{
	struct paper *paper = paper_new(0);

	assert_none(paper, "nothing at all");
	paper->size = 700;
	assert_none(paper, "nothing but zeros");
	paper->size = 3 * MIB;
	assert_none(paper, "nothing but zeros");
	free(paper);
}

static void other_files_are_no_images(void **state)
{
	static const char *const magics[] = {"\x89PNG\r\n\x1a\n",
		"\x7f"
		"ELF\2\1\1",
		"\x1f\x8b\x08", "%PDF-1.7\n", "PK\3\4", "Dear reader,\n",
		"\xfd"
		"7zXZ",
		"#!/bin/sh\n"};
	static const char unknown[] = "no partition table and no known filesystem";
	struct paper *paper = paper_new(PAPER_SIZE);
	uint64_t random = 0x2545f4914f6cdd1d;

	for (unsigned i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		for (size_t at = 0; at < PAPER_SIZE; at++) {
			random ^= random >> 12;
			random ^= random << 25;
			random ^= random >> 27;
			/* Text to the end of the first half of them, anything in the others. */
			paper->bytes[at] = (uint8_t)(i % 2 ? ' ' + random % 90 : random >> 7);
		}
		assert_none(paper, unknown);
		memcpy(paper->bytes, magics[i], strlen(magics[i]));
		assert_none(paper, unknown);
	}
	free(paper);
}

static void what_is_smaller_than_the_head_is_judged_as_it_is(void **state)
{
	struct paper *paper = paper_new(512);
	struct layout layout;

	put_entry(paper->bytes, 0, 0x83, 2048, 8);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_MBR, "MBR with 1 partition", 2056 * 512, "partition 1");
	assert_true(layout.partial);
	free(paper);
}

static void a_head_that_is_not_there_yet_is_asked_for_later(void **state)
{
	struct paper *paper = gpt_new(8 * MIB, 512, 8 * MIB / 512 - 1);
	struct layout layout = {.reaches = 42};

	paper->absent_from = LAYOUT_HEAD - 1;
	assert_int_equal(paper_try(paper, &layout), -EAGAIN);
	assert_int_equal(layout.reaches, 42);

	paper->absent_from = LAYOUT_HEAD;
	assert_int_equal(paper_try(paper, &layout), 0);
	assert_true(layout.partial);

	paper->absent_from = UINT64_MAX;
	paper->error = -EIO;
	layout.reaches = 42;
	assert_int_equal(paper_try(paper, &layout), -EIO);
	assert_int_equal(layout.reaches, 42);
	free(paper);
}

static void an_iso_for_usb_sticks_is_an_mbr(void **state)
{
	struct paper *paper = paper_new(PAPER_SIZE);
	struct layout layout;

	memcpy(paper->bytes + 32768, "\1CD001\1", 7);
	memcpy(paper->bytes + 34816, "\377CD001\1", 7);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_FILESYSTEM, "iso9660 filesystem", 0, "");

	paper->bytes[446] = 0x80;
	put_entry(paper->bytes, 0, 0, 0, PAPER_SIZE / 512);
	put_entry(paper->bytes, 1, 0xef, 100, 200);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_MBR, "MBR with 2 partitions", PAPER_SIZE, "partition 1");
	free(paper);
}

static void put_fat16(uint8_t *boot, uint32_t sectors)
{
	memcpy(boot, "\xeb\x3c\x90mkfs.fat", 11);
	put16(boot + 11, 512);
	boot[13] = 4;
	put16(boot + 14, 4);
	boot[16] = 2;
	put16(boot + 17, 512);
	boot[21] = 0xf8;
	put16(boot + 22, 40);
	put32(boot + 32, sectors);
	memcpy(boot + 54, "FAT16   ", 8);
	boot[510] = 0x55;
	boot[511] = 0xaa;
}

static void a_fat_is_not_an_empty_mbr(void **state)
{
	struct paper *paper = paper_new(PAPER_SIZE);
	struct layout layout;

	put_fat16(paper->bytes, 40000);
	layout = paper_probe(paper);
	assert_layout(
		layout, LAYOUT_FILESYSTEM, "FAT16 filesystem", 40000 * 512, "the FAT16 filesystem");

	/* With an empty table in front of a filesystem, too, that is what it is. */
	memset(paper->bytes, 0, 512);
	put_entry(paper->bytes, 0, 0, 0, 0);
	memcpy(paper->bytes + 32768, "\1CD001\1", 7);
	memcpy(paper->bytes + 34816, "\377CD001\1", 7);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_FILESYSTEM, "iso9660 filesystem", 0, "");
	put_fat16(paper->bytes, 40000);

	/* Cut behind the boot sector. */
	paper->size = 512;
	layout = paper_probe(paper);
	assert_int_equal(layout.reaches, 40000 * 512);
	free(paper);
}

static void what_mkfs_vfat_left_of_ext_does_not_count(void **state)
{
	struct paper *paper = paper_new(PAPER_SIZE);
	uint8_t *partition = paper->bytes + MIB;
	struct layout layout;

	put_entry(paper->bytes, 0, 0xc, 2048, 4096);
	put32(partition + 1024 + 0x04, 1 << 20);
	put16(partition + 1024 + 0x38, 0xef53);
	layout = paper_probe(paper);
	assert_string_equal(layout.last, "the ext2 filesystem in partition 1");
	assert_int_equal(layout.reaches, MIB + GIB);

	put32(partition + 1024 + 0x18, 7);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_MBR, "MBR with 1 partition", 3 * MIB, "partition 1");

	put32(partition + 1024 + 0x18, 0);
	put_fat16(partition, 4096);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_MBR, "MBR with 1 partition", 3 * MIB, "partition 1");
	free(paper);
}

static void ext_counts_its_blocks_with_64_bits_if_it_says_so(void **state)
{
	struct paper *paper = paper_new(PAPER_SIZE);
	uint8_t *sb = paper->bytes + 1024;
	struct layout layout;

	put32(sb + 0x04, 5);
	put32(sb + 0x18, 2);
	put16(sb + 0x38, 0xef53);
	put32(sb + 0x4c, 1);
	put32(sb + 0x60, 0x2 | 0x40);
	put32(sb + 0x150, 3);
	layout = paper_probe(paper);
	assert_layout(
		layout, LAYOUT_FILESYSTEM, "ext4 filesystem", 5 * 4096, "the ext4 filesystem");
	put32(sb + 0x60, 0x2 | 0x40 | 0x80);
	layout = paper_probe(paper);
	assert_int_equal(layout.reaches, ((3ull << 32) + 5) * 4096);
	put32(sb + 0x150, UINT32_MAX);
	layout = paper_probe(paper);
	assert_int_equal(layout.reaches, UINT64_MAX);

	put32(sb + 0x18, 60);
	layout = paper_probe(paper);
	assert_int_equal(layout.reaches, 0);
	free(paper);
}

static void luks_and_raid_on_the_bare_disk_are_volumes(void **state)
{
	struct paper *paper = paper_new(PAPER_SIZE);
	struct layout layout;

	memcpy(paper->bytes, "LUKS\xba\xbe\0\1", 8);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_FILESYSTEM, "crypto_LUKS volume", 0, "");
	free(paper);

	paper = paper_new(PAPER_SIZE);
	put32(paper->bytes + 4096, 0xa92b4efc);
	put32(paper->bytes + 4096 + 4, 1);
	put64(paper->bytes + 4096 + 144, 8);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_FILESYSTEM, "linux_raid_member volume", 0, "");
	free(paper);
}

static void an_mbr_reaches_past_2_tib_without_a_wrap(void **state)
{
	struct paper *paper = paper_new(PAPER_SIZE);
	struct layout layout;

	put_entry(paper->bytes, 3, 0x83, UINT32_MAX, UINT32_MAX);
	layout = paper_probe(paper);
	assert_layout(
		layout, LAYOUT_MBR, "MBR with 1 partition", 2ull * UINT32_MAX * 512, "partition 4");
	free(paper);
}

static void a_loop_of_logical_partitions_comes_to_an_end(void **state)
{
	struct paper *paper = paper_new(PAPER_SIZE);
	uint8_t *first = paper->bytes + MIB, *second = paper->bytes + 2 * MIB;
	struct layout layout;

	/* Each of four boxes, which are one, leads to the next sector, and that to the first. */
	for (unsigned i = 0; i < 4; i++)
		put_entry(paper->bytes, i, 0x0f, 2048, 6144);
	put_entry(first, 0, 0x83, 1, 1);
	put_entry(first, 1, 0x05, 2048, 1);
	put_entry(second, 0, 0x83, 1, 1);
	put_entry(second, 1, 0x05, 0, 2048);
	layout = paper_probe(paper);
	assert_int_equal(layout.kind, LAYOUT_MBR);
	assert_int_equal(layout.reaches, 4 * MIB);
	assert_true(layout.partial);
	free(paper);
}

static void links_out_of_the_box_are_not_followed(void **state)
{
	struct paper *paper = paper_new(PAPER_SIZE);
	uint8_t *first = paper->bytes + MIB;
	struct layout layout;

	put_entry(paper->bytes, 1, 0x85, 2048, 2048);
	put_entry(first, 0, 0x83, 8, 8);
	put_entry(first, 1, 0x05, 2048, 8);
	put_entry(paper->bytes + 2 * MIB, 0, 0x83, 1, 1 << 30);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_MBR, "MBR with 1 partition", 2 * MIB, "extended partition 2");

	/* Further back in the box they are: the order on the disk is not that of the chain. */
	put_entry(first, 1, 0x05, 1024, 8);
	put_entry(paper->bytes + MIB + 1024 * 512, 0, 0x83, 1, 8);
	put_entry(paper->bytes + MIB + 1024 * 512, 1, 0x05, 512, 8);
	put_entry(paper->bytes + MIB + 512 * 512, 0, 0x83, 1, 4096);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_MBR, "MBR with 3 partitions", MIB + (512 + 1 + 4096) * 512,
		"partition 7");
	free(paper);
}

static void a_gpt_by_hand_is_as_good_as_another(void **state)
{
	static const uint32_t sectors[] = {512, 4096};

	for (unsigned i = 0; i < 2; i++) {
		struct paper *paper = gpt_new(20 * MIB, sectors[i], 5000);
		struct layout layout = paper_probe(paper);

		assert_layout(layout, LAYOUT_GPT, "GPT with 1 partition", 5001 * sectors[i],
			"the backup of the GPT");
		set_gpt_partition(paper, sectors[i], 127, 10, 9999);
		layout = paper_probe(paper);
		assert_layout(layout, LAYOUT_GPT, "GPT with 2 partitions", 10000 * sectors[i],
			"partition 128");
		free(paper);
	}
}

static void a_hybrids_own_partitions_count_too(void **state)
{
	struct paper *paper = gpt_new(8 * MIB, 512, 8 * MIB / 512 - 1);
	struct layout layout;

	put_entry(paper->bytes, 2, 0x0c, 2048, 1 << 20);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_GPT, "GPT with 1 partition", MIB + GIB / 2,
		"partition 3 of the MBR");
	free(paper);
}

static void a_gpt_that_nobody_protects_is_an_mbr(void **state)
{
	struct paper *paper = gpt_new(8 * MIB, 512, 8 * MIB / 512 - 1);
	struct layout layout;

	put_entry(paper->bytes, 0, 0x83, 2048, 16);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_MBR, "MBR with 1 partition", 2064 * 512, "partition 1");
	free(paper);
}

static void a_gpt_with_a_broken_header_is_none(void **state)
{
	/* Signature, size, checksum, own place. */
	static const unsigned places[] = {512, 512 + 12, 512 + 15, 512 + 16, 512 + 24};
	struct paper *paper = gpt_new(8 * MIB, 512, 8 * MIB / 512 - 1);

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		paper->bytes[places[i]] ^= 0x80;
		assert_none(paper, "GPT with a damaged header");
		paper->bytes[places[i]] ^= 0x80;
	}
	put64(paper->bytes + 512 + 24, 2);
	seal_gpt(paper, 512);
	assert_none(paper, "GPT with a damaged header");
	put64(paper->bytes + 512 + 24, 1);
	put64(paper->bytes + 512 + 40, UINT64_MAX);
	seal_gpt(paper, 512);
	assert_none(paper, "GPT with a damaged header");
	free(paper);
}

static void a_damaged_table_leaves_the_backup(void **state)
{
	struct paper *paper = gpt_new(8 * MIB, 512, 8 * MIB / 512 - 1);
	struct layout layout;

	paper->bytes[1024 + 45] = 1;
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_GPT, "GPT with a damaged table of partitions", 8 * MIB,
		"the backup of the GPT");
	free(paper);
}

static void a_gpt_means_no_harm(void **state)
{
	static const struct {
		unsigned place;
		uint64_t value;
	} odd[] = {
		{80, 0},
		{80, UINT32_MAX | 128ull << 32},
		{80, 1 | 0ull << 32},
		{80, 4 | 129ull << 32},
		{80, 1 | (uint64_t)UINT32_MAX << 32},
		{80, 0x80000000 | 0x80000000ull << 32},
		{72, UINT64_MAX},
		{72, UINT64_MAX / 512},
		{72, 0},
		{72, 1ull << 40},
	};
	struct paper *paper;
	struct layout layout;

	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		paper = gpt_new(8 * MIB, 512, 8 * MIB / 512 - 1);
		put64(paper->bytes + 512 + odd[i].place, odd[i].value);
		seal_gpt(paper, 512);
		layout = paper_probe(paper);
		assert_int_equal(layout.kind, LAYOUT_GPT);
		assert_int_equal(layout.reaches, 8 * MIB);
		free(paper);
	}

	paper = gpt_new(8 * MIB, 512, UINT64_MAX);
	layout = paper_probe(paper);
	assert_int_equal(layout.reaches, UINT64_MAX);
	free(paper);

	paper = gpt_new(8 * MIB, 512, 16383);
	set_gpt_partition(paper, 512, 1, 4096, 1ull << 60);
	set_gpt_partition(paper, 512, 2, 9, 8);
	layout = paper_probe(paper);
	assert_layout(layout, LAYOUT_GPT, "GPT with 2 partitions", UINT64_MAX, "partition 2");
	free(paper);
}

static void a_thousand_partitions_do_not_make_a_thousand_reads(void **state)
{
	struct paper *paper = gpt_new(8 * GIB, 512, 8 * GIB / 512 - 1);
	uint8_t *header = paper->bytes + 512;
	struct layout layout;

	for (unsigned i = 0; i < 8192; i++) {
		uint8_t *entry = paper->bytes + 1024 + 128 * i;

		memset(entry, 0x11, 16);
		put64(entry + 32, 8192 + i);
		put64(entry + 40, 8192 + i);
	}
	put32(header + 80, 8192);
	put32(header + 88, gpt_crc32(paper->bytes + 1024, MIB));
	put32(header + 16, 0);
	put32(header + 16, gpt_crc32(header, 92));
	layout = paper_probe(paper);
	assert_string_equal(layout.text, "GPT with 8192 partitions");
	assert_true(layout.partial);
	assert_int_equal(layout.reaches, 8 * GIB);
	free(paper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_no_image),
		cmocka_unit_test(other_files_are_no_images),
		cmocka_unit_test(what_is_smaller_than_the_head_is_judged_as_it_is),
		cmocka_unit_test(a_head_that_is_not_there_yet_is_asked_for_later),
		cmocka_unit_test(an_iso_for_usb_sticks_is_an_mbr),
		cmocka_unit_test(a_fat_is_not_an_empty_mbr),
		cmocka_unit_test(what_mkfs_vfat_left_of_ext_does_not_count),
		cmocka_unit_test(ext_counts_its_blocks_with_64_bits_if_it_says_so),
		cmocka_unit_test(luks_and_raid_on_the_bare_disk_are_volumes),
		cmocka_unit_test(an_mbr_reaches_past_2_tib_without_a_wrap),
		cmocka_unit_test(a_loop_of_logical_partitions_comes_to_an_end),
		cmocka_unit_test(links_out_of_the_box_are_not_followed),
		cmocka_unit_test(a_gpt_by_hand_is_as_good_as_another),
		cmocka_unit_test(a_hybrids_own_partitions_count_too),
		cmocka_unit_test(a_gpt_that_nobody_protects_is_an_mbr),
		cmocka_unit_test(a_gpt_with_a_broken_header_is_none),
		cmocka_unit_test(a_damaged_table_leaves_the_backup),
		cmocka_unit_test(a_gpt_means_no_harm),
		cmocka_unit_test(a_thousand_partitions_do_not_make_a_thousand_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
