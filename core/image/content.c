#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image/internal.h"
#include "image/whole.h"

/*
 * What an image holds. Its size is exact to the byte; what was written, and what was said to be
 * zeros, is known by blocks of 4096 bytes. Two rules keep blocks and bytes together:
 *
 *  - The first bytes of a block come with zeros for all the rest of it. So whatever a chunk does
 *    not cover of a block that it covers in part was written before, and is on the disk.
 *  - Behind the size, a block that was written holds zeros. So growing needs no writing.
 *
 * What was in flight when its range became a hole still reaches the disk; the map hides it until
 * zeros or new bytes are written over it, which the image's thread does later.
 *
 * All of a raw disk was written before, and it has no maps.
 */

static bool is_new_block(const struct cm4_image *image, uint64_t offset)
{
	return image->mode == CM4_IMAGE_FLASH && !rangemap_has(&image->data, FIRST_BLOCK(offset));
}

static int map_written(struct cm4_image *image, uint64_t first, uint64_t end)
{
	int r;

	if (image->mode == CM4_IMAGE_RAW)
		return 0;
	r = rangemap_add(&image->data, first, end);
	return r < 0 ? r : rangemap_add(&image->known, first, end);
}

static int map_hole(struct cm4_image *image, uint64_t first, uint64_t end)
{
	int r;

	r = rangemap_remove(&image->data, first, end);
	return r < 0 ? r : rangemap_add(&image->known, first, end);
}

/*
 * [offset, end) within one chunk. @source NULL: zeros. 0, -ENOMEM, or -EAGAIN: no room, and nothing
 * changed.
 */
static int put(struct cm4_image *image, uint64_t offset, uint64_t end, const unsigned char *source)
{
	uint64_t index = offset / CHUNK_SIZE, base = index * CHUNK_SIZE;
	uint64_t from = offset, to = end;
	struct chunk *chunk;

	if (image->mode == CM4_IMAGE_FLASH && index == 0) {
		int r = head_put(image, offset, end, source);

		if (judge_is_held(image))
			image_wake(image);
		return r < 0 ? r : map_written(image, FIRST_BLOCK(offset), END_BLOCK(end));
	}
	chunk = chunk_get(&image->pool, index);
	if (!chunk)
		return -EAGAIN;
	if (is_new_block(image, offset))
		from = FIRST_BLOCK(offset) * RANGEMAP_BLOCK;
	if (is_new_block(image, end - 1))
		to = min64(END_BLOCK(end) * RANGEMAP_BLOCK, base + chunk->limit);
	if (chunk_cover(chunk, (uint32_t)(from - base), (uint32_t)(to - base)) < 0) {
		/* What is held back has nothing on the disk that its gaps could come from: they are zeros. */
		if (!judge_is_held(image)) {
			chunk_queue(&image->pool, chunk);
			return -EAGAIN;
		}
		chunk_fill_gaps(chunk);
	}

	memset(chunk->data + (from - base), 0, offset - from);
	if (source)
		memcpy(chunk->data + (offset - base), source, end - offset);
	else
		memset(chunk->data + (offset - base), 0, end - offset);
	memset(chunk->data + (end - base), 0, to - end);
	/* Not for zeros that its writer has yet to write over. */
	if (to == end && chunk_is_full(chunk)) {
		chunk_queue(&image->pool, chunk);
		image_wake(image);
	}
	return map_written(image, FIRST_BLOCK(from), END_BLOCK(to));
}

static void changed(struct cm4_image *image)
{
	image->change++;
	image->whole = false;
	image->touched = true;
	image->killed = false;
	image->judge.refused = false;
	image->judge.lacking = false;
}

static void wrote(struct cm4_image *image)
{
	image->wrote_since_sized = true;
	image->synced_by_writer = false;
}

static void sized(struct cm4_image *image)
{
	image->wrote_since_sized = false;
	image->size_is_given = false;
}

/* Blocks that need no bytes any more which were left out before. */
static int came_at_last(struct cm4_image *image, uint64_t first, uint64_t end)
{
	return rangemap_remove(&image->tally.left_out, first, end);
}

/* Of a flash, what a bmap leaves out goes nowhere. */
static int put_mapped(struct cm4_image *image, uint64_t at, uint64_t end,
	const unsigned char *source, bool written)
{
	int r;

	if (written) {
		r = put(image, at, end, source);
		return r < 0 ? r : came_at_last(image, END_BLOCK(at), FIRST_BLOCK(end));
	}
	r = tally_leave_out(image, at, end, source);
	return r < 0 ? r : rangemap_add(&image->known, FIRST_BLOCK(at), END_BLOCK(end));
}

static enum answer done(struct cm4_io *io, uint64_t result)
{
	io->result = (ssize_t)result;
	return ANSWER_READY;
}

/* Why it could not be done now: for want of room, or of memory. */
static enum answer not_done(struct cm4_image *image, int error)
{
	if (error == -EAGAIN)
		return ANSWER_LATER;
	if (image->error)
		return ANSWER_FAILED;
	image_fail(image, error, image->mode == CM4_IMAGE_FLASH, "out of memory");
	return ANSWER_FAILED;
}

/* What a write behind the end leaps over is a hole. */
static int grow_to(struct cm4_image *image, uint64_t offset, uint64_t end)
{
	int r = 0;

	if (image->mode == CM4_IMAGE_RAW || end <= image->size)
		return 0;
	if (offset > image->size)
		r = rangemap_add(&image->known, END_BLOCK(image->size), FIRST_BLOCK(offset));
	image->size = end;
	image->ahead = false;
	return r;
}

enum answer content_write(struct cm4_image *image, struct cm4_io *io)
{
	const unsigned char *source = io->kind == CM4_IO_ZERO ? NULL : io->buffer;
	uint64_t length = io->length;

	if (image->mode == CM4_IMAGE_RAW)
		length = min64(length, image->size - io->offset);
	while (io->done < length) {
		uint64_t at = io->offset + io->done;
		uint64_t n = min64(length - io->done, CHUNK_SIZE - at % CHUNK_SIZE);
		const unsigned char *from = source ? source + io->done : NULL;
		bool written;
		int r;

		n = tally_run(image, at, n, &written);
		r = put_mapped(image, at, at + n, from, written);
		if (r == 0)
			r = grow_to(image, at, at + n);
		if (r == 0 && image->mode == CM4_IMAGE_FLASH)
			r = tally_put(image, at, from, n);
		if (r < 0)
			return not_done(image, r);
		if (source && !image->has_data)
			image->has_data = !is_zeros(source + io->done, n);
		io->done += n;
		image->bytes_in += n;
		changed(image);
		wrote(image);
	}
	return done(io, source ? length : 0);
}

enum answer content_truncate(struct cm4_image *image, struct cm4_io *io)
{
	uint64_t size = io->length, kept = END_BLOCK(size);
	int r;

	if (size < image->size) {
		tally_void(image, size);
		uint64_t edge = min64(kept * RANGEMAP_BLOCK, image->block->bytes);

		/* The rest of the last block must be zeros, should the file grow again. */
		if (edge > size && !is_new_block(image, size)) {
			r = put(image, size, edge, NULL);
			if (r < 0)
				return not_done(image, r);
		}
		r = rangemap_remove(&image->data, kept, UINT64_MAX);
		if (r == 0)
			r = rangemap_remove(&image->known, kept, UINT64_MAX);
		if (r == 0)
			r = came_at_last(image, kept, UINT64_MAX);
		if (r < 0)
			return not_done(image, r);
		chunk_erase(&image->pool, kept * RANGEMAP_BLOCK, UINT64_MAX);
		head_erase(image, kept * RANGEMAP_BLOCK, UINT64_MAX);
	}
	image->ahead = size > image->size;
	image->size = size;
	changed(image);
	sized(image);
	return done(io, 0);
}

/* Zeros for a part of one block, but where they are already. */
static int zero_edge(struct cm4_image *image, uint64_t offset, uint64_t end)
{
	uint64_t block = FIRST_BLOCK(offset);

	if (offset >= end)
		return 0;
	if (rangemap_has(&image->known, block) && !rangemap_has(&image->data, block))
		return 0;
	return put(image, offset, end, NULL);
}

enum answer content_zero(struct cm4_image *image, struct cm4_io *io)
{
	uint64_t start = io->offset, end, first = END_BLOCK(start), stop;
	int r;

	tally_void(image, start);
	/* The end of the file is the end of its last block: zeros are behind it anyway. */
	if (io->length >= image->size - start)
		end = END_BLOCK(image->size) * RANGEMAP_BLOCK;
	else
		end = start + io->length;
	stop = FIRST_BLOCK(end);

	r = zero_edge(image, start, min64(first * RANGEMAP_BLOCK, end));
	if (r == 0 && first <= stop)
		r = zero_edge(image, stop * RANGEMAP_BLOCK, end);
	if (r == 0 && first < stop) {
		r = map_hole(image, first, stop);
		if (r == 0)
			r = came_at_last(image, first, stop);
		chunk_erase(&image->pool, first * RANGEMAP_BLOCK, stop * RANGEMAP_BLOCK);
		head_erase(image, first * RANGEMAP_BLOCK, stop * RANGEMAP_BLOCK);
	}
	if (r < 0)
		return not_done(image, r);
	/* No write: cp --sparse=always punches its last hole again when it has set the size. */
	changed(image);
	return done(io, 0);
}

enum answer content_allocate(struct cm4_image *image, struct cm4_io *io)
{
	image->size = io->offset + io->length;
	image->ahead = true;
	changed(image);
	sized(image);
	return done(io, 0);
}

bool content_fits(struct cm4_image *image, const struct cm4_io *io)
{
	uint64_t disk = image->block->bytes, need = 0;

	switch (io->kind) {
	case CM4_IO_WRITE:
	case CM4_IO_ALLOCATE:
		if (__builtin_add_overflow(io->offset, io->length, &need))
			need = UINT64_MAX;
		break;
	case CM4_IO_TRUNCATE:
		need = io->length;
		break;
	case CM4_IO_READ:
	case CM4_IO_ZERO: /* never beyond the size */
	case CM4_IO_SYNC:
	case CM4_IO_FLUSH:
	case CM4_IO_VERIFY:
	case CM4_IO_SUM:
		break;
	}
	if (need <= disk)
		return true;
	image_fail(image, -ENOSPC, true, "the image needs %" PRIu64 " bytes, the disk has %" PRIu64,
		need, disk);
	return false;
}

void content_facts(const struct cm4_image *image, struct whole_facts *ret_facts)
{
	uint64_t blocks = END_BLOCK(image->size) - rangemap_total(&image->known);

	*ret_facts = (struct whole_facts){
		.size = image->size,
		.bytes_in = image->bytes_in,
		.unwritten = min64(blocks * RANGEMAP_BLOCK, image->size),
		.killed = image->killed,
		.wrote_since_sized = image->wrote_since_sized,
		.has_data = image->has_data,
		.size_is_given = image->size_is_given,
		.synced = image->synced_by_writer,
	};
}

void content_clear(struct cm4_image *image)
{
	rangemap_clear(&image->data);
	rangemap_clear(&image->known);
	image->size = 0;
	changed(image);
	image->synced = image->change;
	image->ahead = false;
	image->has_data = false;
	image->synced_by_writer = false;
	sized(image);
}
