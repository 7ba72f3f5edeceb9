#include <errno.h>
#include <stdlib.h>

#include "events.h"
#include "fs.h"
#include "handle.h"
#include "notify.h"
#include "ops.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "watch.h"

#define MAX_WRITE (1u << 20)
#define SETTLE_NS (10 * NS_PER_S)

/*
 * What is absent is so on purpose. Extended attributes: the kernel makes ENOSYS into ENOTSUP, and
 * asks no more. lseek and copy_file_range: it does them itself. access: default_permissions.
 * Locks: it keeps them among its own processes.
 */
static void do_init(void *data, struct fuse_conn_info *conn)
{
	conn->max_write = MAX_WRITE;
	/* The cache would lose the order of writes, and tell an error to nobody. */
	conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
	/* The kernel interrupts no asynchronous write: a killed writer would stay until its end. */
	conn->want &= ~(unsigned)FUSE_CAP_ASYNC_DIO;
}

const struct fuse_lowlevel_ops fs_operations = {
	.init = do_init,
	.lookup = fs_do_lookup,
	.forget = fs_do_forget,
	.forget_multi = fs_do_forget_multi,
	.getattr = fs_do_getattr,
	.setattr = fs_do_setattr,
	.readlink = fs_do_readlink,
	.mknod = fs_do_mknod,
	.mkdir = fs_do_mkdir,
	.unlink = fs_do_unlink,
	.rmdir = fs_do_rmdir,
	.symlink = fs_do_symlink,
	.link = fs_do_link,
	.rename = fs_do_rename,
	.create = fs_do_create,
	.open = fs_do_open,
	.read = fs_do_read,
	.write = fs_do_write,
	.flush = fs_do_flush,
	.fsync = fs_do_fsync,
	.fallocate = fs_do_fallocate,
	.poll = fs_do_poll,
	.release = fs_do_release,
	.opendir = fs_do_opendir,
	.readdir = fs_do_readdir,
	.releasedir = fs_do_release,
	.statfs = fs_do_statfs,
};

int fs_new(const struct fs_owner *owner, struct fs **ret_fs)
{
	struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	fs->uid = owner->uid;
	fs->gid = owner->gid;
	fs->umask = owner->umask;
	clock_gettime(CLOCK_REALTIME, &fs->started);
	fs_pool_init(&fs->pool);
	fs_dirs_init(&fs->dirs);
	fs_disks_init(&fs->disks);
	fs_drops_init(&fs->drops);
	fs_verbs_init(&fs->verbs);
	pthread_mutex_init(&fs->ops_lock, NULL);
	cond_init(&fs->ops_answered);
	pthread_mutex_init(&fs->handles_lock, NULL);
	TAILQ_INIT(&fs->handles);
	*ret_fs = fs;
	return 0;
}

int fs_attach(struct fs *fs, struct cm4_fleet *fleet, struct fuse_session *session)
{
	int r;

	fs->fleet = fleet;
	fs->session = session;
	r = fs_watch_new(&fs->watch);
	if (r == 0)
		r = fs_notify_new(fs, &fs->notify);
	if (r == 0)
		r = fs_events_new(fs, &fs->events);
	return r;
}

void fs_end_events(struct fs *fs)
{
	if (fs->events)
		fs_events_stop(fs->events);
}

void fs_stop(struct fs *fs)
{
	if (fs->watch)
		fs_watch_stop(fs->watch);
	if (fs->notify)
		fs_notify_stop(fs->notify);
}

void fs_op_begins(struct fs *fs)
{
	LOCKED(&fs->ops_lock);

	fs->n_ops++;
}

void fs_op_ends(struct fs *fs)
{
	LOCKED(&fs->ops_lock);

	if (--fs->n_ops == 0)
		pthread_cond_signal(&fs->ops_answered);
}

/* A decoder's thread is not waited for by the fleet, and answers a moment after its image was aborted. */
void fs_settle(struct fs *fs)
{
	uint64_t deadline = clock_ns() + SETTLE_NS;

	if (!fs)
		return;
	LOCKED(&fs->ops_lock);
	while (fs->n_ops > 0)
		if (cond_wait_until(&fs->ops_answered, &fs->ops_lock, deadline) == ETIMEDOUT)
			return;
}

void fs_free(struct fs *fs)
{
	if (!fs)
		return;
	fs_notify_free(fs->notify);
	fs_watch_free(fs->watch);
	fs_handle_free_all(fs);
	fs_events_free(fs->events);
	pthread_mutex_destroy(&fs->handles_lock);
	pthread_cond_destroy(&fs->ops_answered);
	pthread_mutex_destroy(&fs->ops_lock);
	fs_verbs_fini(&fs->verbs);
	fs_drops_fini(&fs->drops);
	fs_dirs_fini(&fs->dirs);
	fs_disks_fini(&fs->disks);
	fs_pool_fini(&fs->pool);
	free(fs);
}

void fs_changed(void *data, struct cm4_module *module, const struct cm4_news *news)
{
	struct fs *fs = data;

	fs_events_changed(fs->events, news);
	switch (news->change) {
	case CM4_CHANGE_LEFT:
		fs_notify_left(fs->notify, cm4_module_id(module), cm4_module_name(module));
		return;
	case CM4_CHANGE_IMAGE:
		fs_notify_sweep(fs->notify);
		return;
	case CM4_CHANGE_APPEARED:
	case CM4_CHANGE_STATE:
	case CM4_CHANGE_SERVED:
		return;
	}
}
