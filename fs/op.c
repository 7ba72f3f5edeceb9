#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "events.h"
#include "fs.h"
#include "notify.h"
#include "op.h"
#include "pool.h"
#include "tree.h"
#include "watch.h"

/*
 * An interrupt comes at any moment: before the core has the request, while it works on it, while
 * its answer is being sent. libfuse calls back under the request's own lock and frees the request
 * at the reply, so
 *
 * - the callback only hands the op to the watch, which acts from its own thread;
 * - the callback is taken back before the reply: that waits for one that is running, and none
 *   comes after it, so that the op, too, may be freed.
 */

struct fs_op *fs_op_ref(struct fs_op *op)
{
	atomic_fetch_add(&op->refs, 1);
	return op;
}

void fs_op_unref(struct fs_op *op)
{
	if (atomic_fetch_sub(&op->refs, 1) > 1)
		return;
	cm4_image_unref(op->image);
	free(op->buffer);
	free(op);
}

static void reply(struct fs_op *op, ssize_t result)
{
	if (result < 0) {
		fuse_reply_err(op->req, (int)-result);
		return;
	}
	switch (op->reply) {
	case FS_REPLY_ERROR:
		fuse_reply_err(op->req, 0);
		return;
	case FS_REPLY_WRITE:
		fuse_reply_write(op->req, (size_t)result);
		return;
	case FS_REPLY_READ:
		fuse_reply_buf(op->req, op->buffer, (size_t)result);
		return;
	case FS_REPLY_ATTR:
		fs_tree_reply_attr(op->req, op->ino);
		return;
	}
}

static void finish(struct fs_op *op, ssize_t result)
{
	if (atomic_exchange(&op->replied, true))
		return;
	fuse_req_interrupt_func(op->req, NULL, NULL);
	reply(op, result);
}

void fs_op_done(struct fs_op *op, ssize_t result)
{
	struct fs *fs = op->image ? op->fs : NULL;

	finish(op, result);
	fs_op_unref(op);
	if (fs)
		fs_op_ends(fs);
}

static void complete(struct cm4_io *io, ssize_t result)
{
	struct fs_op *op = (struct fs_op *)((char *)io - offsetof(struct fs_op, io));

	if (op->opened)
		cm4_image_close(op->image, true);
	fs_pool_put(&op->fs->pool, op->received);
	fs_op_done(op, result);
}

static void verb_done(void *data, int result)
{
	struct fs_op *op = data;

	fs_verbs_end(&op->fs->verbs, op->module);
	if (op->clears && result == 0)
		fs_drops_clear(&op->fs->drops, op->module);
	fs_op_done(op, result < 0 ? result : (ssize_t)op->size);
}

/* On a loop's thread, or within fuse_req_interrupt_func; the request's lock is held. */
static void on_interrupt(fuse_req_t req, void *data)
{
	struct fs_op *op = data;

	fs_watch_interrupted(op->fs->watch, op);
}

struct fs_op *fs_op_new(fuse_req_t req, struct cm4_image *image, enum fs_reply kind)
{
	struct fs_op *op = calloc(1, sizeof(*op));

	if (!op) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	op->fs = fs_of(req);
	op->req = req;
	op->pid = fuse_req_ctx(req)->pid;
	op->reply = kind;
	op->image = image ? cm4_image_ref(image) : NULL;
	op->io.complete = complete;
	atomic_init(&op->refs, 2);
	return op;
}

void fs_op_fail(struct fs_op *op, int error)
{
	finish(op, error);
	fs_op_unref(op);
	fs_op_unref(op);
}

void fs_op_submit(struct fs_op *op)
{
	fs_op_begins(op->fs);
	fuse_req_interrupt_func(op->req, on_interrupt, op);
	cm4_image_submit(op->image, &op->io);
	fs_watch_submitted(op->fs->watch, op);
	fs_op_unref(op);
}

void fs_op_control(struct fs_op *op, struct cm4_module *module, enum cm4_verb verb)
{
	op->module = cm4_module_id(module);
	op->clears = verb == CM4_VERB_CLEAR;
	if (fs_verbs_begin(&op->fs->verbs, op->module) < 0) {
		fs_op_fail(op, -ENOMEM);
		return;
	}
	fs_notify_control(op->fs->notify, op->module);
	fuse_req_interrupt_func(op->req, on_interrupt, op);
	cm4_module_control(module, verb, verb_done, op);
	fs_watch_submitted(op->fs->watch, op);
	fs_op_unref(op);
}

static void told(void *data, int result)
{
	fs_op_done(data, result);
}

void fs_op_sidecar(struct fs_op *op, struct cm4_module *module, const char *name, const void *data,
	size_t size)
{
	fuse_req_interrupt_func(op->req, on_interrupt, op);
	cm4_module_sidecar(module, name, data, size, told, op);
	fs_watch_submitted(op->fs->watch, op);
	fs_op_unref(op);
}

void fs_op_compare(struct fs_op *op, struct cm4_module *module, struct cm4_image *image)
{
	fuse_req_interrupt_func(op->req, on_interrupt, op);
	cm4_module_compare(module, image, told, op);
	fs_watch_submitted(op->fs->watch, op);
	fs_op_unref(op);
}

void fs_op_events(struct fs_op *op, struct fs_reader *reader, bool nonblock)
{
	op->reader = reader;
	fuse_req_interrupt_func(op->req, on_interrupt, op);
	fs_events_read(op, nonblock);
	fs_watch_submitted(op->fs->watch, op);
	fs_op_unref(op);
}

void fs_op_give_up(struct fs_op *op)
{
	if (op->reader)
		fs_events_give_up(op);
	else if (op->image)
		cm4_image_interrupt(op->image, &op->io);
	else
		finish(op, -EINTR); /* the verb is done all the same */
}
