#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "fs.h"
#include "handle.h"
#include "kept.h"
#include "name.h"
#include "op.h"
#include "proc.h"
#include "util/cleanup.h"

#define SIDECAR_MAX (16u << 20)

enum fs_role fs_kept_role(
	struct fs *fs, struct fs_place place, const char *name, char ret_name[CM4_PATH_MAX])
{
	char base[CM4_LABEL_MAX], path[FS_DIR_PATH];
	const char *within;

	fs_name_base(name, base);
	snprintf(ret_name, CM4_PATH_MAX, "%s", base);
	if (fs_dirs_is_boot(&fs->dirs, place.dir)) {
		if (fs_dirs_path(&fs->dirs, place.dir, path) < 0)
			return FS_ROLE_NONE;
		within = strchr(path, '/');
		if (within)
			snprintf(ret_name, CM4_PATH_MAX, "%s/%s", within + 1, base);
		return FS_ROLE_BOOT;
	}
	switch (fs_name_judge(name, NULL)) {
	case FS_NAME_SIDECAR:
		return FS_ROLE_SIDECAR;
	case FS_NAME_BOOT:
		return FS_ROLE_BOOT;
	case FS_NAME_IMAGE:
	case FS_NAME_DISK:
	case FS_NAME_FIXED:
	case FS_NAME_JUNK:
	case FS_NAME_COMPANION:
		break;
	}
	return FS_ROLE_NONE;
}

size_t fs_kept_max(enum fs_role role)
{
	return role == FS_ROLE_BOOT ? CM4_BOOT_FILE_MAX : SIDECAR_MAX;
}

void fs_kept_read(fuse_req_t req, struct fs_handle *handle, size_t size, off_t offset)
{
	_cleanup_free_ char *part = malloc(size ? size : 1);

	if (!part) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	fuse_reply_buf(req, part, fs_blob_read(handle->blob, part, size, (uint64_t)offset));
}

void fs_kept_write(
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

static void tell_sidecar(fuse_req_t req, struct cm4_module *module, const char *name,
	const unsigned char *data, size_t size)
{
	struct fs_op *op = fs_op_new(req, NULL, FS_REPLY_ERROR);

	if (op)
		fs_op_sidecar(op, module, name, data, size);
}

static void tell(fuse_req_t req, struct cm4_module *module, enum fs_role role, const char *name,
	struct fs_blob *blob)
{
	unsigned char *data;
	size_t size;
	int r = fs_blob_take(blob, &data, &size);

	if (r > 0 && role == FS_ROLE_SIDECAR) {
		tell_sidecar(req, module, name, data, size);
		free(data);
		return;
	}
	if (r > 0)
		r = cm4_module_stage(module, name, data, size);
	if (r < 0)
		fs_blob_touch(blob);
	fuse_reply_err(req, -r);
}

static void forget_now(struct cm4_module *module, enum fs_role role, const char *name)
{
	if (role == FS_ROLE_SIDECAR)
		cm4_module_forget_sidecar(module, name);
	else if (role == FS_ROLE_BOOT)
		cm4_module_unstage(module, name);
}

void fs_kept_flush(fuse_req_t req, struct fs_handle *handle)
{
	struct fs *fs = fs_of(req);
	struct fs_drop_view view = {0};
	enum fs_role role = FS_ROLE_NONE;
	bool temporary = false;
	char name[CM4_PATH_MAX], base[CM4_LABEL_MAX];

	/* One that has been removed says nothing. */
	if (fs_drops_get(&fs->drops, handle->ino, &view) == 0 && view.named && handle->writable) {
		role = fs_kept_role(fs, view.place, view.name, name);
		fs_name_base(view.name, base);
		temporary = strcmp(view.name, base);
	}
	fs_drop_view_put(&view);
	if (role == FS_ROLE_NONE) {
		fuse_reply_err(req, 0);
	} else if (fs_proc_killed(fuse_req_ctx(req)->pid)) {
		/* Half a file says nothing, and what it said before has been overwritten. */
		if (!temporary && fs_blob_has_changed(handle->blob))
			forget_now(handle->module, role, name);
		fuse_reply_err(req, 0);
	} else {
		tell(req, handle->module, role, name, handle->blob);
	}
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
 * A file in @place that was told of as @known is called that no more. KIO removes the old one when the new one is
 * there, under a temporary name: what the module knows is of the latter then.
 */
static void forget(struct fs *fs, struct cm4_module *module, struct fs_place place,
	enum fs_role role, const char *known)
{
	const char *slash = strrchr(known, '/');
	struct search search = {.base = slash ? slash + 1 : known};

	fs_drops_each(&fs->drops, place, look, &search);
	if (!search.found && place.dir == FS_DIR_MODULE) {
		place.dir = FS_DIR_TMP;
		fs_drops_each(&fs->drops, place, look, &search);
	}
	if (!search.found)
		forget_now(module, role, known);
}

void fs_kept_unlinked(
	struct fs *fs, struct cm4_module *module, struct fs_place place, const char *name)
{
	char known[CM4_PATH_MAX];
	enum fs_role role = fs_kept_role(fs, place, name, known);

	forget(fs, module, place, role, known);
}

void fs_kept_renamed(fuse_req_t req, struct cm4_module *module, struct fs_place place,
	const char *name, struct fs_place to, const char *to_name, struct fs_blob *blob)
{
	char before[CM4_PATH_MAX], after[CM4_PATH_MAX];
	struct fs *fs = fs_of(req);
	enum fs_role was = fs_kept_role(fs, place, name, before);
	enum fs_role is = fs_kept_role(fs, to, to_name, after);

	if (was == is && !strcmp(before, after)) {
		fuse_reply_err(req, 0);
		return;
	}
	forget(fs, module, place, was, before);
	fs_blob_touch(blob);
	if (is == FS_ROLE_NONE)
		fuse_reply_err(req, 0);
	else
		tell(req, module, is, after, blob);
}

void fs_kept_compare(fuse_req_t req, struct cm4_module *module, struct cm4_image *image)
{
	struct fs_op *op = fs_op_new(req, NULL, FS_REPLY_ERROR);

	if (op)
		fs_op_compare(op, module, image);
}
