#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cm4fs/log.h>

#include "blob.h"
#include "events.h"
#include "fs.h"
#include "handle.h"
#include "kept.h"
#include "name.h"
#include "ops.h"
#include "tree.h"
#include "util/cleanup.h"

/*
 * Everything is direct_io: a write comes as the program made it, in order and at once, and what a
 * read answers is what is there now.
 */

/* That an image goes to when its name says nothing else. */
#define FIRST_DISK "mmcblk0"

/* Of the temporary names that GLib writes under. */
#define GLIB_PREFIX ".goutputstream-"

static bool is_writing(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* Texts are read only, whoever asks; control is written, and says so by its mode. */
static int open_text(
	struct fs *fs, const struct fs_node *node, int flags, struct fs_handle **ret_handle)
{
	struct fs_text text = {0};
	struct fs_handle *handle;

	if (node->id.kind != FS_KIND_CONTROL && (is_writing(flags) || (flags & O_TRUNC)))
		return -EPERM;
	if ((flags & O_ACCMODE) != O_WRONLY) {
		int r = fs_node_text(fs, node, &text);

		if (r < 0)
			return r;
	}
	handle = fs_handle_new(
		fs, node->ino, node->module ? cm4_module_ref(node->module) : NULL, NULL, false);
	if (!handle) {
		free(text.data);
		return -ENOMEM;
	}
	handle->text = text;
	*ret_handle = handle;
	return 0;
}

/*
 * O_NOFOLLOW: whoever walks a tree opens so, to copy it (cp -r, rsync, tar) or to search it (grep -r), and would be
 * there for ever. He gets what there is, and then the end; who means this file does not ask for that.
 */
static int open_events(
	struct fs *fs, const struct fs_node *node, int flags, struct fs_handle **ret_handle)
{
	struct fs_handle *handle;
	int r;

	if (is_writing(flags) || (flags & O_TRUNC))
		return -EPERM;
	handle = fs_handle_new(fs, node->ino, NULL, NULL, false);
	if (!handle)
		return -ENOMEM;
	r = fs_events_open(fs->events, flags & O_NOFOLLOW, &handle->reader);
	if (r < 0)
		fs_handle_free(fs, handle);
	else
		*ret_handle = handle;
	return r;
}

/* Takes @image over. */
static int open_image(struct fs *fs, const struct fs_node *node, struct cm4_image *image, int flags,
	struct fs_handle **ret_handle)
{
	struct cm4_module *module = node->module ? cm4_module_ref(node->module) : NULL;
	struct fs_handle *handle = fs_handle_new(fs, node->ino, module, image, is_writing(flags));

	if (!handle) {
		cm4_image_unref(image);
		cm4_module_unref(module);
		return -ENOMEM;
	}
	*ret_handle = handle;
	return 0;
}

static int open_blob(
	struct fs *fs, const struct fs_node *node, int flags, struct fs_handle **ret_handle)
{
	struct cm4_module *module = node->module ? cm4_module_ref(node->module) : NULL;
	char name[CM4_PATH_MAX];
	struct fs_handle *handle =
		module ? fs_handle_new(fs, node->ino, module, NULL, is_writing(flags)) : NULL;

	if (!handle) {
		cm4_module_unref(module);
		return module ? -ENOMEM : -ENODEV;
	}
	if (flags & O_TRUNC)
		fs_blob_truncate(node->drop.blob, 0);
	{
		LOCKED(&fs->handles_lock);
		handle->blob = fs_blob_ref(node->drop.blob);
	}
	handle->stages = handle->writable &&
			 fs_kept_role(fs, node->drop.place, node->drop.name, name) == FS_ROLE_BOOT;
	if (handle->stages)
		cm4_module_staging(module, true);
	*ret_handle = handle;
	return 0;
}

static int open_drop(
	struct fs *fs, const struct fs_node *node, int flags, struct fs_handle **ret_handle)
{
	if (node->drop.blob)
		return open_blob(fs, node, flags, ret_handle);
	if ((flags & O_TRUNC) && cm4_image_is_being_written(node->drop.image))
		return -EBUSY;
	if (flags & O_TRUNC)
		cm4_image_restart(node->drop.image);
	return open_image(fs, node, cm4_image_ref(node->drop.image), flags, ret_handle);
}

/* A disk by its own name: with O_TRUNC it is flashed, without it is the disk as it is. */
static int open_disk(
	struct fs *fs, const struct fs_node *node, int flags, struct fs_handle **ret_handle)
{
	bool flash = flags & O_TRUNC;
	struct cm4_image *image;
	char label[CM4_DISK_MAX + sizeof(".img")];
	int r;

	if (!node->module)
		return -ENODEV;
	snprintf(label, sizeof(label), "%s.img", node->disk);
	r = flash ? cm4_module_drop(node->module, node->disk, label, &image)
		  : cm4_module_raw(node->module, node->disk, &image);
	if (r == 0)
		r = open_image(fs, node, image, flags, ret_handle);
	if (r == 0) {
		/* Others look at it in the list already. */
		LOCKED(&fs->handles_lock);
		(*ret_handle)->flash = flash;
		strcpy((*ret_handle)->disk, node->disk);
	}
	return r;
}

static int open_node(
	struct fs *fs, const struct fs_node *node, int flags, struct fs_handle **ret_handle)
{
	switch (node->id.kind) {
	case FS_KIND_DROP:
		return open_drop(fs, node, flags, ret_handle);
	case FS_KIND_DISK:
		return open_disk(fs, node, flags, ret_handle);
	case FS_KIND_EVENTS:
		return open_events(fs, node, flags, ret_handle);
	case FS_KIND_README:
	case FS_KIND_DIAGNOSIS:
	case FS_KIND_STATUS:
	case FS_KIND_DETAILS:
	case FS_KIND_FAIL:
	case FS_KIND_LOG:
	case FS_KIND_CONTROL:
		return open_text(fs, node, flags, ret_handle);
	case FS_KIND_DIR:
	case FS_KIND_BY_PORT:
	case FS_KIND_SUBDIR:
		return -EISDIR;
	case FS_KIND_LINK:
		return -ELOOP;
	}
	return -ESTALE;
}

static void set_handle(struct fuse_file_info *fi, struct fs_handle *handle)
{
	fi->fh = (uintptr_t)handle;
	fi->direct_io = 1;
	fi->nonseekable = handle->reader != NULL;
}

void fs_do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	_cleanup_node_ struct fs_node node = {0};
	struct fs *fs = fs_of(req);
	struct fs_handle *handle;
	int r = fs_node_get(fs, ino, &node);

	if (r == 0)
		r = open_node(fs, &node, fi->flags, &handle);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	set_handle(fi, handle);
	if (fuse_reply_open(req, fi) < 0) /* interrupted: nobody will release it */
		fs_handle_free(fs, handle);
}

void fs_do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fs_handle_free(fs_of(req), (struct fs_handle *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

/*
 * The disk that a new file is for. A temporary name says whose place it will take, but for GLib's:
 * that program opens the file which it is going to replace first, and has it open now.
 */
static int choose_disk(struct fs *fs, const struct fs_node *parent, const char *name,
	enum fs_name kind, char disk[CM4_DISK_MAX])
{
	_cleanup_node_ struct fs_node node = {0};
	char label[CM4_DISK_MAX + sizeof(".img")];
	int r;

	if (kind != FS_NAME_DISK) {
		strcpy(disk, FIRST_DISK);
		if (!strncmp(name, GLIB_PREFIX, strlen(GLIB_PREFIX)))
			fs_handle_find_raw(fs, parent->id.module, disk);
		return 0;
	}
	snprintf(label, sizeof(label), "%s.img", disk);
	r = fs_node_lookup(fs,
		&(struct fs_node){
			.id = {FS_KIND_DIR, parent->id.module, 0}, .module = parent->module},
		label, &node);
	return r < 0 ? -ENXIO : 0;
}

static int create_image(struct fs *fs, const struct fs_node *parent, const char *name,
	char disk[CM4_DISK_MAX], struct cm4_image **ret_image)
{
	enum fs_name kind = fs_name_judge(name, disk);
	char base[CM4_LABEL_MAX];
	int r = fs_name_error(kind);

	if (r == -EOPNOTSUPP)
		cm4_log(LOG_WARNING, "%s: %s: a control file is not flashed; keep it elsewhere",
			cm4_module_name(parent->module), FS_UTF8(name));
	if (r < 0)
		return r;
	r = choose_disk(fs, parent, name, kind, disk);
	if (r < 0)
		return r;
	/* The first disk need not be there yet: the module boots at the first byte. */
	fs_name_base(name, base);
	return cm4_module_drop(
		parent->module, strcmp(disk, FIRST_DISK) ? disk : NULL, base, ret_image);
}

/* Also under GLib's temporary name, where it is going to replace one: that program has it open now. */
static bool is_kept(struct fs *fs, struct fs_place place, const char *name, enum fs_role *ret_role)
{
	char known[CM4_PATH_MAX];

	*ret_role = fs_kept_role(fs, place, name, known);
	return *ret_role != FS_ROLE_NONE || (!strncmp(name, GLIB_PREFIX, strlen(GLIB_PREFIX)) &&
						    fs_handle_has_blob(fs, place.module));
}

static int add_blob(struct fs *fs, struct fs_place place, const char *name, enum fs_role role,
	struct fs_drop_view *ret_view)
{
	bool junk = fs_name_judge(name, NULL) == FS_NAME_JUNK;
	struct fs_blob *blob = junk ? NULL : fs_blob_new(fs_kept_max(role));
	int r = blob   ? fs_drops_add_blob(&fs->drops, place, name, blob, ret_view)
		: junk ? -EPERM
		       : -ENOMEM;

	fs_blob_unref(blob);
	return r;
}

static int add_image(struct fs *fs, const struct fs_node *parent, struct fs_place place,
	const char *name, struct fs_drop_view *ret_view)
{
	struct cm4_image *image;
	char disk[CM4_DISK_MAX];
	int r = create_image(fs, parent, name, disk, &image);

	if (r < 0)
		return r;
	r = fs_drops_add(&fs->drops, place, name, disk, image, ret_view);
	cm4_image_unref(image);
	return r;
}

static int create_drop(
	struct fs *fs, const struct fs_node *parent, const char *name, struct fs_node *ret_node)
{
	struct fs_node node = {.id.kind = FS_KIND_DROP};
	struct fs_place place;
	enum fs_role role;
	int r = fs_node_place(parent, &place);

	if (r < 0)
		return r;
	if (strlen(name) >= CM4_LABEL_MAX)
		return -ENAMETOOLONG;
	if (is_kept(fs, place, name, &role))
		r = add_blob(fs, place, name, role, &node.drop);
	else
		r = add_image(fs, parent, place, name, &node.drop);
	if (r < 0)
		return r;
	node.ino = node.drop.ino;
	node.module = cm4_module_ref(parent->module);
	*ret_node = node;
	return 0;
}

/* O_CREAT of a name that was not there a moment ago: it may be there by now. */
static int create(struct fs *fs, const struct fs_node *parent, const char *name, int flags,
	struct fs_node *ret_node)
{
	int r = fs_node_lookup(fs, parent, name, ret_node);

	if (r == -ENOENT)
		return create_drop(fs, parent, name, ret_node);
	if (r == 0 && (flags & O_EXCL)) {
		fs_node_forget(fs, ret_node);
		return -EEXIST;
	}
	return r;
}

void fs_do_create(fuse_req_t req, fuse_ino_t parent_ino, const char *name, mode_t mode,
	struct fuse_file_info *fi)
{
	_cleanup_node_ struct fs_node parent = {0};
	_cleanup_node_ struct fs_node node = {0};
	struct fs *fs = fs_of(req);
	struct fs_handle *handle = NULL;
	struct fuse_entry_param entry;
	int r = fs_node_get(fs, parent_ino, &parent);

	if (r == 0)
		r = create(fs, &parent, name, fi->flags, &node);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	r = open_node(fs, &node, fi->flags, &handle);
	if (r == 0)
		r = fs_node_entry(fs, &node, &entry);
	if (r < 0) {
		fs_handle_free(fs, handle);
		fs_node_forget(fs, &node);
		fuse_reply_err(req, -r);
		return;
	}
	set_handle(fi, handle);
	if (fuse_reply_create(req, &entry, fi) < 0) {
		fs_handle_free(fs, handle);
		fs_node_forget(fs, &node);
	}
}
