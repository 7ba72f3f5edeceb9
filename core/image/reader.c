#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"

/*
 * From the disk to readers. What is read goes into a window, and readers are served from there; one
 * who reads in order gets whole windows of a MiB, and the next is read while he is busy with this
 * one: so that small reads keep the link full too. Any change of the content makes the windows
 * stale.
 *
 * What is in a chunk is written first, but for what is held back (judge.h). From then on until the
 * window is read nothing else reaches the disk, for the thread is here; so a copy of the map, taken
 * when the chunk is gone, describes what the disk holds.
 */

#define WINDOW_SIZE   CHUNK_SIZE
#define WINDOW_BLOCKS (WINDOW_SIZE / RANGEMAP_BLOCK)

static bool fetched(const struct cm4_image *image, size_t i, uint64_t at, bool stale)
{
	const struct window *window = &image->reader.windows[i];

	if (at < window->start || at >= window->end)
		return false;
	return window->change == image->change || (stale && i == image->reader.latest);
}

static const struct window *find_window(const struct cm4_image *image, uint64_t at, bool stale)
{
	for (size_t i = 0; i < 2; i++)
		if (fetched(image, i, at, stale))
			return &image->reader.windows[i];
	return NULL;
}

static void note_progress(struct reader *reader, const struct cm4_io *io)
{
	reader->streak = io->offset == reader->next ? reader->streak + 1 : 0;
	reader->next = io->offset + io->done;
}

bool reader_serve(struct cm4_image *image, struct cm4_io *io, bool stale)
{
	uint64_t left = io->offset < image->size ? image->size - io->offset : 0;
	uint64_t length = min64(io->length, left);

	while (io->done < length) {
		uint64_t at = io->offset + io->done, n;
		const struct window *window = find_window(image, at, stale);

		if (!window)
			return false;
		n = min64(length - io->done, window->end - at);
		memcpy((unsigned char *)io->buffer + io->done, window->data + (at - window->start),
			n);
		io->done += n;
	}
	note_progress(&image->reader, io);
	return true;
}

int reader_read_disk(struct block *block, void *buffer, size_t size, uint64_t offset)
{
	int r = block->ops->read(block, buffer, size, offset);

	/* Linux's word for a medium that cannot be read means something else to programs. */
	return r == -ENODATA ? -EIO : r;
}

/* Lock not held. Blocks that were never written are zeros. */
static int read_mapped(
	struct block *block, unsigned char *data, uint64_t start, uint64_t end, const bool *mapped)
{
	uint64_t at = start;

	while (at < end) {
		bool on_disk = mapped[(at - start) / RANGEMAP_BLOCK];
		uint64_t stop = at;
		int r;

		while (stop < end && mapped[(stop - start) / RANGEMAP_BLOCK] == on_disk)
			stop = min64(stop + RANGEMAP_BLOCK, end);
		if (on_disk) {
			r = reader_read_disk(block, data + (at - start), stop - at, at);
			if (r < 0)
				return r;
		} else {
			memset(data + (at - start), 0, stop - at);
		}
		at = stop;
	}
	return 0;
}

static void copy_map(const struct cm4_image *image, uint64_t start, uint64_t end, bool *mapped)
{
	uint64_t first = FIRST_BLOCK(start);

	for (uint64_t block = first; block < END_BLOCK(end); block++)
		mapped[block - first] =
			image->mode == CM4_IMAGE_RAW || rangemap_has(&image->data, block);
}

/* What is held back is on no disk: it is in the head and in chunks, and all else of it is zeros. */
static void read_held(struct cm4_image *image, unsigned char *data, uint64_t start, uint64_t end)
{
	const struct chunk *chunk = chunk_find(&image->pool, start / CHUNK_SIZE);
	uint64_t base = start / CHUNK_SIZE * CHUNK_SIZE;

	memset(data, 0, end - start);
	for (size_t i = 0; chunk && i < chunk->n_extents; i++) {
		uint64_t from = base + chunk->extents[i].start;
		uint64_t to = min64(base + chunk->extents[i].end, end);

		if (from < start)
			from = start;
		if (from < to)
			memcpy(data + (from - start), chunk->data + (from - base), to - from);
	}
}

/* [start, end) lies within one MiB; both are multiples of blocks, but for the disk's end. */
static int fill_window(struct cm4_image *image, uint64_t start, uint64_t end)
{
	struct reader *reader = &image->reader;
	struct window *window = &reader->windows[!reader->latest];
	bool mapped[WINDOW_BLOCKS];
	uint64_t change;
	int r;

	if (!window->data)
		window->data = aligned_alloc(BLOCK_ALIGN, WINDOW_SIZE);
	if (!window->data)
		return -ENOMEM;
	while (image->state == DISK_OPEN && !judge_is_held(image) &&
		chunk_find(&image->pool, start / CHUNK_SIZE))
		writer_write_chunk(image, start / CHUNK_SIZE);
	if (image->state != DISK_OPEN)
		return -ECANCELED;

	change = image->change;
	window->start = window->end = 0;
	if (image->head.data && start < HEAD_SIZE) {
		memcpy(window->data, image->head.data + start, end - start);
	} else if (judge_is_held(image)) {
		read_held(image, window->data, start, end);
	} else {
		copy_map(image, start, end, mapped);
		pthread_mutex_unlock(&image->lock);
		r = read_mapped(image->block, window->data, start, end, mapped);
		pthread_mutex_lock(&image->lock);
		if (r < 0)
			return r;
	}
	window->start = start;
	window->end = end;
	window->change = change;
	reader->latest = !reader->latest;
	return 0;
}

int reader_fetch(struct cm4_image *image, const struct cm4_io *io)
{
	uint64_t at = io->offset + io->done, left = io->length - io->done;
	uint64_t start = FIRST_BLOCK(at) * RANGEMAP_BLOCK;
	uint64_t end = (at / WINDOW_SIZE + 1) * WINDOW_SIZE;

	/* One who reads here and there gets no more than he asked for. */
	if (io->done == 0 && io->offset != image->reader.next && left < end - at)
		end = END_BLOCK(at + left) * RANGEMAP_BLOCK;
	return fill_window(image, start, min64(end, image->block->bytes));
}

bool reader_may_prefetch(struct cm4_image *image)
{
	const struct reader *reader = &image->reader;
	const struct window *latest = &reader->windows[reader->latest];

	return reader->streak > 1 && latest->start < latest->end &&
	       latest->change == image->change && reader->next >= latest->start &&
	       reader->next <= latest->end && latest->end < image_end(image);
}

void reader_prefetch(struct cm4_image *image)
{
	uint64_t start = image->reader.windows[image->reader.latest].end;
	uint64_t end = (start / WINDOW_SIZE + 1) * WINDOW_SIZE;

	/* Whoever reads there will meet the error himself. */
	if (fill_window(image, start, min64(end, image_end(image))) < 0)
		image->reader.streak = 0;
}

void reader_fini(struct cm4_image *image)
{
	for (size_t i = 0; i < 2; i++)
		free(image->reader.windows[i].data);
	image->reader = (struct reader){0};
}
