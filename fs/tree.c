#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"
#include "tree.h"
#include "util/cleanup.h"

/* Names and numbers; what is in the files is content.c's. */

#define DISK_SUFFIX ".img"

static const struct {
	const char *name;
	enum fs_kind kind;
} root_names[] =
	{
		{"README.TXT", FS_KIND_README},
		{"DIAGNOSIS.TXT", FS_KIND_DIAGNOSIS},
		{"status.json", FS_KIND_STATUS},
		{"events", FS_KIND_EVENTS},
		{"by-port", FS_KIND_BY_PORT},
},
  module_names[] = {
	  {"DETAILS.TXT", FS_KIND_DETAILS},
	  {"FAIL.TXT", FS_KIND_FAIL},
	  {"status.json", FS_KIND_STATUS},
	  {"log", FS_KIND_LOG},
	  {"control", FS_KIND_CONTROL},
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct fs_node node_of(enum fs_kind kind, struct cm4_module *module)
{
	struct fs_node node = {
		.id = {.kind = kind, .module = module ? cm4_module_id(module) : 0},
		.module = module ? cm4_module_ref(module) : NULL,
	};

	node.ino = fs_ino_encode(node.id);
	return node;
}

void fs_node_put(struct fs_node *node)
{
	cm4_module_unref(node->module);
	node->module = NULL;
	fs_drop_view_put(&node->drop);
}

static int get_drop(struct fs *fs, uint64_t ino, struct fs_node *ret_node)
{
	struct fs_node node = {.ino = ino, .id.kind = FS_KIND_DROP};
	int r = fs_drops_get(&fs->drops, ino, &node.drop);

	if (r < 0)
		return r;
	/*
	 * Its module may have left: whoever has the file open keeps it, and learns that from the
	 * image.
	 */
	node.module = cm4_fleet_find_id(fs->fleet, node.drop.place.module);
	*ret_node = node;
	return 0;
}

int fs_node_get(struct fs *fs, uint64_t ino, struct fs_node *ret_node)
{
	struct fs_node node = {.ino = ino};
	int r = fs_ino_decode(ino, &node.id);

	if (r < 0)
		return r;
	if (node.id.kind == FS_KIND_DROP)
		return get_drop(fs, ino, ret_node);
	if (node.id.kind == FS_KIND_DISK) {
		r = fs_disks_name(&fs->disks, node.id.index, node.disk);
		if (r < 0)
			return r;
	}
	if (node.id.module) {
		node.module = cm4_fleet_find_id(fs->fleet, node.id.module);
		if (!node.module)
			return -ESTALE;
	}
	if (node.id.kind == FS_KIND_SUBDIR &&
		!fs_drops_has_dir(&fs->drops, (struct fs_place){node.id.module, node.id.index})) {
		fs_node_put(&node);
		return -ESTALE;
	}
	*ret_node = node;
	return 0;
}

static bool has_disk(const struct cm4_status *status, const char *disk)
{
	for (size_t i = 0; i < status->n_disks; i++)
		if (!strcmp(status->disks[i].name, disk))
			return true;
	return false;
}

/* Of the names that are there at times. */
static bool is_there(struct fs *fs, enum fs_kind kind, const struct cm4_status *status)
{
	if (kind == FS_KIND_FAIL)
		return status->failure.error;
	return true;
}

static int lookup_disk(struct fs *fs, struct cm4_module *module, const struct cm4_status *status,
	const char *name, struct fs_node *ret_node)
{
	size_t length = strlen(name), suffix = strlen(DISK_SUFFIX);
	char disk[CM4_DISK_MAX];
	int number;

	if (length <= suffix || length - suffix >= sizeof(disk) ||
		strcmp(name + length - suffix, DISK_SUFFIX))
		return -ENOENT;
	memcpy(disk, name, length - suffix);
	disk[length - suffix] = '\0';
	if (!has_disk(status, disk))
		return -ENOENT;
	number = fs_disks_number(&fs->disks, disk);
	if (number < 0)
		return -ENOENT;

	*ret_node = node_of(FS_KIND_DISK, module);
	ret_node->id.index = (unsigned)number;
	ret_node->ino = fs_ino_encode(ret_node->id);
	strcpy(ret_node->disk, disk);
	return 0;
}

static struct fs_node subdir_of(struct cm4_module *module, unsigned dir)
{
	struct fs_node node = node_of(FS_KIND_SUBDIR, module);

	node.id.index = dir;
	node.ino = fs_ino_encode(node.id);
	return node;
}

static int lookup_subdir(struct fs *fs, struct cm4_module *module, struct fs_place parent,
	const char *name, struct fs_node *ret_node)
{
	int dir = fs_dirs_find(&fs->dirs, parent.dir, name);

	if (dir < 0 ||
		!fs_drops_has_dir(&fs->drops, (struct fs_place){parent.module, (unsigned)dir}))
		return -ENOENT;
	*ret_node = subdir_of(module, (unsigned)dir);
	return 0;
}

static int lookup_drop(struct fs *fs, struct cm4_module *module, struct fs_place place,
	const char *name, struct fs_node *ret_node)
{
	struct fs_node node = {.id.kind = FS_KIND_DROP};
	int r = fs_drops_lookup(&fs->drops, place, name, &node.drop);

	if (r < 0)
		return r;
	node.ino = node.drop.ino;
	node.module = cm4_module_ref(module);
	*ret_node = node;
	return 0;
}

static int lookup_in_module(
	struct fs *fs, struct cm4_module *module, const char *name, struct fs_node *ret_node)
{
	struct fs_place place = {.module = cm4_module_id(module)};
	struct cm4_status status;

	cm4_module_status(module, &status);
	for (size_t i = 0; i < N(module_names); i++) {
		if (strcmp(module_names[i].name, name))
			continue;
		if (!is_there(fs, module_names[i].kind, &status))
			return -ENOENT;
		*ret_node = node_of(module_names[i].kind, module);
		if (module_names[i].kind == FS_KIND_CONTROL) {
			ret_node->id.index = fs_verbs_index(&fs->verbs, ret_node->id.module);
			ret_node->ino = fs_ino_encode(ret_node->id);
		}
		return 0;
	}
	if (lookup_disk(fs, module, &status, name, ret_node) == 0 ||
		lookup_subdir(fs, module, place, name, ret_node) == 0)
		return 0;
	return lookup_drop(fs, module, place, name, ret_node);
}

static int lookup_in_root(struct fs *fs, const char *name, struct fs_node *ret_node)
{
	struct cm4_module *module;

	for (size_t i = 0; i < N(root_names); i++)
		if (!strcmp(root_names[i].name, name)) {
			*ret_node = node_of(root_names[i].kind, NULL);
			return 0;
		}
	module = cm4_fleet_find_name(fs->fleet, name);
	if (!module)
		return -ENOENT;
	*ret_node = node_of(FS_KIND_DIR, module);
	cm4_module_unref(module);
	return 0;
}

/* A socket shows who sits in it; one who has gone does not. */
static bool sits(struct cm4_module *module)
{
	struct cm4_status status;

	cm4_module_status(module, &status);
	return !status.gone;
}

static int lookup_by_port(struct fs *fs, const char *name, struct fs_node *ret_node)
{
	struct cm4_module **modules;
	size_t n;
	int r = cm4_fleet_get(fs->fleet, &modules, &n);

	if (r < 0)
		return r;
	r = -ENOENT;
	for (size_t i = 0; i < n && r < 0; i++)
		if (!strcmp(cm4_module_port(modules[i]), name) && sits(modules[i])) {
			*ret_node = node_of(FS_KIND_LINK, modules[i]);
			r = 0;
		}
	cm4_fleet_put(modules, n);
	return r;
}

int fs_node_lookup(
	struct fs *fs, const struct fs_node *parent, const char *name, struct fs_node *ret_node)
{
	struct fs_place place;

	if (parent->id.kind == FS_KIND_BY_PORT)
		return lookup_by_port(fs, name, ret_node);
	if (parent->id.kind == FS_KIND_DIR && !parent->module)
		return lookup_in_root(fs, name, ret_node);
	if (parent->id.kind == FS_KIND_DIR)
		return lookup_in_module(fs, parent->module, name, ret_node);
	if (fs_node_place(parent, &place) < 0)
		return -ENOTDIR;
	if (lookup_subdir(fs, parent->module, place, name, ret_node) == 0)
		return 0;
	return lookup_drop(fs, parent->module, place, name, ret_node);
}

void fs_node_forget(struct fs *fs, const struct fs_node *node)
{
	if (node->id.kind == FS_KIND_DROP)
		fs_drops_forget(&fs->drops, node->ino, 1);
}

int fs_node_place(const struct fs_node *parent, struct fs_place *ret_place)
{
	bool sub = parent->id.kind == FS_KIND_SUBDIR;

	if (!parent->module || (!sub && parent->id.kind != FS_KIND_DIR))
		return -EPERM;
	*ret_place = (struct fs_place){
		.module = parent->id.module, .dir = sub ? parent->id.index : FS_DIR_MODULE};
	return 0;
}

/* fs_drops_each knows no types. */
struct lister {
	fs_node_each each;
	void *data;
	bool more;
};

static bool list_drop(void *data, uint64_t ino, const char *name)
{
	struct lister *lister = data;

	lister->more = lister->each(lister->data, name, ino, S_IFREG);
	return lister->more;
}

static void list_name(
	struct lister *lister, const char *name, enum fs_kind kind, uint64_t module, mode_t type)
{
	if (lister->more)
		lister->more = lister->each(lister->data, name,
			fs_ino_encode((struct fs_ino){.kind = kind, .module = module}), type);
}

/* fs_drops_each_dir knows no names; they are asked for under its lock, which the dirs' is within. */
struct dir_lister {
	struct fs *fs;
	struct fs_place parent;
	struct lister *lister;
};

static bool list_subdir(void *data, unsigned dir)
{
	struct dir_lister *dirs = data;
	struct fs_ino ino = {FS_KIND_SUBDIR, dirs->parent.module, dir};
	char name[FS_DIR_PATH];

	if (fs_dirs_name_in(&dirs->fs->dirs, dir, dirs->parent.dir, name) == 0)
		dirs->lister->more =
			dirs->lister->each(dirs->lister->data, name, fs_ino_encode(ino), S_IFDIR);
	return dirs->lister->more;
}

/* What was dropped into a directory, and the directories in it. */
static void list_place(struct fs *fs, struct fs_place place, struct lister *lister)
{
	struct dir_lister dirs = {fs, place, lister};

	if (lister->more && place.dir == FS_DIR_MODULE)
		list_subdir(&dirs, FS_DIR_BOOT);
	if (lister->more)
		fs_drops_each_dir(&fs->drops, place.module, list_subdir, &dirs);
	if (lister->more)
		fs_drops_each(&fs->drops, place, list_drop, lister);
}

static void list_disks(struct fs *fs, const struct cm4_status *status, struct lister *lister)
{
	for (size_t i = 0; i < status->n_disks && lister->more; i++) {
		int number = fs_disks_number(&fs->disks, status->disks[i].name);
		char name[CM4_DISK_MAX + sizeof(DISK_SUFFIX)];

		if (number < 0)
			continue;
		snprintf(name, sizeof(name), "%s" DISK_SUFFIX, status->disks[i].name);
		lister->more = lister->each(lister->data, name,
			fs_ino_encode((struct fs_ino){FS_KIND_DISK, status->id, (unsigned)number}),
			S_IFREG);
	}
}

static void list_module(struct fs *fs, struct cm4_module *module, struct lister *lister)
{
	struct fs_place place = {.module = cm4_module_id(module)};
	struct cm4_status status;

	cm4_module_status(module, &status);
	for (size_t i = 0; i < N(module_names); i++)
		if (is_there(fs, module_names[i].kind, &status))
			list_name(lister, module_names[i].name, module_names[i].kind, status.id,
				S_IFREG);
	list_disks(fs, &status, lister);
	list_place(fs, place, lister);
}

static int list_modules(struct fs *fs, bool by_port, struct lister *lister)
{
	struct cm4_module **modules;
	size_t n;
	int r = cm4_fleet_get(fs->fleet, &modules, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		uint64_t id = cm4_module_id(modules[i]);

		if (!by_port)
			list_name(lister, cm4_module_name(modules[i]), FS_KIND_DIR, id, S_IFDIR);
		else if (sits(modules[i]))
			list_name(lister, cm4_module_port(modules[i]), FS_KIND_LINK, id, S_IFLNK);
	}
	cm4_fleet_put(modules, n);
	return 0;
}

int fs_node_list(struct fs *fs, const struct fs_node *node, fs_node_each each, void *data)
{
	struct lister lister = {each, data, true};
	struct fs_place place;

	if (node->id.kind == FS_KIND_BY_PORT)
		return list_modules(fs, true, &lister);
	if (node->id.kind == FS_KIND_DIR && !node->module) {
		for (size_t i = 0; i < N(root_names); i++)
			list_name(&lister, root_names[i].name, root_names[i].kind, 0,
				root_names[i].kind == FS_KIND_BY_PORT ? S_IFDIR : S_IFREG);
		return list_modules(fs, false, &lister);
	}
	if (node->id.kind == FS_KIND_DIR) {
		list_module(fs, node->module, &lister);
		return 0;
	}
	if (fs_node_place(node, &place) < 0)
		return -ENOTDIR;
	list_place(fs, place, &lister);
	return 0;
}
