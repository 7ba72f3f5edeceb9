#include "layout/internal.h"

/*
 * The size that a filesystem gives itself. Whether it really is one, is asked with some rigour, for
 * a partition may hold anything, and what is found at its start may be a leftover.
 */

/* Linux, Documentation/filesystems/ext4/super.rst. */
#define EXT_OFFSET	  1024
#define EXT_SIZE	  1024
#define EXT_BLOCKS	  0x04
#define EXT_FIRST_BLOCK	  0x14
#define EXT_BLOCK_LOG	  0x18 /* of its size in KiB */
#define EXT_MAGIC	  0x38
#define EXT_REVISION	  0x4c
#define EXT_COMPAT	  0x5c
#define EXT_INCOMPAT	  0x60
#define EXT_RO_COMPAT	  0x64
#define EXT_BLOCKS_HIGH	  0x150
#define COMPAT_JOURNAL	  0x4u
#define INCOMPAT_64BIT	  0x80u
#define INCOMPAT_OF_EXT3  0x16u /* filetype, recover, meta_bg: anything more is ext4's */
#define RO_COMPAT_OF_EXT3 0x7u	/* sparse_super, large_file, btree_dir */

/* ext's features came with its revision 1. */
static const char *ext_name(const uint8_t *sb)
{
	if (get_le32(sb + EXT_REVISION) == 0)
		return "ext2";
	if (get_le32(sb + EXT_INCOMPAT) & ~INCOMPAT_OF_EXT3 ||
		get_le32(sb + EXT_RO_COMPAT) & ~RO_COMPAT_OF_EXT3)
		return "ext4";
	return get_le32(sb + EXT_COMPAT) & COMPAT_JOURNAL ? "ext3" : "ext2";
}

/* Bytes, or 0 where it is none. */
static uint64_t ext_size(const uint8_t *sb)
{
	uint32_t log = get_le32(sb + EXT_BLOCK_LOG);
	uint64_t blocks = get_le32(sb + EXT_BLOCKS);

	if (get_le16(sb + EXT_MAGIC) != 0xef53 || log > 6 || get_le32(sb + EXT_FIRST_BLOCK) > 1)
		return 0;
	if (get_le32(sb + EXT_REVISION) > 0 && get_le32(sb + EXT_INCOMPAT) & INCOMPAT_64BIT)
		blocks |= (uint64_t)get_le32(sb + EXT_BLOCKS_HIGH) << 32;
	return layout_end(blocks, 0, 1024u << log);
}

/* Microsoft's fatgen103, "Boot Sector and BPB". */
#define FAT_SECTOR_SIZE	  11
#define FAT_CLUSTER	  13
#define FAT_RESERVED	  14
#define FAT_FATS	  16
#define FAT_ROOT_ENTRIES  17
#define FAT_SECTORS_SMALL 19
#define FAT_MEDIA	  21
#define FAT_LENGTH_SMALL  22
#define FAT_SECTORS	  32
#define FAT_LENGTH	  36

#define FAT12_CLUSTERS 4085 /* so many are too many */

static bool is_power_of_2(uint32_t n)
{
	return n > 0 && (n & (n - 1)) == 0;
}

static uint32_t fat_sectors(const uint8_t *boot)
{
	uint32_t small = get_le16(boot + FAT_SECTORS_SMALL);

	return small ? small : get_le32(boot + FAT_SECTORS);
}

static const char *fat_name(const uint8_t *boot)
{
	uint32_t length = get_le16(boot + FAT_LENGTH_SMALL);
	uint32_t sector = get_le16(boot + FAT_SECTOR_SIZE);
	uint32_t root = (get_le16(boot + FAT_ROOT_ENTRIES) * 32u + sector - 1) / sector;
	uint64_t before = get_le16(boot + FAT_RESERVED) + (uint64_t)boot[FAT_FATS] * length + root;
	uint32_t sectors = fat_sectors(boot);

	if (length == 0)
		return "FAT32";
	if (sectors > before && (sectors - before) / boot[FAT_CLUSTER] >= FAT12_CLUSTERS)
		return "FAT16";
	return "FAT12";
}

/* Bytes, or 0 where it is none. NTFS and exFAT, which look alike, have no FATs and no reserved. */
static uint64_t fat_size(const uint8_t *boot)
{
	uint32_t sector = get_le16(boot + FAT_SECTOR_SIZE);
	uint8_t media = boot[FAT_MEDIA];

	if (boot[SECTOR - 2] != 0x55 || boot[SECTOR - 1] != 0xaa ||
		(boot[0] != 0xeb && boot[0] != 0xe9))
		return 0;
	if (!is_power_of_2(sector) || sector < 512 || sector > 4096 ||
		!is_power_of_2(boot[FAT_CLUSTER]) || (media < 0xf8 && media != 0xf0))
		return 0;
	if (get_le16(boot + FAT_RESERVED) == 0 || boot[FAT_FATS] == 0 || boot[FAT_FATS] > 2 ||
		(get_le16(boot + FAT_LENGTH_SMALL) == 0 && get_le32(boot + FAT_LENGTH) == 0))
		return 0;
	return layout_end(fat_sectors(boot), 0, sector);
}

/*
 * FAT first: mke2fs wipes a boot sector, while an ext superblock may outlive mkfs.vfat in the
 * reserved sectors.
 */
static const char *find(struct probe *probe, uint64_t offset, uint64_t *ret_size)
{
	uint8_t bytes[EXT_SIZE];

	if (probe_read(probe, bytes, SECTOR, offset)) {
		*ret_size = fat_size(bytes);
		if (*ret_size > 0)
			return fat_name(bytes);
	}
	if (probe_read(probe, bytes, EXT_SIZE, layout_end(offset, EXT_OFFSET, 1))) {
		*ret_size = ext_size(bytes);
		if (*ret_size > 0)
			return ext_name(bytes);
	}
	return NULL;
}

const char *superblock_measure(struct probe *probe, uint64_t offset, const char *where)
{
	uint64_t size;
	const char *name = find(probe, offset, &size);

	if (name)
		probe_reach(probe, layout_end(offset, size, 1), "the %s filesystem%s", name, where);
	return name;
}
