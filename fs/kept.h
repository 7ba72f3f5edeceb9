#pragma once

#include <fuse_lowlevel.h>

#include <cm4fs/module.h>

#include "drops.h"

struct fs;
struct fs_blob;
struct fs_handle;

/*
 * Small files that are kept in memory, and what they are for: a sidecar says something of an image; a boot file is
 * served to the module. A file's name and place tell which. Its module is told of it when it is closed, and the answer
 * to that is the close's; and again when it has another name, or none.
 */
enum fs_role {
	FS_ROLE_NONE, /* by its name it is of no use to anyone: a backup, say */
	FS_ROLE_SIDECAR,
	FS_ROLE_BOOT,
};

/* @ret_name: what the module calls it: without what a copying program makes of it; a boot file with its directories. */
enum fs_role fs_kept_role(
	struct fs *fs, struct fs_place place, const char *name, char ret_name[CM4_PATH_MAX]);

/* How large such a file may become, in bytes. */
size_t fs_kept_max(enum fs_role role);

/* Each replies. */
void fs_kept_read(fuse_req_t req, struct fs_handle *handle, size_t size, off_t offset);
void fs_kept_write(
	fuse_req_t req, struct fs_handle *handle, const char *data, size_t size, off_t offset);
void fs_kept_flush(fuse_req_t req, struct fs_handle *handle);

/* It was @name in @place, and is @to_name in @to. */
void fs_kept_renamed(fuse_req_t req, struct cm4_module *module, struct fs_place place,
	const char *name, struct fs_place to, const char *to_name, struct fs_blob *blob);

/* It has no name any more. Does not reply. */
void fs_kept_unlinked(
	struct fs *fs, struct cm4_module *module, struct fs_place place, const char *name);

/* An image has another name, of which a list of sums may speak. */
void fs_kept_compare(fuse_req_t req, struct cm4_module *module, struct cm4_image *image);
