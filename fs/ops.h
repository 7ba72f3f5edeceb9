#pragma once

#include <fuse_lowlevel.h>

/*
 * What libfuse calls, on the loop's threads. None of it blocks: what takes time becomes an op
 * (op.h). Arguments are the kernel's, and valid to the return; each request is answered once.
 */

/* ops-name.c */
void fs_do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void fs_do_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void fs_do_readlink(fuse_req_t req, fuse_ino_t ino);
void fs_do_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void fs_do_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void fs_do_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_do_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_do_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
void fs_do_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void fs_do_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned flags);

/* ops-open.c */
void fs_do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *fi);
void fs_do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* ops-data.c */
void fs_do_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void fs_do_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	struct fuse_file_info *fi);
void fs_do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void fs_do_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
	struct fuse_file_info *fi);
void fs_do_poll(
	fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *poll);

/* ops-attr.c */
void fs_do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_do_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int which, struct fuse_file_info *fi);
void fs_do_statfs(fuse_req_t req, fuse_ino_t ino);

/* ops-dir.c */
void fs_do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_do_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
