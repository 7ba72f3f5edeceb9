#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A small file that stays in memory: one that is dropped beside an image, and says something about it. Any thread.
 * Ownership: references.
 */
struct fs_blob {
	atomic_uint refs;
	pthread_mutex_t lock; /* innermost; guards what follows */
	unsigned char *data;
	size_t size, room, max;
	bool dirty; /* changed since it was copied last */
};

struct fs_blob *fs_blob_new(size_t max); /* bytes. NULL: no memory */
struct fs_blob *fs_blob_ref(struct fs_blob *blob);
void fs_blob_unref(struct fs_blob *blob); /* NULL is accepted */

size_t fs_blob_size(struct fs_blob *blob);
size_t fs_blob_read(struct fs_blob *blob, void *buffer, size_t size, uint64_t offset);

/* 0, -EFBIG or -ENOMEM; nothing has changed then. What is leapt over is zeros. */
int fs_blob_write(struct fs_blob *blob, const void *data, size_t size, uint64_t offset);
int fs_blob_truncate(struct fs_blob *blob, uint64_t size);

void fs_blob_touch(struct fs_blob *blob); /* as if it had been changed */
bool fs_blob_has_changed(struct fs_blob *blob);

/*
 * All of it, if it has changed since it was asked for last: 1, and a copy to be freed; 0: it has not; -ENOMEM.
 */
int fs_blob_take(struct fs_blob *blob, unsigned char **ret_data, size_t *ret_size);
