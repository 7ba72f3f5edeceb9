#pragma once

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <sys/queue.h>

#include <cm4fs/fleet.h>

#include "dirs.h"
#include "disks.h"
#include "drops.h"
#include "pool.h"
#include "verbs.h"

struct fs_events;
struct fs_handle;
struct fs_notify;
struct fs_watch;
TAILQ_HEAD(fs_handle_list, fs_handle);

/*
 * The filesystem: what every request is served from.
 *
 * Threads: the loop's (loop.h) serve requests, and block in nothing; the watch (watch.h) looks
 * after interrupted ones; the notifier (notify.h) tells the kernel what has gone; core threads
 * complete what they were given (op.h); one tells readers of events what nobody else tells
 * (events.h). Locks: each member has its own, and none is held while
 * another member, a reply or the fleet is called, but that drops ask their images for attributes.
 */
struct fs {
	/* Constant once requests are served. */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	struct timespec started;
	struct cm4_fleet *fleet; /* borrowed; fs_attach */
	struct fuse_session *session;

	struct fs_pool pool;
	struct fs_dirs dirs;
	struct fs_disks disks;
	struct fs_drops drops;
	struct fs_verbs verbs;
	struct fs_watch *watch;
	struct fs_notify *notify;
	struct fs_events *events;

	pthread_mutex_t ops_lock; /* guards the number alone; innermost */
	pthread_cond_t ops_answered;
	unsigned n_ops; /* requests on images that the core has yet to answer */

	pthread_mutex_t handles_lock; /* guards the list alone */
	struct fs_handle_list handles;
};

/*
 * Thread: the composition's, in this order: new, the fleet made with fs_changed, attach,
 * [requests], end_events, the fleet stopped, stop, [loop stopped, unmounted], settle, [session
 * destroyed], free.
 */
struct fs_owner {
	uid_t uid;
	gid_t gid;
	mode_t umask;
};

int fs_new(const struct fs_owner *owner, struct fs **ret_fs); /* 0 or -errno */
int fs_attach(struct fs *fs, struct cm4_fleet *fleet, struct fuse_session *session); /* likewise */
void fs_end_events(struct fs *fs); /* nothing is told any more */
void fs_stop(struct fs *fs);
void fs_settle(struct fs *fs); /* whoever answers a request is through with it; NULL is accepted */
void fs_free(struct fs *fs);   /* the session has been destroyed; NULL is accepted */

/* For cm4_fleet_config: @data is the struct fs. */
void fs_changed(void *data, struct cm4_module *module, const struct cm4_news *news);

/* What libfuse calls; its user data is the struct fs. */
extern const struct fuse_lowlevel_ops fs_operations;

void fs_op_begins(struct fs *fs);
void fs_op_ends(struct fs *fs);

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}
