#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#include <cm4fs/image.h>
#include <cm4fs/module.h>

#include "text.h"

struct fs;
struct fs_blob;
struct fs_reader;

/*
 * An open file or directory. The kernel keeps it open for as long as a request on it lives, so
 * requests borrow it. All are in a list, for at a lazy unmount those that are still open are never
 * released.
 */
struct fs_handle {
	TAILQ_ENTRY(fs_handle) link;
	uint64_t ino;
	struct cm4_module *module; /* with a reference; NULL: none */

	struct cm4_image
		*image;	      /* with a reference, and open; NULL: a text, a directory or a blob */
	struct fs_blob *blob; /* with a reference; NULL: none */
	bool stages;	      /* it is a boot file's, and writable: its module knows */
	bool writable;
	char disk[CM4_DISK_MAX]; /* the disk that was opened by its own name; "" otherwise */
	bool flash;		 /* ... to be flashed, not as it is */

	struct fs_reader *reader; /* of events; the handle's own, or NULL */

	pthread_mutex_t lock; /* guards the text, where it is rendered again: a log, a directory */
	struct fs_text text;
};

/*
 * The handle takes over both references and, if there is an image, opens it. NULL: no memory;
 * nothing taken.
 */
struct fs_handle *fs_handle_new(struct fs *fs, uint64_t ino, struct cm4_module *module,
	struct cm4_image *image, bool writable);
void fs_handle_free(struct fs *fs, struct fs_handle *handle); /* closes; NULL is accepted */
void fs_handle_free_all(struct fs *fs);

/*
 * The image through which @disk of @module is being flashed by its own name, with a reference; or
 * NULL.
 */
struct cm4_image *fs_handle_find_flash(struct fs *fs, uint64_t module, const char *disk);

/* A sidecar of @module's is open for writing. */
bool fs_handle_has_blob(struct fs *fs, uint64_t module);

/*
 * The disk of @module that is open by its own name for writing as it is. Whether there is one, and
 * only one.
 */
bool fs_handle_find_raw(struct fs *fs, uint64_t module, char ret_disk[CM4_DISK_MAX]);
