#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "events.h"
#include "fs.h"
#include "handle.h"
#include "kept.h"
#include "loop.h"
#include "op.h"
#include "ops.h"
#include "proc.h"
#include "tree.h"
#include "verb.h"
#include "util/cleanup.h"

#define BUFFER_ALIGN 4096

static struct fs_handle *handle_of(struct fuse_file_info *fi)
{
	return (struct fs_handle *)(uintptr_t)fi->fh;
}

/* A log grows: whoever reads on past its end (tail -f) gets what has come since. */
static void read_on(struct fs *fs, struct fs_handle *handle, off_t offset)
{
	_cleanup_node_ struct fs_node node = {0};
	struct fs_text text;

	if (fs_node_get(fs, handle->ino, &node) < 0 || node.id.kind != FS_KIND_LOG)
		return;
	{
		LOCKED(&handle->lock);
		if ((size_t)offset < handle->text.size)
			return;
	}
	if (fs_node_text(fs, &node, &text) < 0)
		return;
	LOCKED(&handle->lock);
	free(handle->text.data);
	handle->text = text;
}

static void read_text(fuse_req_t req, struct fs_handle *handle, size_t size, off_t offset)
{
	_cleanup_free_ char *part = malloc(size ? size : 1);
	size_t n = 0;

	if (!part) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	read_on(fs_of(req), handle, offset);
	{
		LOCKED(&handle->lock);
		if ((size_t)offset < handle->text.size) {
			n = handle->text.size - (size_t)offset;
			n = n < size ? n : size;
			memcpy(part, handle->text.data + offset, n);
		}
	}
	fuse_reply_buf(req, part, n);
}

static void read_events(fuse_req_t req, struct fs_handle *handle, size_t size, bool nonblock)
{
	struct fs_op *op = fs_op_new(req, NULL, FS_REPLY_READ);

	if (!op)
		return;
	op->buffer = malloc(size ? size : 1);
	if (!op->buffer) {
		fs_op_fail(op, -ENOMEM);
		return;
	}
	op->io.length = size;
	fs_op_events(op, handle->reader, nonblock);
}

void fs_do_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct fs_handle *handle = handle_of(fi);
	struct fs_op *op;

	if (handle->reader) {
		read_events(req, handle, size, fi->flags & O_NONBLOCK);
		return;
	}
	if (handle->blob) {
		fs_kept_read(req, handle, size, offset);
		return;
	}
	if (!handle->image) {
		read_text(req, handle, size, offset);
		return;
	}
	op = fs_op_new(req, handle->image, FS_REPLY_READ);
	if (!op)
		return;
	if (posix_memalign(&op->buffer, BUFFER_ALIGN, size ? size : 1)) {
		op->buffer = NULL;
		fs_op_fail(op, -ENOMEM);
		return;
	}
	op->io.kind = CM4_IO_READ;
	op->io.offset = (uint64_t)offset;
	op->io.length = size;
	op->io.buffer = op->buffer;
	fs_op_submit(op);
}

static void write_verb(fuse_req_t req, struct fs_handle *handle, const char *data, size_t size)
{
	char word[FS_VERB_MAX];
	enum cm4_verb verb;
	struct fs_op *op;
	int r = fs_verb_parse(data, size, word);

	if (r == 0)
		r = cm4_verb_from_string(word, &verb);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	op = fs_op_new(req, NULL, FS_REPLY_WRITE);
	if (!op)
		return;
	op->size = size;
	fs_op_control(op, handle->module, verb);
}

void fs_do_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	struct fs_handle *handle = handle_of(fi);
	struct timespec now;
	struct fs_op *op;

	if (handle->blob) {
		fs_kept_write(req, handle, data, size, offset);
		return;
	}
	if (!handle->image) {
		write_verb(req, handle, data, size);
		return;
	}
	op = fs_op_new(req, handle->image, FS_REPLY_WRITE);
	if (!op)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	fs_drops_set_times(&op->fs->drops, ino, NULL, &now);
	op->received = fs_loop_steal();
	op->io.kind = CM4_IO_WRITE;
	op->io.offset = (uint64_t)offset;
	op->io.length = size;
	op->io.buffer = (void *)(uintptr_t)data;
	fs_op_submit(op);
}

static void sync_image(fuse_req_t req, struct fs_handle *handle, enum cm4_io_kind kind)
{
	struct fs_op *op;

	if (!handle->image || !handle->writable) {
		fuse_reply_err(req, 0);
		return;
	}
	op = fs_op_new(req, handle->image, FS_REPLY_ERROR);
	if (!op)
		return;
	op->io.kind = kind;
	op->io.writer_killed = kind == CM4_IO_FLUSH && fs_proc_killed(op->pid);
	fs_op_submit(op);
}

void fs_do_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	if (handle_of(fi)->blob)
		fs_kept_flush(req, handle_of(fi));
	else
		sync_image(req, handle_of(fi), CM4_IO_FLUSH);
}

void fs_do_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	sync_image(req, handle_of(fi), CM4_IO_SYNC);
}

/* ZERO keeps the size; where zeros are to make the file longer, let the program write them. */
static int zero_kind(struct fs_handle *handle, uint64_t end, enum cm4_io_kind *ret_kind)
{
	struct cm4_image_attr attr;

	cm4_image_getattr(handle->image, &attr);
	if (end > attr.size)
		return -EOPNOTSUPP;
	*ret_kind = CM4_IO_ZERO;
	return 0;
}

static int fallocate_kind(
	struct fs_handle *handle, int mode, uint64_t end, enum cm4_io_kind *ret_kind)
{
	switch (mode) {
	case 0:
		*ret_kind = CM4_IO_ALLOCATE;
		return 0;
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		*ret_kind = CM4_IO_ZERO;
		return 0;
	case FALLOC_FL_ZERO_RANGE:
		return zero_kind(handle, end, ret_kind);
	}
	return -EOPNOTSUPP;
}

void fs_do_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
	struct fuse_file_info *fi)
{
	struct fs_handle *handle = handle_of(fi);
	enum cm4_io_kind kind;
	struct fs_op *op;
	int r;

	if (handle->blob) {
		fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	/* Room without a size: there is always room, to the disk's end. */
	if (!handle->image || mode == FALLOC_FL_KEEP_SIZE) {
		fuse_reply_err(req, handle->image ? 0 : EPERM);
		return;
	}
	r = fallocate_kind(handle, mode, (uint64_t)offset + (uint64_t)length, &kind);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	op = fs_op_new(req, handle->image, FS_REPLY_ERROR);
	if (!op)
		return;
	op->io.kind = kind;
	op->io.offset = (uint64_t)offset;
	op->io.length = (uint64_t)length;
	fs_op_submit(op);
}

/* Of anything but events it is said what the kernel would say without us. */
void fs_do_poll(
	fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *poll)
{
	struct fs_handle *handle = handle_of(fi);

	if (handle->reader) {
		fuse_reply_poll(req, fs_events_poll(handle->reader, poll));
		return;
	}
	if (poll)
		fuse_pollhandle_destroy(poll);
	fuse_reply_poll(req, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}
