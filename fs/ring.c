#include "ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void fs_ring_init(struct fs_ring *ring)
{
	memset(ring, 0, sizeof(*ring));
}

void fs_ring_fini(struct fs_ring *ring)
{
	for (size_t i = 0; i < FS_RING_LINES; i++)
		free(ring->lines[i].data);
}

static struct fs_text copy(const char *data, size_t size)
{
	struct fs_text text = {.data = malloc(size)};

	if (text.data) {
		memcpy(text.data, data, size);
		text.size = size;
	}
	return text;
}

/* A line for which there is no memory has its number, and no bytes. */
int fs_ring_add(struct fs_ring *ring, const struct fs_text *text)
{
	size_t done = 0;
	int r = 0;

	while (done < text->size) {
		const char *line = text->data + done;
		const char *end = memchr(line, '\n', text->size - done);
		size_t size = end ? (size_t)(end - line) + 1 : text->size - done;
		struct fs_text *slot = &ring->lines[ring->next++ % FS_RING_LINES];

		free(slot->data);
		*slot = copy(line, size);
		if (!slot->data)
			r = -ENOMEM;
		done += size;
	}
	return r;
}

void fs_ring_reader_init(
	struct fs_ring_reader *reader, const struct fs_ring *ring, struct fs_text text)
{
	*reader = (struct fs_ring_reader){.next = ring->next, .text = text};
}

void fs_ring_reader_fini(struct fs_ring_reader *reader)
{
	free(reader->text.data);
}

bool fs_ring_has(const struct fs_ring *ring, const struct fs_ring_reader *reader)
{
	return reader->done < reader->text.size || reader->next != ring->next;
}

/* Before the text, if there still is any, nothing else is read. */
static void set_text(struct fs_ring_reader *reader, struct fs_text text)
{
	free(reader->text.data);
	reader->text = text;
	reader->done = 0;
}

/* How much of @text goes into @room: all of it, or whole lines; or, into an empty buffer, a part of one. */
static size_t fit(const char *text, size_t size, size_t room, bool empty)
{
	const char *end;

	if (size <= room)
		return size;
	end = memrchr(text, '\n', room);
	if (end)
		return (size_t)(end - text) + 1;
	return empty ? room : 0;
}

static size_t read_text(struct fs_ring_reader *reader, char *buffer, size_t room, bool empty)
{
	const char *text = reader->text.data + reader->done;
	size_t n = reader->text.size - reader->done;

	if (n == 0)
		return 0;
	n = fit(text, n, room, empty);
	memcpy(buffer, text, n);
	reader->done += n;
	return n;
}

/* What comes next, for a reader who has nothing of his own: the number of lines that he missed, or a line. */
static void take_next(
	const struct fs_ring *ring, struct fs_ring_reader *reader, fs_ring_missed missed)
{
	uint64_t first = ring->next > FS_RING_LINES ? ring->next - FS_RING_LINES : 0;
	struct fs_text text = {0};

	if (reader->next < first) {
		missed(first - reader->next, &text);
		reader->next = first;
	} else {
		const struct fs_text *line = &ring->lines[reader->next++ % FS_RING_LINES];

		if (line->data)
			text = copy(line->data, line->size);
		if (!text.data)
			missed(1, &text);
	}
	set_text(reader, text);
}

size_t fs_ring_read(const struct fs_ring *ring, struct fs_ring_reader *reader,
	fs_ring_missed missed, char *buffer, size_t size)
{
	size_t n = 0;

	while (n < size && fs_ring_has(ring, reader)) {
		if (reader->done == reader->text.size)
			take_next(ring, reader, missed);
		n += read_text(reader, buffer + n, size - n, n == 0);
		if (reader->done < reader->text.size)
			break;
	}
	return n;
}
