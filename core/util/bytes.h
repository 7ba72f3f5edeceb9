#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* @n is not 0. */
static inline bool is_zeros(const void *bytes, size_t n)
{
	const unsigned char *first = bytes;

	return *first == 0 && memcmp(first, first + 1, n - 1) == 0;
}
