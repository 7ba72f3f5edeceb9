#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What a harness is to libFuzzer, and to replay.c: it aborts where something is not as it must be. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Something is not as it must be. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)
