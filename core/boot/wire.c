#include "boot/wire.h"

uint32_t wire_get_le32(const uint8_t bytes[4])
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

void wire_put_le32(uint8_t bytes[4], uint32_t value)
{
	bytes[0] = (uint8_t)value;
	bytes[1] = (uint8_t)(value >> 8);
	bytes[2] = (uint8_t)(value >> 16);
	bytes[3] = (uint8_t)(value >> 24);
}

void wire_split(uint32_t n, uint16_t *ret_value, uint16_t *ret_index)
{
	*ret_value = (uint16_t)(n & 0xffff);
	*ret_index = (uint16_t)(n >> 16);
}

uint32_t wire_join(uint16_t value, uint16_t index)
{
	return (uint32_t)index << 16 | value;
}
