#pragma once

#include <pthread.h>

#include <cm4fs/module.h>

#include "ino.h"

/*
 * The names of disks that were ever seen, each with a number for inodes. By name and not by
 * position: a position could stand for another disk after the next boot, and the wrong disk would
 * be erased.
 *
 * Names come from the module, so a hostile one could invent them without end: there is room for a
 * few, and no name is shown that is not made of letters, digits, `-` and `_`.
 */
struct fs_disks {
	pthread_mutex_t lock; /* innermost: nothing is called under it */
	char names[FS_INO_DISKS_MAX][CM4_DISK_MAX];
	unsigned n;
};

void fs_disks_init(struct fs_disks *disks);
void fs_disks_fini(struct fs_disks *disks);

/* Its number, or -ENOSPC, -EINVAL. */
int fs_disks_number(struct fs_disks *disks, const char *name);

/* 0 or -ESTALE. */
int fs_disks_name(struct fs_disks *disks, unsigned number, char ret_name[CM4_DISK_MAX]);
