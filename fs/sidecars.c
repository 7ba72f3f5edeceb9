#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "fs.h"
#include "handle.h"
#include "name.h"
#include "op.h"
#include "proc.h"
#include "sidecars.h"
#include "tree.h"
#include "util/cleanup.h"

void fs_sidecar_read(fuse_req_t req, struct fs_handle *handle, size_t size, off_t offset)
{
	_cleanup_free_ char *part = malloc(size ? size : 1);

	if (!part) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fuse_reply_buf(req, part, fs_blob_read(handle->blob, part, size, (uint64_t)offset));
}

void fs_sidecar_write(
	fuse_req_t req, struct fs_handle *handle, const char *data, size_t size, off_t offset)
{
	struct timespec now;
	int r = fs_blob_write(handle->blob, data, size, (uint64_t)offset);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	fs_drops_set_times(&fs_of(req)->drops, handle->ino, NULL, &now);
	fuse_reply_write(req, size);
}

static void told(void *op, int result)
{
	fs_op_done(op, result);
}

/* @data is freed. */
static void tell(fuse_req_t req, struct cm4_module *module, const char *name, unsigned char *data,
	size_t size)
{
	struct fs_op *op = fs_op_new(req, NULL, FS_REPLY_ERROR);

	if (op)
		fs_op_sidecar(op, module, name, data, size, told);
	free(data);
}

static void tell_blob(
	fuse_req_t req, struct cm4_module *module, const char *name, struct fs_blob *blob)
{
	unsigned char *data;
	size_t size;
	int r = fs_blob_take(blob, &data, &size);

	if (r > 0)
		tell(req, module, name, data, size);
	else
		fuse_reply_err(req, -r);
}

/* Its writer is being killed: half a file says nothing, and what it said before has been overwritten. */
static void forget_half(struct fs_handle *handle, const char *name, const char *base)
{
	if (!strcmp(name, base) && fs_blob_has_changed(handle->blob))
		cm4_module_forget_sidecar(handle->module, base);
}

void fs_sidecar_flush(fuse_req_t req, struct fs_handle *handle)
{
	struct fs_drop_view view = {0};
	char base[CM4_LABEL_MAX];
	int r = fs_drops_get(&fs_of(req)->drops, handle->ino, &view);

	if (r == 0)
		fs_name_base(view.name, base);
	/* One that has been removed says nothing. */
	if (r < 0 || !view.named || !handle->writable || !cm4_is_sidecar(base)) {
		fuse_reply_err(req, 0);
	} else if (fs_proc_killed(fuse_req_ctx(req)->pid)) {
		forget_half(handle, view.name, base);
		fuse_reply_err(req, 0);
	} else {
		tell_blob(req, handle->module, base, handle->blob);
	}
	fs_drop_view_put(&view);
}

struct search {
	const char *base;
	bool found;
};

static bool look(void *data, uint64_t ino, const char *name)
{
	struct search *search = data;
	char base[CM4_LABEL_MAX];

	fs_name_base(name, base);
	search->found = !strcmp(base, search->base);
	return !search->found;
}

/*
 * A file that was told of as @base is called that no more. KIO removes the old one when the new one is there, under a
 * temporary name: what the module knows is of the latter then.
 */
static void forget(struct fs *fs, struct cm4_module *module, const char *base)
{
	struct search search = {.base = base};

	for (int tmp = 0; tmp < 2 && !search.found; tmp++)
		fs_drops_each(&fs->drops,
			(struct fs_place){.module = cm4_module_id(module), .tmp = tmp}, look,
			&search);
	if (!search.found)
		cm4_module_forget_sidecar(module, base);
}

void fs_sidecar_unlinked(struct fs *fs, struct cm4_module *module, const char *name)
{
	char base[CM4_LABEL_MAX];

	fs_name_base(name, base);
	forget(fs, module, base);
}

void fs_sidecar_renamed(fuse_req_t req, struct cm4_module *module, const char *old_name,
	const char *name, struct fs_blob *blob)
{
	char before[CM4_LABEL_MAX], base[CM4_LABEL_MAX];

	fs_name_base(old_name, before);
	fs_name_base(name, base);
	if (!strcmp(before, base)) {
		fuse_reply_err(req, 0);
		return;
	}
	forget(fs_of(req), module, before);
	fs_blob_touch(blob);
	if (cm4_is_sidecar(base))
		tell_blob(req, module, base, blob);
	else
		fuse_reply_err(req, 0);
}

void fs_sidecar_compare(fuse_req_t req, struct cm4_module *module, struct cm4_image *image)
{
	struct fs_op *op = fs_op_new(req, NULL, FS_REPLY_ERROR);

	if (op)
		fs_op_compare(op, module, image, told);
}
