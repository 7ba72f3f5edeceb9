#pragma once

#include <stdint.h>

/*
 * Inode numbers. All but the dropped files have fixed names, so their numbers are computed:
 * nothing is stored, nothing is forgotten, and a number that outlives its module is found out by
 * its module's id, which is never used twice. Pure; any thread.
 *
 * 	62         61 .............. 16  15 ... 0
 * 	0          the module's id       kind        (id 0: the root itself, FUSE's 1)
 * 	1          a counter: a dropped file, see drops.h
 */
enum fs_kind {
	FS_KIND_DIR = 1, /* the root, or a module's directory */
	FS_KIND_README,
	FS_KIND_DIAGNOSIS,
	FS_KIND_STATUS,
	FS_KIND_EVENTS,
	FS_KIND_BY_PORT,
	FS_KIND_DETAILS,
	FS_KIND_FAIL,
	FS_KIND_LOG,
	FS_KIND_CONTROL, /* index: which of its files, see verbs.h */
	FS_KIND_LINK,	 /* by-port/PORT */
	FS_KIND_DISK,	 /* index: which name, see disks.h */
	FS_KIND_SUBDIR,	 /* index: which path, see dirs.h */
	FS_KIND_DROP,	 /* module 0: the drops know whose it is */
};

#define FS_INO_DISKS_MAX    256
#define FS_INO_CONTROLS_MAX 256
#define FS_INO_DIRS_MAX	    256
#define FS_INO_DROP	    (UINT64_C(1) << 62)

struct fs_ino {
	enum fs_kind kind;
	uint64_t module;
	unsigned index;
};

uint64_t fs_ino_encode(struct fs_ino ino);

/* 0 or -ESTALE: no number of ours. */
int fs_ino_decode(uint64_t number, struct fs_ino *ret_ino);
