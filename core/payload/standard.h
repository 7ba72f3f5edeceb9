#pragma once

#include <stddef.h>

struct payload;

/* payload_open_standard, with the places to look in given: NULL behind the last. For tests. */
int standard_open(
	const char *const *places, struct payload **ret_payload, char *message, size_t size);
