#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A zip's records as they follow each other (APPNOTE.TXT 6.3.10): local headers, each with its data, then the central
 * directory, and its end. Each is a signature, a part of fixed size, and one that the former tells the size of.
 */
enum zip_kind {
	ZIP_LOCAL,
	ZIP_CENTRAL,
	ZIP_END64,
	ZIP_LOCATOR,
	ZIP_END,
	ZIP_UNKNOWN,
};

#define ZIP_SIGNATURE_SIZE 4
#define ZIP_FIXED_MAX	   46
#define ZIP_LOCAL_SIZE	   30
#define ZIP_LOCAL_MAX	   (ZIP_LOCAL_SIZE + 2 * UINT16_MAX)

enum zip_kind zip_kind(const uint8_t *signature);
size_t zip_fixed_size(enum zip_kind kind); /* with the signature */

/* Of a record whose fixed part is there. */
uint64_t zip_rest_size(enum zip_kind kind, const uint8_t *record);

/* Of an end: how many entries the directory has; of more than fit, UINT16_MAX. */
unsigned zip_end_entries(const uint8_t *record);

enum zip_method {
	ZIP_STORED = 0,
	ZIP_DEFLATED = 8,
};

struct zip_member {
	bool directory, encrypted, patched;
	bool described; /* sizes and CRC follow the data */
	unsigned method;
	uint32_t crc;
	uint64_t packed, size;
};

/* Of a whole local header. */
struct zip_member zip_member_read(const uint8_t *record);

/*
 * What follows the data of a member: with or without its signature, with sizes of 32 bits or of 64, and nothing says
 * which; so it is found out by what it should say, and by the signature behind it.
 *
 * True: it is that, and @ret_size long. Else @ret_want says how many bytes it takes to know; that is no more than
 * ZIP_DESCRIPTOR_MAX, and 0 where nothing matches.
 */
#define ZIP_DESCRIPTOR_MAX 24
bool zip_descriptor_match(const uint8_t *bytes, size_t n, const struct zip_member *found,
	size_t *ret_size, size_t *ret_want);
