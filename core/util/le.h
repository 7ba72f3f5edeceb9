#pragma once

#include <stdint.h>

/* Little-endian numbers, wherever they lie and whatever the host is. */

static inline uint16_t get_le16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *bytes)
{
	return get_le16(bytes) | (uint32_t)get_le16(bytes + 2) << 16;
}

static inline uint64_t get_le64(const uint8_t *bytes)
{
	return get_le32(bytes) | (uint64_t)get_le32(bytes + 4) << 32;
}
