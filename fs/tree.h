#pragma once

#include <fuse_lowlevel.h>
#include <sys/stat.h>

#include "drops.h"
#include "ino.h"
#include "text.h"

struct fs;

/*
 * What an inode number stands for right now. Nothing of it is stored: a module, a disk or a file
 * that is no longer there answers ESTALE to its number and ENOENT to its name. Any thread; nothing
 * waits.
 */
struct fs_node {
	uint64_t ino;
	struct fs_ino id;
	struct cm4_module *module; /* of everything that belongs to one */
	char disk[CM4_DISK_MAX];   /* FS_KIND_DISK */
	struct fs_drop_view drop;  /* FS_KIND_DROP */
};

int fs_node_get(struct fs *fs, uint64_t ino, struct fs_node *ret_node); /* 0 or -ESTALE */
void fs_node_put(struct fs_node *node);					/* all zeros is accepted */
#define _cleanup_node_ __attribute__((cleanup(fs_node_put)))

/*
 * The entry @name of a directory. 0, -ENOENT or -ENOTDIR. The kernel is taken to know a dropped
 * file from then on: fs_node_forget where it was not told after all.
 */
int fs_node_lookup(
	struct fs *fs, const struct fs_node *parent, const char *name, struct fs_node *ret_node);
void fs_node_forget(struct fs *fs, const struct fs_node *node);

int fs_node_stat(
	struct fs *fs, const struct fs_node *node, struct stat *ret_stat); /* 0 or -errno */

/* A file of text: 0, -EINVAL for one that is none, or -errno. */
int fs_node_text(struct fs *fs, const struct fs_node *node, struct fs_text *ret_text);

/* Where a directory's dropped files live; -EPERM for one that takes none. */
int fs_node_place(const struct fs_node *parent, struct fs_place *ret_place);

/* "../NAME", for FS_KIND_LINK. */
void fs_node_target(const struct fs_node *node, char target[CM4_NAME_MAX + 3]);

/* Every entry but `.` and `..`, as long as @each returns true. 0 or -errno. */
typedef bool (*fs_node_each)(void *data, const char *name, uint64_t ino, mode_t type);
int fs_node_list(struct fs *fs, const struct fs_node *node, fs_node_each each, void *data);

/* What the kernel is told of an entry; takes care of timeouts. 0 or -errno. */
int fs_node_entry(struct fs *fs, const struct fs_node *node, struct fuse_entry_param *ret_entry);

void fs_tree_reply_attr(fuse_req_t req, uint64_t ino);
