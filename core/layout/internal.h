#pragma once

#include "layout/layout.h"
#include "util/le.h"

/*
 * Within the room:
 *
 *   layout.c      the order of things
 *   head.c        the first MiB, in memory that libblkid can read as a file
 *   signature.c   what libblkid makes of it; all that knows of libblkid
 *   probe.c       reading, within bounds, and noting how far it reaches
 *   mbr.c gpt.c   tables
 *   superblock.c  ext2/3/4 and FAT
 *
 * All but head.c and signature.c is pure, but for the source's read. The image is hostile: loops
 * end by the number of reads, and all sums saturate.
 */

#define SECTOR 512u

struct probe {
	const struct layout_source *source;
	const uint8_t *head; /* LAYOUT_HEAD bytes; zeros from the source's size on */
	struct layout layout;
	unsigned reads;
	int error; /* the source's, or ENOMEM; it sticks; negative */
};

/*
 * Exactly @size bytes. False: they are not there, which makes the layout partial, or there was an
 * error, now or before.
 */
bool probe_read(struct probe *probe, void *buffer, size_t size, uint64_t offset);

/* Something ends at @end. @format: what it is. */
void probe_reach(struct probe *probe, uint64_t end, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* (@start + @count) * @unit, or UINT64_MAX where that is more than there are numbers. */
uint64_t layout_end(uint64_t start, uint64_t count, uint32_t unit);

/* The image's head, and the file it is in. */
struct layout_head {
	int fd;
	uint8_t *bytes; /* LAYOUT_HEAD */
};

/* A head of zeros. -errno: see layout_probe. */
int layout_head_init(struct layout_head *head);
void layout_head_fini(struct layout_head *head); /* also of one whose init failed */

/* As far as libblkid can tell. */
struct signature {
	bool mbr;
	bool filesystem; /* else another kind of volume */
	char type[32];	 /* libblkid's name of it; "" where there is none */
};

/* 0, or -ENOMEM or -EIO. */
int signature_find(const struct layout_head *head, struct signature *ret_signature);

/*
 * mbr.c. protective: its one task is to hide a GPT from those who know of none. measure: returns
 * the number of partitions; @suffix goes behind their names.
 */
bool mbr_is_protective(const uint8_t *sector);
unsigned mbr_entries(const uint8_t *sector); /* that are used */
unsigned mbr_measure(struct probe *probe, const char *suffix);

/* gpt.c. find: the sector's size, or 0 where there is no sound header. */
uint32_t gpt_find(const uint8_t *head);
void gpt_measure(struct probe *probe, uint32_t sector);
uint32_t gpt_crc32(const uint8_t *bytes, size_t size);

/*
 * superblock.c. A filesystem at @offset, if it is one of those known here; @where goes behind its
 * name: " in partition 2". Returns the name, "FAT32", or NULL.
 */
const char *superblock_measure(struct probe *probe, uint64_t offset, const char *where);

/* layout.c. What remains once the head is there and looked at; 0 or the probe's error. */
int layout_judge(struct probe *probe, const struct signature *signature);
