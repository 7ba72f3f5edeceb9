#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include <cm4fs/image.h>
#include <cm4fs/module.h>

/*
 * The dropped files: names for images and for what goes with them, module by module. A file is here while it has a
 * name or while the kernel knows its inode number. An image that another has replaced on the disk loses its name.
 *
 * Thread: any. Ownership: each file has a reference to its image or blob; each view a reference of its
 * own.
 */
#define FS_DROPS_MAX 512 /* names in one module's directory, and in those within it */
#define FS_BLOBS_MAX 32	 /* ... of sidecars */
#define FS_DIRS_MAX  64	 /* directories in it */

struct fs_blob;
struct fs_drop;
struct fs_made;
TAILQ_HEAD(fs_drop_list, fs_drop);
TAILQ_HEAD(fs_made_list, fs_made);

struct fs_drops {
	pthread_mutex_t lock; /* the images' own locks are taken under it */
	struct fs_drop_list files;
	struct fs_made_list dirs; /* that were made, in which module */
	uint64_t next;
};

/* Where a name lives. */
struct fs_place {
	uint64_t module;
	unsigned dir; /* which of its directories, see dirs.h */
};

/* A copy of what is known of a file; put it. */
struct fs_drop_view {
	uint64_t ino;
	struct fs_place place;
	bool named; /* false: the name that it had last */
	char name[CM4_LABEL_MAX];
	char disk[CM4_DISK_MAX]; /* that its image is for */
	struct cm4_image *image; /* NULL: it is a blob */
	struct fs_blob *blob;	 /* NULL: it is an image */
	struct timespec atime, mtime;
};

void fs_drops_init(struct fs_drops *drops);
void fs_drops_fini(struct fs_drops *drops);
void fs_drop_view_put(
	struct fs_drop_view *view); /* a view that was never filled in, all zeros, is accepted */

/*
 * A new file. 0 or -errno: EEXIST, ENOSPC (FS_DROPS_MAX), ENOMEM. The kernel is taken to know it:
 * forget undoes that, here and at lookup.
 */
int fs_drops_add(struct fs_drops *drops, struct fs_place place, const char *name, const char *disk,
	struct cm4_image *image, struct fs_drop_view *ret_view);
/* The same of a file in memory; of those that lie beside images only FS_BLOBS_MAX. */
int fs_drops_add_blob(struct fs_drops *drops, struct fs_place place, const char *name,
	struct fs_blob *blob, struct fs_drop_view *ret_view);
int fs_drops_lookup(struct fs_drops *drops, struct fs_place place, const char *name,
	struct fs_drop_view *ret_view); /* 0 or -ENOENT */
void fs_drops_forget(struct fs_drops *drops, uint64_t ino, uint64_t n);

int fs_drops_get(
	struct fs_drops *drops, uint64_t ino, struct fs_drop_view *ret_view); /* 0 or -ESTALE */
bool fs_drops_exists(struct fs_drops *drops, struct fs_place place, const char *name);

/*
 * Every name in @place, as long as @each returns true. @each is called under the lock: it only
 * copies.
 */
void fs_drops_each(struct fs_drops *drops, struct fs_place place,
	bool (*each)(void *data, uint64_t ino, const char *name), void *data);

int fs_drops_unlink(
	struct fs_drops *drops, struct fs_place place, const char *name); /* 0 or -ENOENT */

/*
 * Gives a file another name, in the place of whatever has it now. A @to_name of NULL takes the
 * name away: the file has become a disk's. 0 or -ENOENT; the view is of the file.
 */
int fs_drops_rename(struct fs_drops *drops, struct fs_place from, const char *name,
	struct fs_place to, const char *to_name, struct fs_drop_view *ret_view);

/* Times in memory; NULL leaves one as it is. */
void fs_drops_set_times(struct fs_drops *drops, uint64_t ino, const struct timespec *atime,
	const struct timespec *mtime);

/*
 * Directories: 0 or -errno: EEXIST, ENOSPC (FS_DIRS_MAX), ENOMEM; ENOENT, ENOTEMPTY (of files; of directories the
 * caller knows). That of boot files is always there.
 */
int fs_drops_mkdir(struct fs_drops *drops, struct fs_place place);
int fs_drops_rmdir(struct fs_drops *drops, struct fs_place place);
bool fs_drops_has_dir(struct fs_drops *drops, struct fs_place place);

/* Every directory of a module's, as fs_drops_each. */
void fs_drops_each_dir(struct fs_drops *drops, uint64_t module,
	bool (*each)(void *data, unsigned dir), void *data);

void fs_drops_sweep(struct fs_drops *drops); /* superseded images lose their names */
void fs_drops_clear(struct fs_drops *drops,
	uint64_t module); /* what is in memory of a module's does, and its directories go */
void fs_drops_leave(struct fs_drops *drops, uint64_t module); /* all of a module's files do */
