#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

/*
 * The last lines that were said, and readers who are each at a line of their own. A line that is too old makes room
 * for a new one, and who has not read it is told how many he missed: so memory is bounded, and no reader holds up
 * another. Pure but for the memory; whoever has it guards it.
 */
#define FS_RING_LINES 1024

struct fs_ring {
	struct fs_text lines[FS_RING_LINES]; /* line n at n % FS_RING_LINES */
	uint64_t next; /* the number of the next line; numbers are not used twice */
};

struct fs_ring_reader {
	uint64_t next;	     /* the line that he has not seen yet */
	struct fs_text text; /* comes before it: his own lines, or the rest of one that was split */
	size_t done;	     /* bytes of it that he has read */
};

/* A line about @lines lines that were missed. 0 or -ENOMEM. */
typedef int (*fs_ring_missed)(uint64_t lines, struct fs_text *ret_text);

void fs_ring_init(struct fs_ring *ring);
void fs_ring_fini(struct fs_ring *ring);

/* Lines, each with its newline at the end. 0, or -ENOMEM: what is left of them counts as missed by all. */
int fs_ring_add(struct fs_ring *ring, const struct fs_text *text);

/* A reader of what comes from now on. Takes @text over, which he reads first. */
void fs_ring_reader_init(
	struct fs_ring_reader *reader, const struct fs_ring *ring, struct fs_text text);
void fs_ring_reader_fini(struct fs_ring_reader *reader);

bool fs_ring_has(const struct fs_ring *ring, const struct fs_ring_reader *reader);

/*
 * As many whole lines as there is room for; of one that is longer than all of @size, as much as there is room for,
 * and the rest at the next read. Returns the bytes, 0 where there is nothing new.
 */
size_t fs_ring_read(const struct fs_ring *ring, struct fs_ring_reader *reader,
	fs_ring_missed missed, char *buffer, size_t size);
