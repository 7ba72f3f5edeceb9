#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "decode/xz.h"
#include "util/bytes.h"

#define BLOCK_SIZES 0xc0 /* in the flags: both sizes are in the header */
#define BLOCK_SIZE_MAX                                                                             \
	(1ull << 30)		   /* beyond, it is nothing for threads, and sums cannot overflow */
#define BLOCK_BESIDE (64ull << 10) /* the thread itself */

size_t xz_head_want(const unsigned char *head, size_t n)
{
	if (n <= LZMA_STREAM_HEADER_SIZE)
		return LZMA_STREAM_HEADER_SIZE + 1;
	if (head[LZMA_STREAM_HEADER_SIZE] == 0) /* the index: there is no block */
		return n;
	return LZMA_STREAM_HEADER_SIZE +
	       lzma_block_header_size_decode(head[LZMA_STREAM_HEADER_SIZE]);
}

bool xz_head_is_magic(const unsigned char *head, size_t n)
{
	static const unsigned char magic[] = {0xfd, '7', 'z', 'X', 'Z', 0};

	return memcmp(head, magic, min64(n, sizeof(magic))) == 0;
}

/* The block's compressed size counts as that of its content, which it exceeds by little where somebody means well. */
static uint64_t sum(const lzma_block *block)
{
	uint64_t filters = lzma_raw_decoder_memusage(block->filters);

	if (block->uncompressed_size > BLOCK_SIZE_MAX || block->compressed_size > BLOCK_SIZE_MAX ||
		filters > BLOCK_SIZE_MAX)
		return 0;
	return filters + block->uncompressed_size +
	       (block->uncompressed_size > block->compressed_size ? block->uncompressed_size
								  : block->compressed_size) +
	       BLOCK_BESIDE;
}

uint64_t xz_head_block_memory(const unsigned char *head, size_t n)
{
	lzma_filter filters[LZMA_FILTERS_MAX + 1] = {{.id = LZMA_VLI_UNKNOWN}};
	lzma_block block = {.version = 1, .filters = filters};
	const unsigned char *header = head + LZMA_STREAM_HEADER_SIZE;
	lzma_stream_flags flags;
	uint64_t memory = 0;

	if (n <= LZMA_STREAM_HEADER_SIZE + 1 || (header[1] & BLOCK_SIZES) != BLOCK_SIZES ||
		lzma_stream_header_decode(&flags, head) != LZMA_OK)
		return 0;
	block.check = flags.check;
	block.header_size = lzma_block_header_size_decode(header[0]);
	if (lzma_block_header_decode(&block, NULL, header) != LZMA_OK)
		return 0;
	memory = sum(&block);
	lzma_filters_free(filters, NULL);
	return memory;
}
