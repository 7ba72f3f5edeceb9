#pragma once

#include <assert.h>
#include <stdint.h>

/*
 * The boot protocol's bytes. Everything is little-endian; the structures are made of bytes alone,
 * so that they may lie anywhere and mean the same on every host.
 *
 * Whoever sends N bytes says so first: a vendor control transfer with N in wValue (low half) and
 * wIndex.
 */

#define WIRE_NAME_SIZE 256

enum wire_command {
	WIRE_GET_FILE_SIZE = 0,
	WIRE_READ_FILE = 1,
	WIRE_DONE = 2,
};

/* Host to ROM, ahead of the second stage. */
struct wire_header {
	uint8_t length[4];
	uint8_t signature[20];
};

/* ROM to host, behind it: 0 is good. */
struct wire_status {
	uint8_t code[4];
};

/* Second stage to host. */
struct wire_message {
	uint8_t command[4];
	uint8_t name[WIRE_NAME_SIZE];
};

static_assert(sizeof(struct wire_header) == 24, "the ROM reads 24 bytes");
static_assert(sizeof(struct wire_status) == 4, "the ROM's status is one word");
static_assert(sizeof(struct wire_message) == 260, "a file message is 260 bytes");

/* What a module counts with: a signed word. */
#define WIRE_SIZE_MAX INT32_MAX

uint32_t wire_get_le32(const uint8_t bytes[4]);
void wire_put_le32(uint8_t bytes[4], uint32_t value);

void wire_split(uint32_t n, uint16_t *ret_value, uint16_t *ret_index);
uint32_t wire_join(uint16_t value, uint16_t index);
