#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "ino.h"

/*
 * The paths of directories within a module's that were ever made, each with a number for inodes: rsync's .~tmp~, boot,
 * and what is in boot. Which of them a module has, the drops know.
 *
 * There is room for a few, in all modules together; paths are the user's own.
 */
#define FS_DIR_MODULE 0 /* the module's directory itself */
#define FS_DIR_BOOT   1
#define FS_DIR_TMP    2
#define FS_DIR_PATH   200 /* bytes, with the NUL */

struct fs_dirs {
	pthread_mutex_t lock; /* innermost: nothing is called under it */
	char paths[FS_INO_DIRS_MAX][FS_DIR_PATH];
	unsigned n;
};

void fs_dirs_init(struct fs_dirs *dirs);
void fs_dirs_fini(struct fs_dirs *dirs);

/* The number of the directory @name in @parent. -ENOENT: there never was one; make: -ENOSPC, -ENAMETOOLONG. */
int fs_dirs_find(struct fs_dirs *dirs, unsigned parent, const char *name);
int fs_dirs_make(struct fs_dirs *dirs, unsigned parent, const char *name);

/* 0 or -ESTALE. */
int fs_dirs_path(struct fs_dirs *dirs, unsigned number, char ret_path[FS_DIR_PATH]);

/* The name of @number, if it lies in @parent itself; else -ENOENT. */
int fs_dirs_name_in(
	struct fs_dirs *dirs, unsigned number, unsigned parent, char ret_name[FS_DIR_PATH]);

/* Boot files live there: boot, or a directory in it. */
bool fs_dirs_is_boot(struct fs_dirs *dirs, unsigned number);
