#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is it a disk image, and how far does it reach?
 *
 * The first is answered by the first MiB alone, where all that matters begins. An image is
 *
 *   GPT         a protective MBR and a sound header behind it, for sectors of 512 bytes or of 4096.
 *               A table of partitions that fails its checksum is not counted; the header is enough
 *   MBR         what libblkid takes for one, which is what the kernel does: an empty table too
 *   filesystem  whatever libblkid knows: a filesystem on the bare disk, or what a whole disk is
 *               given to: LUKS, LVM, RAID. Swap and other odds and ends are not; nor are other
 *               systems' partition tables
 *
 * and in this order where it could be several: an ISO for USB sticks is an MBR (or GPT), a FAT's
 * boot sector is none, and an empty table in front of a filesystem is its boot code.
 *
 * The second is the least size at which nothing points past the end: partitions (extended and
 * logical ones with the rest), GPT's backup header, and ext2/3/4 and FAT, bare or in a partition.
 * MBRs count in sectors of 512 bytes, as those of the disks here do.
 */

#define LAYOUT_HEAD (1u << 20) /* what decides, or all of an image that is smaller */

/*
 * Where the image's bytes are. Borrowed for the call, which calls back on its own thread, a bounded
 * number of times: the head in one read, and then at most LAYOUT_READS_MAX pieces, of at most 1 KiB
 * but for one, a table of up to 1 MiB.
 */
#define LAYOUT_READS_MAX 640

struct layout_source {
	/*
	 * All of it, always within @size; 0 or -errno. EAGAIN and ENODATA mean that it is not there
	 * to be read, or not yet: what hangs on it is left out. Any other ends the probing.
	 */
	int (*read)(void *data, void *buffer, size_t size, uint64_t offset);
	void *data;
	uint64_t size; /* what has been written so far ends here */
};

enum layout_kind {
	LAYOUT_NONE,
	LAYOUT_MBR,
	LAYOUT_GPT,
	LAYOUT_FILESYSTEM,
};

struct layout {
	enum layout_kind kind;
	/*
	 * For people: "GPT with 3 partitions", "ext4 filesystem", "crypto_LUKS volume"; of NONE what
	 * it is instead: "nothing but zeros".
	 */
	char text[64];

	/*
	 * The image ends at this byte at the earliest, and what says so: "partition 2", "the ext4
	 * filesystem in partition 2". 0 and "": unknown. UINT64_MAX: past all bounds.
	 */
	uint64_t reaches;
	char last[64];

	/* Something further on was not there to be read. It may reach further, never less far. */
	bool partial;
};

/*
 * Any thread. 0, also where it is no image; -EAGAIN or -ENODATA: the head is not there yet; what
 * else the source answered; -ENOMEM, and what the kernel says where it has no memory file for us
 * (EMFILE, ENFILE); -EIO: libblkid gave up.
 */
int layout_probe(const struct layout_source *source, struct layout *ret_layout);

/* "partition 2 ends at byte 8388608, and only 8388607 bytes are there" */
void layout_explain(const struct layout *layout, uint64_t size, char *text, size_t text_size);
