#include "image/head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"

/* Of the head, what the disk has room for. */
static uint64_t head_bytes(const struct cm4_image *image)
{
	return min64(HEAD_SIZE, image->block->bytes);
}

/* Lock not held. */
static int load(struct block *block, unsigned char *data, uint64_t bytes, const bool *mapped)
{
	for (uint64_t at = 0; at < bytes; at += RANGEMAP_BLOCK) {
		int r = 0;

		if (mapped[at / RANGEMAP_BLOCK])
			r = reader_read_disk(
				block, data + at, min64(RANGEMAP_BLOCK, bytes - at), at);
		if (r < 0)
			return r;
	}
	return 0;
}

int head_hold(struct cm4_image *image)
{
	bool mapped[HEAD_BLOCKS];
	unsigned char *data;
	int r;

	if (image->head.data)
		return 0;
	data = aligned_alloc(BLOCK_ALIGN, HEAD_SIZE);
	if (!data)
		return writer_failed(image, -ENOMEM, "holding the start", 0);
	memset(data, 0, HEAD_SIZE);
	for (uint64_t block = 0; block < HEAD_BLOCKS; block++)
		mapped[block] = rangemap_has(&image->data, block);

	pthread_mutex_unlock(&image->lock);
	r = load(image->block, data, head_bytes(image), mapped);
	pthread_mutex_lock(&image->lock);
	if (r < 0) {
		free(data);
		return writer_failed(image, r, "reading the start", 0);
	}
	image->head.data = data;
	image->head.changes++;
	for (uint64_t block = 0; r == 0 && block < HEAD_BLOCKS; block++) {
		uint64_t start = block * RANGEMAP_BLOCK, end = start + RANGEMAP_BLOCK;

		if (mapped[block] && rangemap_has(&image->data, block))
			r = rangemap_add(&image->head.bytes, start, end);
		else if (mapped[block]) /* emptied meanwhile: it is not of this image any more */
			memset(data + start, 0, RANGEMAP_BLOCK);
	}
	return r < 0 ? writer_failed(image, r, "holding the start", 0) : 0;
}

/* Lock not held. Zeros for [start, end) of the disk, on the medium when this returns. */
static int wipe(struct block *block, uint64_t start, uint64_t end)
{
	struct iovec iov[WRITER_ZEROS_IOV];
	int n = writer_zeros(iov, end - start), r;

	if (start >= end)
		return 0;
	r = block->ops->writev(block, iov, n, start);
	return r < 0 ? r : block->ops->sync(block);
}

/* A cache writes out in any order: so the first block goes alone, or the old system could stay with half a start. */
int head_wipe(struct cm4_image *image)
{
	struct block *block = image->block;
	uint64_t end = head_bytes(image), first = min64(RANGEMAP_BLOCK, end);
	int r;

	pthread_mutex_unlock(&image->lock);
	r = wipe(block, 0, first);
	if (r == 0)
		r = wipe(block, first, end);
	pthread_mutex_lock(&image->lock);
	return r < 0 ? writer_failed(image, r, "wiping the start", 0) : writer_verdict(image);
}

/* [start, end) of @data, on the medium and proved when this returns. */
static int put_down(struct cm4_image *image, unsigned char *data, uint64_t start, uint64_t end)
{
	struct iovec iov = {.iov_base = data + start, .iov_len = end - start};
	struct block *block = image->block;
	int r;

	if (start >= end)
		return 0;
	pthread_mutex_unlock(&image->lock);
	r = prove_writev(image, &iov, 1, start);
	if (r == 0)
		r = block->ops->sync(block);
	pthread_mutex_lock(&image->lock);
	if (r < 0)
		return writer_failed(image, r, "writing the start", start);
	image->bytes_written += end - start;
	return prove_wait(image);
}

/* As far as the disk can still be reached. */
static void take_back(struct cm4_image *image, uint64_t first)
{
	struct block *block = image->block;
	struct iovec iov[WRITER_ZEROS_IOV];
	int n = writer_zeros(iov, first);

	pthread_mutex_unlock(&image->lock);
	if (block->ops->writev(block, iov, n, 0) == 0)
		block->ops->sync(block);
	pthread_mutex_lock(&image->lock);
}

static int commit(struct cm4_image *image, unsigned char *data)
{
	uint64_t end = min64(image_end(image), HEAD_SIZE);
	uint64_t first = min64(RANGEMAP_BLOCK, end);
	int r;

	r = rangemap_add(&image->data, 0, END_BLOCK(end));
	if (r == 0)
		r = rangemap_add(&image->known, 0, END_BLOCK(end));
	if (r < 0)
		return writer_failed(image, r, "writing the start", 0);
	r = put_down(image, data, first, end);
	if (r < 0)
		return r;
	r = put_down(image, data, 0, first);
	if (r < 0)
		take_back(image, first);
	return r;
}

int head_commit(struct cm4_image *image)
{
	unsigned char *data = image->head.data;
	int r;

	/* Ours alone meanwhile: an image that is emptied at this moment must not empty it under the disk's hands. */
	image->head.data = NULL;
	r = commit(image, data);
	if (image->restart) {
		free(data);
		rangemap_clear(&image->head.bytes);
	} else {
		image->head.data = data;
	}
	return r;
}

int head_put(struct cm4_image *image, uint64_t offset, uint64_t end, const unsigned char *source)
{
	image->head.changes++;
	if (source)
		memcpy(image->head.data + offset, source, end - offset);
	else
		memset(image->head.data + offset, 0, end - offset);
	return rangemap_add(&image->head.bytes, offset, end);
}

void head_erase(struct cm4_image *image, uint64_t start, uint64_t end)
{
	end = min64(end, HEAD_SIZE);
	if (!image->head.data || start >= end)
		return;
	image->head.changes++;
	memset(image->head.data + start, 0, end - start);
	rangemap_remove(&image->head.bytes, start, end);
}

void head_fini(struct cm4_image *image)
{
	free(image->head.data);
	image->head.data = NULL;
	rangemap_clear(&image->head.bytes);
}
