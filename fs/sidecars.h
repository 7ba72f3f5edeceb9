#pragma once

#include <fuse_lowlevel.h>

#include <cm4fs/module.h>

struct fs;
struct fs_blob;
struct fs_handle;

/*
 * Requests on the small files that are dropped beside images. What is in one is told to its module when it is closed,
 * and the answer to that is the close's. Each replies.
 */
void fs_sidecar_read(fuse_req_t req, struct fs_handle *handle, size_t size, off_t offset);
void fs_sidecar_write(
	fuse_req_t req, struct fs_handle *handle, const char *data, size_t size, off_t offset);
void fs_sidecar_flush(fuse_req_t req, struct fs_handle *handle);

/* It has another name: the module forgets the old one, and is told of it under the new. */
void fs_sidecar_renamed(fuse_req_t req, struct cm4_module *module, const char *old_name,
	const char *name, struct fs_blob *blob);

/* It has no name any more. Does not reply. */
void fs_sidecar_unlinked(struct fs *fs, struct cm4_module *module, const char *name);

/* An image has another name, of which a list of sums may speak. */
void fs_sidecar_compare(fuse_req_t req, struct cm4_module *module, struct cm4_image *image);
