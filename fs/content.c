#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "findings.h"
#include "fs.h"
#include "handle.h"
#include "tree.h"
#include "util/cleanup.h"

/* What is behind a node: its text, its size, its attributes. */

#define MODE_DIR  (S_IFDIR | 0755)
#define MODE_LINK (S_IFLNK | 0777)
#define MODE_TEXT (S_IFREG | 0644)
#define MODE_DATA (S_IFREG | 0660)
#define BLOCK	  4096
#define SECTOR	  512

/*
 * Names that are always there are kept by the kernel, so that they stay within reach while it
 * waits for a write with the directory's lock in hand; the notifier takes them back. Names that
 * come and go are asked for each time, which needs no lock once they are known. Attributes are
 * asked for each time, but a directory's, which every path walks.
 */
#define LONG_TIMEOUT 86400.0
#define DIR_TIMEOUT  1.0

static int root_status(struct fs *fs, struct fs_text *ret_text)
{
	struct cm4_module **modules;
	_cleanup_free_ struct cm4_status *statuses = NULL;
	struct cm4_report report;
	size_t n;
	int r = cm4_fleet_get(fs->fleet, &modules, &n);

	if (r < 0)
		return r;
	statuses = calloc(n ? n : 1, sizeof(*statuses));
	if (!statuses) {
		cm4_fleet_put(modules, n);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		cm4_module_status(modules[i], &statuses[i]);
	cm4_fleet_put(modules, n);
	r = cm4_fleet_report(fs->fleet, &report);
	if (r < 0)
		return r;
	r = fs_json_root(statuses, n, &report, ret_text);
	cm4_report_fini(&report);
	return r;
}

static int diagnosis_text(struct fs *fs, struct fs_text *ret_text)
{
	struct cm4_report report;
	int r = cm4_fleet_report(fs->fleet, &report);

	if (r < 0)
		return r;
	r = fs_text_diagnosis(&report, ret_text);
	cm4_report_fini(&report);
	return r;
}

static int log_text(struct cm4_module *module, struct fs_text *ret_text)
{
	struct fs_text text;

	text.data = cm4_module_log(module, &text.size);
	if (!text.data)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

int fs_node_text(struct fs *fs, const struct fs_node *node, struct fs_text *ret_text)
{
	struct cm4_status status;

	if (node->module)
		cm4_module_status(node->module, &status);
	switch (node->id.kind) {
	case FS_KIND_README:
		return fs_text_readme(ret_text);
	case FS_KIND_DIAGNOSIS:
		return diagnosis_text(fs, ret_text);
	case FS_KIND_STATUS:
		return node->module ? fs_json_module(&status, ret_text) : root_status(fs, ret_text);
	case FS_KIND_DETAILS:
		return node->module ? fs_text_details(&status, ret_text) : -ESTALE;
	case FS_KIND_FAIL:
		return node->module && status.failure.error ? fs_text_fail(&status, ret_text)
							    : -ESTALE;
	case FS_KIND_LOG:
		return node->module ? log_text(node->module, ret_text) : -ESTALE;
	case FS_KIND_CONTROL:
		return fs_text_control(ret_text);
	case FS_KIND_EVENTS:
	case FS_KIND_DIR:
	case FS_KIND_BY_PORT:
	case FS_KIND_LINK:
	case FS_KIND_SUBDIR:
	case FS_KIND_DISK:
	case FS_KIND_DROP:
		break;
	}
	return -EINVAL;
}

void fs_node_target(const struct fs_node *node, char target[CM4_NAME_MAX + 3])
{
	snprintf(target, CM4_NAME_MAX + 3, "../%s", cm4_module_name(node->module));
}

static void set_mode(struct fs *fs, struct stat *st, mode_t mode)
{
	st->st_mode = S_ISLNK(mode) ? mode : mode & ~fs->umask;
	st->st_nlink = S_ISDIR(mode) ? 2 : 1;
}

static void set_image(struct stat *st, struct cm4_image *image)
{
	struct cm4_image_attr attr;

	cm4_image_getattr(image, &attr);
	st->st_size = (off_t)attr.size;
	st->st_blocks = (blkcnt_t)attr.blocks;
}

static void set_blob(struct stat *st, struct fs_blob *blob)
{
	st->st_size = (off_t)fs_blob_size(blob);
	st->st_blocks = (blkcnt_t)((st->st_size + SECTOR - 1) / SECTOR);
}

/*
 * A disk is as large as it is; but while it is being flashed under its own name, its writer sees
 * what it wrote, as of any file that it has just truncated.
 */
static int stat_disk(struct fs *fs, const struct fs_node *node, struct stat *st)
{
	struct cm4_image *flash = fs_handle_find_flash(fs, node->id.module, node->disk);
	struct cm4_status status;

	if (flash) {
		set_image(st, flash);
		cm4_image_unref(flash);
		return 0;
	}
	cm4_module_status(node->module, &status);
	for (size_t i = 0; i < status.n_disks; i++)
		if (!strcmp(status.disks[i].name, node->disk)) {
			st->st_size = (off_t)status.disks[i].bytes;
			st->st_blocks = (blkcnt_t)(status.disks[i].bytes / SECTOR);
			return 0;
		}
	return -ESTALE;
}

static int stat_text(struct fs *fs, const struct fs_node *node, struct stat *st)
{
	struct fs_text text;
	int r = fs_node_text(fs, node, &text);

	if (r < 0)
		return r;
	st->st_size = (off_t)text.size;
	st->st_blocks = (blkcnt_t)((text.size + SECTOR - 1) / SECTOR);
	free(text.data);
	return 0;
}

static int stat_kind(struct fs *fs, const struct fs_node *node, struct stat *st)
{
	char target[CM4_NAME_MAX + 3];

	switch (node->id.kind) {
	case FS_KIND_DIR:
	case FS_KIND_BY_PORT:
	case FS_KIND_SUBDIR:
		set_mode(fs, st, MODE_DIR);
		return 0;
	case FS_KIND_LINK:
		if (!node->module)
			return -ESTALE;
		fs_node_target(node, target);
		set_mode(fs, st, MODE_LINK);
		st->st_size = (off_t)strlen(target);
		return 0;
	case FS_KIND_DISK:
		if (!node->module)
			return -ESTALE;
		set_mode(fs, st, MODE_DATA);
		return stat_disk(fs, node, st);
	case FS_KIND_DROP:
		set_mode(fs, st, MODE_DATA);
		st->st_atim = node->drop.atime;
		st->st_mtim = node->drop.mtime;
		if (node->drop.blob)
			set_blob(st, node->drop.blob);
		else
			set_image(st, node->drop.image);
		return 0;
	case FS_KIND_CONTROL:
		set_mode(fs, st, MODE_DATA);
		return stat_text(fs, node, st);
	case FS_KIND_EVENTS: /* it has no end, and so no size */
		set_mode(fs, st, MODE_TEXT);
		return 0;
	case FS_KIND_README:
	case FS_KIND_DIAGNOSIS:
	case FS_KIND_STATUS:
	case FS_KIND_DETAILS:
	case FS_KIND_FAIL:
	case FS_KIND_LOG:
		set_mode(fs, st, MODE_TEXT);
		return stat_text(fs, node, st);
	}
	return -ESTALE;
}

int fs_node_stat(struct fs *fs, const struct fs_node *node, struct stat *ret_stat)
{
	struct stat st = {
		.st_ino = node->ino, .st_uid = fs->uid, .st_gid = fs->gid, .st_blksize = BLOCK};
	struct cm4_status status;
	int r;

	st.st_mtim = fs->started;
	if (node->module) {
		cm4_module_status(node->module, &status);
		st.st_mtim = status.since;
	}
	st.st_atim = st.st_mtim;
	r = stat_kind(fs, node, &st);
	if (r < 0)
		return r;
	st.st_ctim = st.st_mtim;
	*ret_stat = st;
	return 0;
}

static bool comes_and_goes(const struct fs_node *node)
{
	enum fs_kind kind = node->id.kind;

	if (kind == FS_KIND_CONTROL)
		return node->id.index;
	return kind == FS_KIND_FAIL || kind == FS_KIND_LINK || kind == FS_KIND_SUBDIR ||
	       kind == FS_KIND_DISK || kind == FS_KIND_DROP;
}

static double attr_timeout(const struct stat *st)
{
	return S_ISDIR(st->st_mode) ? DIR_TIMEOUT : 0;
}

int fs_node_entry(struct fs *fs, const struct fs_node *node, struct fuse_entry_param *ret_entry)
{
	struct fuse_entry_param entry = {.ino = node->ino};
	int r = fs_node_stat(fs, node, &entry.attr);

	if (r < 0)
		return r;
	entry.attr_timeout = attr_timeout(&entry.attr);
	entry.entry_timeout = comes_and_goes(node) ? 0 : LONG_TIMEOUT;
	*ret_entry = entry;
	return 0;
}

void fs_tree_reply_attr(fuse_req_t req, uint64_t ino)
{
	_cleanup_node_ struct fs_node node = {0};
	struct fs *fs = fs_of(req);
	struct stat st;
	int r = fs_node_get(fs, ino, &node);

	if (r == 0)
		r = fs_node_stat(fs, &node, &st);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &st, attr_timeout(&st));
}
