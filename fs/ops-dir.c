#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"
#include "handle.h"
#include "ops.h"
#include "tree.h"
#include "util/cleanup.h"

/*
 * A listing is made when its reading begins, and again at each rewind, so that what one reader
 * sees hangs together. An entry's offset is where the next one begins.
 */
struct listing {
	fuse_req_t req;
	struct fs_text text;
	bool failed;
};

static bool add(void *data, const char *name, uint64_t ino, mode_t type)
{
	struct listing *listing = data;
	struct stat st = {.st_ino = ino, .st_mode = type};
	size_t size = fuse_add_direntry(listing->req, NULL, 0, name, NULL, 0);
	char *grown = realloc(listing->text.data, listing->text.size + size);

	if (!grown) {
		listing->failed = true;
		return false;
	}
	listing->text.data = grown;
	fuse_add_direntry(listing->req, grown + listing->text.size, size, name, &st,
		(off_t)(listing->text.size + size));
	listing->text.size += size;
	return true;
}

static int list(fuse_req_t req, uint64_t ino, struct fs_text *ret_text)
{
	_cleanup_node_ struct fs_node node = {0};
	struct listing listing = {.req = req};
	int r = fs_node_get(fs_of(req), ino, &node);

	if (r < 0)
		return r;
	add(&listing, ".", ino, S_IFDIR);
	add(&listing, "..", FUSE_ROOT_ID, S_IFDIR);
	r = fs_node_list(fs_of(req), &node, add, &listing);
	if (r == 0 && listing.failed)
		r = -ENOMEM;
	if (r < 0) {
		free(listing.text.data);
		return r;
	}
	*ret_text = listing.text;
	return 0;
}

void fs_do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct fs_handle *handle = fs_handle_new(fs, ino, NULL, NULL, false);

	if (!handle) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fi->fh = (uintptr_t)handle;
	if (fuse_reply_open(req, fi) < 0)
		fs_handle_free(fs, handle);
}

void fs_do_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct fs_handle *handle = (struct fs_handle *)(uintptr_t)fi->fh;
	_cleanup_free_ char *part = NULL;
	struct fs_text text;
	size_t n = 0;

	if (offset == 0) {
		int r = list(req, ino, &text);

		if (r < 0) {
			fuse_reply_err(req, -r);
			return;
		}
		LOCKED(&handle->lock);
		free(handle->text.data);
		handle->text = text;
	}

	part = malloc(size);
	if (!part) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	{
		LOCKED(&handle->lock);
		if (offset >= 0 && (size_t)offset < handle->text.size) {
			n = handle->text.size - (size_t)offset;
			n = n < size ? n : size;
			memcpy(part, handle->text.data + offset, n);
		}
	}
	fuse_reply_buf(req, part, n);
}
