#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "util/cleanup.h"

struct fs_blob *fs_blob_new(size_t max)
{
	struct fs_blob *blob = calloc(1, sizeof(*blob));

	if (!blob)
		return NULL;
	blob->max = max;
	atomic_init(&blob->refs, 1);
	pthread_mutex_init(&blob->lock, NULL);
	return blob;
}

struct fs_blob *fs_blob_ref(struct fs_blob *blob)
{
	atomic_fetch_add(&blob->refs, 1);
	return blob;
}

void fs_blob_unref(struct fs_blob *blob)
{
	if (!blob || atomic_fetch_sub(&blob->refs, 1) > 1)
		return;
	pthread_mutex_destroy(&blob->lock);
	free(blob->data);
	free(blob);
}

size_t fs_blob_size(struct fs_blob *blob)
{
	LOCKED(&blob->lock);

	return blob->size;
}

size_t fs_blob_read(struct fs_blob *blob, void *buffer, size_t size, uint64_t offset)
{
	size_t n;
	LOCKED(&blob->lock);

	if (offset >= blob->size)
		return 0;
	n = blob->size - (size_t)offset;
	n = n < size ? n : size;
	memcpy(buffer, blob->data + offset, n);
	return n;
}

/* Lock held. */
static int set_size(struct fs_blob *blob, uint64_t size)
{
	size_t room = blob->room;
	unsigned char *data;

	if (size > blob->max)
		return -EFBIG;
	while (room < size)
		room = room ? room * 2 : 4096;
	if (room > blob->room) {
		data = realloc(blob->data, room);
		if (!data)
			return -ENOMEM;
		blob->data = data;
		blob->room = room;
	}
	if (size > blob->size)
		memset(blob->data + blob->size, 0, (size_t)size - blob->size);
	blob->size = (size_t)size;
	blob->dirty = true;
	return 0;
}

int fs_blob_write(struct fs_blob *blob, const void *data, size_t size, uint64_t offset)
{
	LOCKED(&blob->lock);
	int r = 0;

	if (offset > blob->max || size > blob->max - offset)
		return -EFBIG;
	if (offset + size > blob->size)
		r = set_size(blob, offset + size);
	if (r < 0 || size == 0)
		return r;
	memcpy(blob->data + offset, data, size);
	blob->dirty = true;
	return 0;
}

int fs_blob_truncate(struct fs_blob *blob, uint64_t size)
{
	LOCKED(&blob->lock);

	return set_size(blob, size);
}

void fs_blob_touch(struct fs_blob *blob)
{
	LOCKED(&blob->lock);

	blob->dirty = true;
}

bool fs_blob_has_changed(struct fs_blob *blob)
{
	LOCKED(&blob->lock);

	return blob->dirty;
}

int fs_blob_take(struct fs_blob *blob, unsigned char **ret_data, size_t *ret_size)
{
	unsigned char *data;
	LOCKED(&blob->lock);

	if (!blob->dirty)
		return 0;
	data = malloc(blob->size ? blob->size : 1);
	if (!data)
		return -ENOMEM;
	if (blob->size)
		memcpy(data, blob->data, blob->size);
	*ret_data = data;
	*ret_size = blob->size;
	blob->dirty = false;
	return 1;
}
