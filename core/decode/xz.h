#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The beginning of an xz stream, looked at before a decoder is made for it: its header, and that of its first block
 * (The .xz File Format, 1.1.0, sections 2.1.1 and 3.1).
 */
#define XZ_HEAD_MAX (12 + 1024)

/* How much of the beginning has to be there, going by the @n bytes that are; @n where it is all. */
size_t xz_head_want(const unsigned char *head, size_t n);

/* These @n bytes may begin a stream. */
bool xz_head_is_magic(const unsigned char *head, size_t n);

/*
 * What a thread takes that decodes a block such as the first one, which has to be there; 0: the stream is nothing for
 * threads, or not sound, which is for the library to say.
 */
uint64_t xz_head_block_memory(const unsigned char *head, size_t n);
