#pragma once

#include <stddef.h>
#include <stdint.h>

/* What a harness is to libFuzzer, and to replay.c: it aborts where something is not as it must be. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
