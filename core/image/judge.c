#include "image/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"
#include "util/cleanup.h"

bool judge_is_held(const struct cm4_image *image)
{
	return image->mode == CM4_IMAGE_FLASH && !image->policy.raw && !image->judge.passed;
}

/* All of the first MiB is known, and something is in it. */
static bool has_head(const struct cm4_image *image)
{
	return image->head.data && image->size >= HEAD_SIZE &&
	       rangemap_covers(&image->known, 0, HEAD_BLOCKS) &&
	       !is_zeros(image->head.data, HEAD_SIZE);
}

/* ... and all of it was written. */
static bool has_every_byte(const struct cm4_image *image)
{
	return has_head(image) && rangemap_covers(&image->head.bytes, 0, HEAD_SIZE);
}

bool judge_is_due(struct cm4_image *image)
{
	struct judge *judge = &image->judge;

	if (!judge_is_held(image) || !image->began || image->restart ||
		judge->looked_at == image->head.changes)
		return false;
	if (has_head(image))
		return true;
	/* So that it is not looked at again and again: it is news if it changes. */
	judge->looked_at = image->head.changes;
	return false;
}

/* The image for layout_probe, which runs with the lock free. */

static int read_head(void *data, void *buffer, size_t size, uint64_t offset)
{
	struct cm4_image *image = data;
	LOCKED(&image->lock);

	if (!image->head.data || offset >= HEAD_SIZE || size > HEAD_SIZE - offset)
		return -ENODATA;
	memcpy(buffer, image->head.data + offset, size);
	return 0;
}

/* Of the head, which the disk does not have yet, what lies within. */
static void overlay_head(
	struct cm4_image *image, unsigned char *bytes, uint64_t start, uint64_t end)
{
	LOCKED(&image->lock);

	if (image->head.data && start < HEAD_SIZE)
		memcpy(bytes, image->head.data + start, min64(end, HEAD_SIZE) - start);
}

/* What is behind the head, of [start, end) in whole blocks: from the disk where it was written. */
static int read_blocks(struct cm4_image *image, unsigned char *bytes, uint64_t start, uint64_t end)
{
	uint64_t at = start, stop;

	for (; at < end; at = stop) {
		bool written;
		int r = 0;

		{
			LOCKED(&image->lock);
			written = rangemap_has(&image->data, FIRST_BLOCK(at));
			stop = rangemap_next(
				&image->data, FIRST_BLOCK(at), END_BLOCK(end), !written);
			stop = min64(stop * RANGEMAP_BLOCK, end);
		}
		if (written)
			r = reader_read_disk(image->block, bytes + (at - start), stop - at, at);
		else
			memset(bytes + (at - start), 0, stop - at);
		if (r < 0)
			return r;
	}
	return 0;
}

int judge_read(void *data, void *buffer, size_t size, uint64_t offset)
{
	struct cm4_image *image = data;
	uint64_t start = FIRST_BLOCK(offset) * RANGEMAP_BLOCK;
	uint64_t end = min64(END_BLOCK(offset + size) * RANGEMAP_BLOCK, image->block->bytes);
	_cleanup_free_ unsigned char *bytes = NULL;
	int r = read_head(data, buffer, size, offset);

	if (r != -ENODATA || offset + size > end)
		return r;
	bytes = aligned_alloc(
		BLOCK_ALIGN, (end - start + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN);
	if (!bytes)
		return -ENOMEM;
	r = read_blocks(image, bytes, start, end);
	if (r < 0)
		return r;
	overlay_head(image, bytes, start, end);
	memcpy(buffer, bytes + (offset - start), size);
	return 0;
}

/* Lock held, given up in between. */
static int probe(struct cm4_image *image,
	int (*read)(void *data, void *buffer, size_t size, uint64_t offset),
	struct layout *ret_layout)
{
	struct layout_source source = {.read = read, .data = image, .size = image->size};
	int r;

	pthread_mutex_unlock(&image->lock);
	r = layout_probe(&source, ret_layout);
	pthread_mutex_lock(&image->lock);
	return r < 0 ? writer_failed(image, r, "looking at the image", 0) : writer_verdict(image);
}

void judge_refuse(struct cm4_image *image)
{
	bool held = judge_is_held(image);

	image_fail(image, -EINVAL, true, "this is not a disk image, it has %s%s",
		held && !rangemap_has(&image->data, 0) ? "no start" : image->judge.layout.text,
		held ? "; nothing on the disk was changed" : "");
}

static int refuse(struct cm4_image *image)
{
	judge_refuse(image);
	return writer_verdict(image);
}

int judge_let_pass(struct cm4_image *image)
{
	int r;

	image->judge.passed = true;
	image_tell(image, IMAGE_CHANGES, 0, NULL);
	if (image->state != DISK_OPEN)
		return writer_verdict(image);
	r = prove_begin(image);
	return r < 0 ? writer_failed(image, r, "beginning the proof", 0) : head_wipe(image);
}

/* By its own word, it has to fit. */
static int let_pass_if_it_fits(struct cm4_image *image, const struct layout *layout)
{
	image->judge.layout = *layout;
	if (layout->reaches > image->block->bytes) {
		image_fail(image, -ENOSPC, true,
			"%s ends at byte %" PRIu64 " of the image, the disk has %" PRIu64,
			layout->last, layout->reaches, image->block->bytes);
		return writer_verdict(image);
	}
	return judge_let_pass(image);
}

int judge_look(struct cm4_image *image, bool last)
{
	struct layout layout;
	int r;

	image->judge.looked_at = image->head.changes;
	r = probe(image, read_head, &layout);
	/* Emptied meanwhile: what was looked at is no more. */
	if (r < 0 || image->restart || !image->began)
		return r;
	if (layout.kind != LAYOUT_NONE)
		return let_pass_if_it_fits(image, &layout);
	image->judge.layout = layout;
	/* It may be another by now, and is looked at again. */
	if (image->judge.looked_at != image->head.changes)
		return 0;
	/* What was leapt over may be filled yet, also within a block. */
	return last || has_every_byte(image) ? refuse(image) : 0;
}

int judge_whole(struct cm4_image *image)
{
	uint64_t change = image->change;
	struct layout layout;
	int r;

	if (image->policy.raw)
		return 0;
	r = probe(image, judge_read, &layout);
	if (r < 0)
		return r;
	image->judge.layout = layout;
	/* Something is written at this moment: its writer's close() will see to it. */
	if (image->change != change)
		return 0;
	if (layout.kind == LAYOUT_NONE)
		return refuse(image);
	image->judge.lacking = layout.reaches > image->size;
	return image->judge.lacking ? -EBADMSG : 0;
}

void judge_forget(struct cm4_image *image)
{
	image->judge = (struct judge){0};
}
