#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cm4fs/log.h>

#include "fs.h"
#include "kept.h"
#include "name.h"
#include "ops.h"
#include "tree.h"

void fs_do_lookup(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
	_cleanup_node_ struct fs_node parent = {0};
	_cleanup_node_ struct fs_node node = {0};
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry;
	int r = fs_node_get(fs, parent_ino, &parent);

	if (r == 0)
		r = fs_node_lookup(fs, &parent, name, &node);
	if (r == 0) {
		r = fs_node_entry(fs, &node, &entry);
		if (r < 0)
			fs_node_forget(fs, &node);
	}
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (fuse_reply_entry(req, &entry) < 0)
		fs_node_forget(fs, &node);
}

static void forget(struct fs *fs, fuse_ino_t ino, uint64_t n)
{
	struct fs_ino id;

	if (fs_ino_decode(ino, &id) == 0 && id.kind == FS_KIND_DROP)
		fs_drops_forget(&fs->drops, ino, n);
}

void fs_do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	forget(fs_of(req), ino, n);
	fuse_reply_none(req);
}

void fs_do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget(fs_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

void fs_do_readlink(fuse_req_t req, fuse_ino_t ino)
{
	_cleanup_node_ struct fs_node node = {0};
	char target[CM4_NAME_MAX + 3];
	int r = fs_node_get(fs_of(req), ino, &node);

	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	if (node.id.kind != FS_KIND_LINK || !node.module) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	fs_node_target(&node, target);
	fuse_reply_readlink(req, target);
}

void fs_do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	fuse_reply_err(req, EPERM);
}

void fs_do_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EPERM);
}

void fs_do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EPERM);
}

/*
 * rsync --delay-updates keeps finished files in .~tmp~ and moves them all at once; boot files have directories of their
 * own; nothing else is one.
 */
static int judge_dir(struct fs *fs, struct fs_place parent, const char *name)
{
	if (fs_dirs_is_boot(&fs->dirs, parent.dir))
		return fs_name_judge(name, NULL) == FS_NAME_JUNK ? -EPERM : 0;
	if (parent.dir != FS_DIR_MODULE)
		return -EPERM;
	return fs_dirs_find(&fs->dirs, FS_DIR_MODULE, name) >= 0 ? 0 : -EPERM;
}

static int make_dir(struct fs *fs, const struct fs_node *parent, const char *name)
{
	struct fs_place place;
	int r = fs_node_place(parent, &place);

	if (r == 0)
		r = judge_dir(fs, place, name);
	if (r == 0 && fs_drops_exists(&fs->drops, place, name))
		r = -EEXIST;
	if (r == 0)
		r = fs_dirs_make(&fs->dirs, place.dir, name);
	if (r < 0)
		return r;
	return fs_drops_mkdir(&fs->drops, (struct fs_place){place.module, (unsigned)r});
}

void fs_do_mkdir(fuse_req_t req, fuse_ino_t parent_ino, const char *name, mode_t mode)
{
	_cleanup_node_ struct fs_node parent = {0};
	_cleanup_node_ struct fs_node node = {0};
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry;
	int r = fs_node_get(fs, parent_ino, &parent);

	if (r == 0)
		r = make_dir(fs, &parent, name);
	if (r == 0)
		r = fs_node_lookup(fs, &parent, name, &node);
	if (r == 0)
		r = fs_node_entry(fs, &node, &entry);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_entry(req, &entry);
}

static int rmdir_module(struct fs *fs, const char *name)
{
	struct cm4_module *module = cm4_fleet_find_name(fs->fleet, name);
	int r;

	if (!module)
		return -EPERM;
	r = cm4_fleet_forget(fs->fleet, module);
	cm4_module_unref(module);
	return r;
}

struct dir_search {
	struct fs *fs;
	unsigned parent;
	bool found;
};

static bool is_within(void *data, unsigned dir)
{
	struct dir_search *search = data;
	char name[FS_DIR_PATH];

	search->found = fs_dirs_name_in(&search->fs->dirs, dir, search->parent, name) == 0;
	return !search->found;
}

static int remove_dir(struct fs *fs, const struct fs_node *parent, const char *name)
{
	struct dir_search search = {.fs = fs};
	struct fs_place place;
	int r = fs_node_place(parent, &place);

	if (r < 0)
		return r;
	r = fs_dirs_find(&fs->dirs, place.dir, name);
	if (r < 0)
		return fs_drops_exists(&fs->drops, place, name) ? -ENOTDIR : -EPERM;
	if (r == FS_DIR_BOOT)
		return -EPERM;
	place.dir = search.parent = (unsigned)r;
	fs_drops_each_dir(&fs->drops, place.module, is_within, &search);
	return search.found ? -ENOTEMPTY : fs_drops_rmdir(&fs->drops, place);
}

void fs_do_rmdir(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
	_cleanup_node_ struct fs_node parent = {0};
	struct fs *fs = fs_of(req);
	int r = fs_node_get(fs, parent_ino, &parent);

	if (r < 0)
		;
	else if (parent_ino == FUSE_ROOT_ID)
		r = rmdir_module(fs, name);
	else
		r = remove_dir(fs, &parent, name);
	fuse_reply_err(req, -r);
}

/* The dropped file @name, without a reference of the kernel's; a name of ours may not be renamed. */
static int source(
	struct fs *fs, const struct fs_node *parent, const char *name, struct fs_node *ret_node)
{
	int r = fs_node_lookup(fs, parent, name, ret_node);

	if (r < 0)
		return r;
	fs_node_forget(fs, ret_node);
	return ret_node->id.kind == FS_KIND_DROP ? 0 : -EPERM;
}

/* The image stays on the disk: programs unlink what they could not open, and try again. */
void fs_do_unlink(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
	_cleanup_node_ struct fs_node parent = {0};
	_cleanup_node_ struct fs_node node = {0};
	struct fs *fs = fs_of(req);
	struct fs_place place;
	int r = fs_node_get(fs, parent_ino, &parent);

	if (r == 0)
		r = source(fs, &parent, name, &node);
	if (r == 0)
		r = fs_node_place(&parent, &place);
	if (r == 0)
		r = fs_drops_unlink(&fs->drops, place, name);
	if (r == 0 && node.drop.blob)
		fs_kept_unlinked(fs, parent.module, place, name);
	fuse_reply_err(req, -r);
}

/* What an image is may not become what is kept in memory, nor the other way round. */
static int judge_kinds(struct fs *fs, const struct fs_node *from, struct fs_place to,
	const char *name, enum fs_name kind)
{
	char known[CM4_PATH_MAX];

	if (from->drop.blob)
		return kind == FS_NAME_DISK && !fs_dirs_is_boot(&fs->dirs, to.dir) ? -EINVAL : 0;
	return fs_kept_role(fs, to, name, known) == FS_ROLE_NONE ? 0 : -EINVAL;
}

/*
 * What the file @from may be renamed to. @ret_disk: the name is that of a disk which is there, and the
 * file becomes it (GLib and rsync write a temporary file and rename it over mmcblk0.img); where the file's
 * bytes are decides, for a rename does not move them.
 */
static int judge_target(struct fs *fs, const struct fs_node *parent, struct fs_place place,
	const char *name, const struct fs_node *from, unsigned flags, bool *ret_disk)
{
	_cleanup_node_ struct fs_node node = {0};
	enum fs_name kind = fs_name_judge(name, NULL);
	bool exists;
	int r = fs_name_error(kind);

	if (r == 0)
		r = judge_kinds(fs, from, place, name, kind);
	if (r < 0)
		return r;
	exists = fs_node_lookup(fs, parent, name, &node) == 0;
	if (exists)
		fs_node_forget(fs, &node);
	if (exists && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (exists && node.id.kind != FS_KIND_DISK && node.id.kind != FS_KIND_DROP)
		return -EPERM;
	if (kind == FS_NAME_DISK && !exists && parent->id.kind == FS_KIND_DIR)
		return -ENXIO;
	*ret_disk = exists && node.id.kind == FS_KIND_DISK;
	return *ret_disk && strcmp(node.disk, from->drop.disk) ? -EXDEV : 0;
}

/* Replies where it succeeds, for what the new name means may have to be found out. */
static int rename_file(fuse_req_t req, const struct fs_node *from, const char *name,
	const struct fs_node *to, const char *to_name, unsigned flags)
{
	_cleanup_node_ struct fs_node node = {0};
	struct fs_drop_view view = {0};
	struct fs_place from_place, to_place;
	struct fs *fs = fs_of(req);
	char base[CM4_LABEL_MAX];
	bool becomes_disk;
	int r = source(fs, from, name, &node);

	if (r < 0)
		return r;
	if (flags & ~RENAME_NOREPLACE)
		return -EINVAL;
	if (strlen(to_name) >= CM4_LABEL_MAX)
		return -ENAMETOOLONG;
	if (fs_node_place(from, &from_place) < 0 || fs_node_place(to, &to_place) < 0)
		return -EPERM;
	if (from_place.module != to_place.module)
		return -EXDEV;
	r = judge_target(fs, to, to_place, to_name, &node, flags, &becomes_disk);
	if (r == 0)
		r = fs_drops_rename(&fs->drops, from_place, name, to_place,
			becomes_disk ? NULL : to_name, &view);
	if (r < 0)
		return r;
	fs_name_base(to_name, base);
	if (view.image) /* repeats the image's error, if it has one */
		r = cm4_image_rename(view.image, base);
	if (r == 0 && view.blob)
		fs_kept_renamed(req, to->module, from_place, name, to_place, to_name, view.blob);
	else if (r == 0)
		fs_kept_compare(req, to->module, view.image);
	fs_drop_view_put(&view);
	return r;
}

void fs_do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned flags)
{
	_cleanup_node_ struct fs_node from = {0};
	_cleanup_node_ struct fs_node to = {0};
	struct fs *fs = fs_of(req);
	int r = fs_node_get(fs, parent, &from);

	if (r == 0)
		r = fs_node_get(fs, to_parent, &to);
	if (r == 0)
		r = rename_file(req, &from, name, &to, to_name, flags);
	if (r < 0)
		fuse_reply_err(req, -r);
}
