#pragma once

#include <cm4fs/module.h>

/*
 * What a new name in a module's directory asks for. Copying programs write under a temporary name
 * first (rsync's .NAME.XXXXXX, KIO's NAME.part); what they mean is NAME, so that is what is
 * judged. Pure; any thread.
 */
enum fs_name {
	FS_NAME_IMAGE,	   /* an image for the module's first disk */
	FS_NAME_DISK,	   /* DISK.img: that disk */
	FS_NAME_FIXED,	   /* one of ours, now or in time */
	FS_NAME_JUNK,	   /* what desktops leave behind */
	FS_NAME_SIDECAR,   /* says something about an image, and is kept for it */
	FS_NAME_COMPANION, /* a program's own file about an image, which nobody here wants */
	FS_NAME_BOOT,	   /* a boot file by its well-known name, and is kept for the module */
};

/* @ret_disk is set for FS_NAME_DISK only, and may be NULL. */
enum fs_name fs_name_judge(const char *name, char ret_disk[CM4_DISK_MAX]);

/* The name behind a temporary one; the name itself if it is none. */
void fs_name_base(const char *name, char base[CM4_LABEL_MAX]);

/* What create and rename answer: 0, -EPERM or -EOPNOTSUPP. */
int fs_name_error(enum fs_name kind);
