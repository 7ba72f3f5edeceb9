#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sidecar/bmap.h"
#include "sidecar/xml.h"

/*
 *	bmap.c      the whole: its own checksum, whether its numbers agree
 *	elements.c  each element by itself
 *	xml.c       the syntax
 */

/* How checksums are written, which is all that changed between versions. */
enum dialect {
	DIALECT_NO_SUMS = 1 << 0,
	DIALECT_SHA1 = 1 << 1,
	DIALECT_NAMED = 1 << 2,
	DIALECT_ANY = DIALECT_NO_SUMS | DIALECT_SHA1 | DIALECT_NAMED,
};

enum element {
	IMAGE_SIZE,
	BLOCK_SIZE,
	BLOCKS_COUNT,
	MAPPED_BLOCKS_COUNT,
	CHECKSUM_TYPE,
	FILE_CHECKSUM,
	FILE_SHA1,
	BLOCK_MAP,
	N_ELEMENTS,
};

struct bmap_element {
	const char *name;
	unsigned dialects;
};

extern const struct bmap_element bmap_elements[N_ELEMENTS];

struct reader {
	struct bmap *bmap;
	size_t room; /* of the ranges */
	enum dialect dialect;
	bool seen[N_ELEMENTS];
	bool in_map;
	const char *sum; /* the file's own, where it stands in its text */
	struct digest *digest;
	char *why;
	size_t why_size;
};

/* Leaves the words, and gives back @error. */
int bmap_refuse(struct reader *reader, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

extern const struct xml_visitor bmap_visitor; /* its data is the reader */
