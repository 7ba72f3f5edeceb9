#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes as pairs of hex digits. */

static inline int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* How many hex digits @text, of @size characters, begins with. */
static inline size_t hex_span(const char *text, size_t size)
{
	size_t n = 0;

	while (n < size && hex_value(text[n]) >= 0)
		n++;
	return n;
}

/* 2 * @size characters, of either case, as @size bytes. False: one of them is no hex digit. */
static inline bool hex_decode(const char *text, size_t size, unsigned char *ret_bytes)
{
	if (hex_span(text, 2 * size) != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++)
		ret_bytes[i] =
			(unsigned char)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	return true;
}

/* In lower case, as sha256sum has it. @ret_text: 2 * @size characters and a NUL. */
static inline void hex_encode(const unsigned char *bytes, size_t size, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		ret_text[2 * i] = digits[bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_text[2 * size] = '\0';
}
