#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cm4fs/log.h>

#include "image/internal.h"

/*
 * Bytes to the disk: chunks, zeros where nothing was written, and the sync. All on the image's
 * thread.
 *
 * A chunk in flight belongs to the thread, so its transfer needs no lock, nor does its hash.
 */

#define ZEROS_SIZE (WRITER_ZEROS / WRITER_ZEROS_IOV)

/* Never written to, so that it takes no memory but the kernel's page of zeros. */
static unsigned char zeros[ZEROS_SIZE] __attribute__((aligned(BLOCK_ALIGN)));

/* Lock held. What a raw disk does not take, its writers are told by sync; a flash ends. */
static void disk_failed(struct cm4_image *image, int error, const char *what, uint64_t offset)
{
	if (image->mode == CM4_IMAGE_FLASH) {
		char text[sizeof(image->text)];

		if (prove_explains(image, error, text, sizeof(text)))
			image_fail(image, error, true, "%s", text);
		else
			image_fail(image, error, true, "%s at byte %" PRIu64 " failed: %s", what,
				offset, strerrordesc_np(-error));
		return;
	}
	if (image->state == DISK_OPEN && !image->error) {
		image->error = error;
		cm4_log(LOG_ERR, "%s: %s at byte %" PRIu64 " failed: %s", image->disk, what, offset,
			strerrordesc_np(-error));
	}
}

/* Lock not held. What the chunk lacks of the block at @at comes from the disk. */
static int complete_block(struct cm4_image *image, struct chunk *chunk, uint32_t at)
{
	struct block *block = image->block;
	uint32_t end = at + BLOCK_ALIGN < chunk->limit ? at + BLOCK_ALIGN : chunk->limit;
	int r;

	if (chunk_covers(chunk, at, end))
		return 0;
	if (!image->scratch)
		image->scratch = aligned_alloc(BLOCK_ALIGN, BLOCK_ALIGN);
	if (!image->scratch)
		return -ENOMEM;
	r = reader_read_disk(block, image->scratch, end - at, chunk->index * CHUNK_SIZE + at);
	if (r < 0)
		return r;
	chunk_fill(chunk, at, end, image->scratch);
	return 0;
}

/* Lock not held. The bytes it has, each run of blocks by a transfer. */
static int write_pieces(struct cm4_image *image, struct chunk *chunk, uint64_t *ret_bytes)
{
	uint32_t start, end = 0;
	int r;

	while (chunk_next_blocks(chunk, end, &start, &end)) {
		struct iovec iov = {.iov_base = chunk->data + start, .iov_len = end - start};

		for (uint32_t at = start; at < end; at += BLOCK_ALIGN) {
			r = complete_block(image, chunk, at);
			if (r < 0)
				return r;
		}
		r = prove_writev(image, &iov, 1, chunk->index * CHUNK_SIZE + start);
		if (r < 0)
			return r;
		*ret_bytes += end - start;
	}
	return 0;
}

/* Lock not held. */
static int write_full(struct cm4_image *image, struct chunk *run[], size_t n, uint64_t *ret_bytes)
{
	struct iovec iov[CHUNK_RUN];
	uint64_t bytes = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		iov[i] = (struct iovec){.iov_base = run[i]->data, .iov_len = run[i]->limit};
		bytes += run[i]->limit;
	}
	r = prove_writev(image, iov, (int)n, run[0]->index * CHUNK_SIZE);
	if (r == 0)
		*ret_bytes = bytes;
	return r;
}

/* Lock held, given up in between. @run is in flight. */
static void transfer(struct cm4_image *image, struct chunk *run[], size_t n)
{
	uint64_t offset = run[0]->index * CHUNK_SIZE, bytes = 0;
	int r;

	pthread_mutex_unlock(&image->lock);
	if (chunk_is_full(run[0]))
		r = write_full(image, run, n, &bytes);
	else
		r = write_pieces(image, run[0], &bytes);
	pthread_mutex_lock(&image->lock);

	image->bytes_written += bytes;
	for (size_t i = 0; i < n; i++)
		chunk_release(&image->pool, run[i]);
	if (r < 0)
		disk_failed(image, r, "writing", offset);
}

void writer_write_run(struct cm4_image *image)
{
	struct chunk *run[CHUNK_RUN];
	size_t n = chunk_take_run(&image->pool, run);

	if (n > 0)
		transfer(image, run, n);
}

void writer_write_chunk(struct cm4_image *image, uint64_t index)
{
	struct chunk *chunk = chunk_find(&image->pool, index);

	if (!chunk)
		return;
	chunk_take(&image->pool, chunk);
	transfer(image, &chunk, 1);
}

int writer_failed(struct cm4_image *image, int error, const char *what, uint64_t offset)
{
	disk_failed(image, error, what, offset);
	return writer_verdict(image);
}

int writer_verdict(const struct cm4_image *image)
{
	if (image->state != DISK_OPEN)
		return image->said_error ? image->said_error : -ECANCELED;
	return image->error;
}

/* Up to what is queued last now: what writers add meanwhile is not waited for. */
int writer_drain(struct cm4_image *image)
{
	const struct chunk *first;
	uint64_t last;

	chunk_queue_all(&image->pool);
	last = image->pool.turn;
	while (image->state == DISK_OPEN && (first = TAILQ_FIRST(&image->pool.queued)) != NULL &&
		first->turn <= last)
		writer_write_run(image);
	return writer_verdict(image);
}

int writer_sync(struct cm4_image *image)
{
	struct block *block = image->block;
	uint64_t change = image->change;
	int r;

	writer_drain(image);
	if (image->state != DISK_OPEN)
		return writer_verdict(image);

	pthread_mutex_unlock(&image->lock);
	r = block->ops->sync(block);
	pthread_mutex_lock(&image->lock);
	if (r < 0)
		disk_failed(image, r, "the sync after writing", image->bytes_written);
	r = writer_verdict(image);
	if (r == 0 && change > image->synced)
		image->synced = change;
	return r;
}

int writer_zeros(struct iovec iov[WRITER_ZEROS_IOV], uint64_t bytes)
{
	int n = 0;

	for (uint64_t at = 0; at < bytes; at += ZEROS_SIZE) {
		uint64_t left = bytes - at;

		iov[n++] = (struct iovec){
			.iov_base = zeros, .iov_len = left < ZEROS_SIZE ? left : ZEROS_SIZE};
	}
	return n;
}

int writer_fill_holes(struct cm4_image *image)
{
	const uint64_t most = WRITER_ZEROS / RANGEMAP_BLOCK;
	struct block *block = image->block;
	uint64_t first, end = HEAD_BLOCKS;

	while (image->state == DISK_OPEN && end < END_BLOCK(image->size) &&
		rangemap_next_run(&image->data, end, END_BLOCK(image->size), false, &first, &end)) {
		uint64_t offset, stop;
		struct iovec iov[WRITER_ZEROS_IOV];
		int n, r;

		if (!tally_next_written(image, &first, &end))
			continue;
		offset = first * RANGEMAP_BLOCK;
		if (end - first > most)
			end = first + most;
		stop = end * RANGEMAP_BLOCK < block->bytes ? end * RANGEMAP_BLOCK : block->bytes;

		/*
		 * Known as written from now on: a writer who adds to it finds the zeros on the
		 * disk, for his chunk follows them.
		 */
		r = rangemap_add(&image->data, first, end);
		if (r == 0)
			r = rangemap_add(&image->known, first, end);
		if (r == 0) {
			n = writer_zeros(iov, stop - offset);
			pthread_mutex_unlock(&image->lock);
			r = prove_writev(image, iov, n, offset);
			pthread_mutex_lock(&image->lock);
		}
		if (r < 0)
			disk_failed(image, r, "writing zeros", offset);
		else
			image->bytes_written += stop - offset;
	}
	return writer_verdict(image);
}
