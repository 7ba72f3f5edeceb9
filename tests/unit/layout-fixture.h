#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layout/layout.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/*
 * An image in memory, as a head of a few MiB and zeros behind it up to any size; what the prober
 * asks for is held against the contract.
 */
#define PAPER_SIZE (4 * MIB)

struct paper {
	uint8_t bytes[PAPER_SIZE];
	uint64_t size;	      /* said to be there */
	uint64_t absent_from; /* -EAGAIN for whatever ends behind it */
	int error;	      /* of every read but the head's */
	unsigned reads;
};

static inline struct paper *paper_new(uint64_t size)
{
	struct paper *paper = calloc(1, sizeof(*paper));

	assert_non_null(paper);
	paper->size = size;
	paper->absent_from = UINT64_MAX;
	return paper;
}

static inline int paper_read(void *data, void *buffer, size_t size, uint64_t offset)
{
	struct paper *paper = data;
	size_t there = 0;

	assert_true(size > 0 && size <= paper->size && offset <= paper->size - size);
	assert_true(paper->reads++ <= LAYOUT_READS_MAX);
	if (offset + size > paper->absent_from)
		return -EAGAIN;
	if (offset > 0 && paper->error)
		return paper->error;
	if (offset < PAPER_SIZE)
		there = PAPER_SIZE - offset < size ? PAPER_SIZE - offset : size;
	memcpy(buffer, paper->bytes + offset, there);
	memset((uint8_t *)buffer + there, 0, size - there);
	return 0;
}

static inline int paper_try(struct paper *paper, struct layout *ret_layout)
{
	struct layout_source source = {.read = paper_read, .data = paper, .size = paper->size};

	paper->reads = 0;
	return layout_probe(&source, ret_layout);
}

static inline struct layout paper_probe(struct paper *paper)
{
	struct layout layout;

	assert_int_equal(paper_try(paper, &layout), 0);
	return layout;
}

static inline void put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
}

static inline void put32(uint8_t *bytes, uint32_t value)
{
	put16(bytes, (uint16_t)value);
	put16(bytes + 2, (uint16_t)(value >> 16));
}

static inline void put64(uint8_t *bytes, uint64_t value)
{
	put32(bytes, (uint32_t)value);
	put32(bytes + 4, (uint32_t)(value >> 32));
}

/* Entry @i, from 0, of an MBR or an EBR at @sector, which it also signs. */
static inline void put_entry(
	uint8_t *sector, unsigned i, uint8_t type, uint32_t start, uint32_t count)
{
	uint8_t *entry = sector + 446 + 16 * i;

	entry[4] = type;
	put32(entry + 8, start);
	put32(entry + 12, count);
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

#define assert_layout(layout, wanted_kind, wanted_text, wanted_reaches, wanted_last)               \
	do {                                                                                       \
		const struct layout *is = &(layout);                                               \
                                                                                                   \
		assert_string_equal(is->text, wanted_text);                                        \
		assert_int_equal(is->kind, wanted_kind);                                           \
		assert_string_equal(is->last, wanted_last);                                        \
		assert_int_equal(is->reaches, wanted_reaches);                                     \
	} while (0)
