#include <errno.h>

#include "blob.h"
#include "fs.h"
#include "handle.h"
#include "op.h"
#include "ops.h"
#include "tree.h"

#define BLOCK 4096

/*
 * What statfs says of a place whose disk is not known: enough for every image, so that nobody
 * gives up early.
 */
#define UNKNOWN_BYTES (UINT64_C(2) << 40)

void fs_do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fs_tree_reply_attr(req, ino);
}

/*
 * Owner and mode are ours; a program that sets them is told that it did. Times are kept where a
 * person looks.
 */
static void set_times(struct fs *fs, const struct fs_node *node, const struct stat *attr, int which)
{
	const struct timespec *atime = NULL, *mtime = NULL;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (which & FUSE_SET_ATTR_ATIME_NOW)
		atime = &now;
	else if (which & FUSE_SET_ATTR_ATIME)
		atime = &attr->st_atim;
	if (which & FUSE_SET_ATTR_MTIME_NOW)
		mtime = &now;
	else if (which & FUSE_SET_ATTR_MTIME)
		mtime = &attr->st_mtim;
	if (node->id.kind == FS_KIND_DROP && (atime || mtime))
		fs_drops_set_times(&fs->drops, node->ino, atime, mtime);
}

/* The image behind a path, with a reference. */
static int image_of(const struct fs_node *node, struct cm4_image **ret_image)
{
	if (node->id.kind == FS_KIND_DROP) {
		*ret_image = cm4_image_ref(node->drop.image);
		return 0;
	}
	if (node->id.kind == FS_KIND_DISK)
		return cm4_module_raw(node->module, node->disk, ret_image);
	return -EPERM;
}

static void truncate_image(
	fuse_req_t req, uint64_t ino, struct cm4_image *image, bool open, off_t size)
{
	struct fs_op *op = fs_op_new(req, image, FS_REPLY_ATTR);

	if (!op)
		return;
	if (open) {
		cm4_image_open(image, true);
		op->opened = true;
	}
	op->ino = ino;
	op->io.kind = CM4_IO_TRUNCATE;
	op->io.length = (uint64_t)size;
	fs_op_submit(op);
}

/*
 * By an open file if there is one (ftruncate); else the image is opened for this alone (truncate).
 */
static void set_size(
	fuse_req_t req, const struct fs_node *node, off_t size, struct fuse_file_info *fi)
{
	struct fs_handle *handle = fi ? (struct fs_handle *)(uintptr_t)fi->fh : NULL;
	struct cm4_image *image;
	int r;

	if (node->id.kind == FS_KIND_CONTROL && size == 0) {
		fs_tree_reply_attr(req, node->ino);
		return;
	}
	if (handle ? handle->blob : node->drop.blob) {
		r = fs_blob_truncate(handle ? handle->blob : node->drop.blob, (uint64_t)size);
		if (r < 0)
			fuse_reply_err(req, -r);
		else
			fs_tree_reply_attr(req, node->ino);
		return;
	}
	if (handle && handle->image) {
		truncate_image(req, node->ino, handle->image, false, size);
		return;
	}
	r = image_of(node, &image);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	truncate_image(req, node->ino, image, true, size);
	cm4_image_unref(image);
}

void fs_do_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int which, struct fuse_file_info *fi)
{
	_cleanup_node_ struct fs_node node = {0};
	struct fs *fs = fs_of(req);
	int r = fs_node_get(fs, ino, &node);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	set_times(fs, &node, attr, which);
	if (which & FUSE_SET_ATTR_SIZE)
		set_size(req, &node, attr->st_size, fi);
	else
		fs_tree_reply_attr(req, ino);
}

static uint64_t bytes_of(struct cm4_module *module)
{
	struct cm4_status status;

	cm4_module_status(module, &status);
	return status.n_disks && status.disks[0].bytes ? status.disks[0].bytes : UNKNOWN_BYTES;
}

/* Free is what an image may take, and an image may take it all. */
void fs_do_statfs(fuse_req_t req, fuse_ino_t ino)
{
	_cleanup_node_ struct fs_node node = {0};
	uint64_t bytes = UNKNOWN_BYTES;
	struct statvfs st = {.f_bsize = BLOCK, .f_frsize = BLOCK, .f_namemax = CM4_LABEL_MAX - 1};

	if (fs_node_get(fs_of(req), ino, &node) == 0 && node.module)
		bytes = bytes_of(node.module);
	st.f_blocks = st.f_bfree = st.f_bavail = bytes / BLOCK;
	fuse_reply_statfs(req, &st);
}
