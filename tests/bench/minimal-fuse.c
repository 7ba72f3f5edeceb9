/*
 * minimal-fuse DEVICE MOUNTPOINT: the least that can stand between cp and a block device. One file,
 * disk.img, with direct_io; a write is a pwrite, a close is an fdatasync. What cm4fs does beyond
 * that is measured against this.
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK_INO  2
#define DISK_NAME "disk.img"

static int device;

static struct stat attr_of(fuse_ino_t ino)
{
	struct stat attr = {.st_ino = ino, .st_nlink = 1};

	attr.st_mode = ino == DISK_INO ? S_IFREG | 0660 : S_IFDIR | 0755;
	return attr;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.ino = DISK_INO, .attr = attr_of(DISK_INO)};

	if (strcmp(name, DISK_NAME) != 0)
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &entry);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat attr = attr_of(ino);

	fuse_reply_attr(req, &attr, 0);
}

/* A truncation to 0 by the opener: a disk has no other size. */
static void do_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int set, struct fuse_file_info *fi)
{
	do_getattr(req, ino, fi);
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void do_write(fuse_req_t req, fuse_ino_t ino, const char *buffer, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	ssize_t written = pwrite(device, buffer, size, offset);

	if (written < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)written);
}

static void do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_err(req, fdatasync(device) < 0 ? errno : 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = do_lookup,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.open = do_open,
	.write = do_write,
	.flush = do_flush,
};

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct fuse_session *session;
	int r = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: minimal-fuse DEVICE MOUNTPOINT\n");
		return 2;
	}
	device = open(argv[1], O_RDWR | O_CLOEXEC);
	if (device < 0) {
		perror(argv[1]);
		return 1;
	}
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (session && fuse_set_signal_handlers(session) == 0 &&
		fuse_session_mount(session, argv[2]) == 0) {
		r = fuse_session_loop_mt(session, config);
		fuse_session_unmount(session);
	}
	if (session)
		fuse_session_destroy(session);
	fuse_loop_cfg_destroy(config);
	close(device);
	return r != 0;
}
