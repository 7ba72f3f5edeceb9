#pragma once

struct fs_op;
struct fs_watch;

/*
 * A thread that looks after requests whose caller was interrupted, and decides when to give them
 * up. The kernel says once that there is a signal, and not which; a harmless one may be followed
 * by a deadly one of which we hear nothing. So an interrupted request is looked at again until it
 * is done.
 *
 * Thread: new, stop and free are the composition's, the rest for any. Locks: its own, under a request's.
 */
int fs_watch_new(struct fs_watch **ret_watch); /* 0 or -errno */
void fs_watch_stop(
	struct fs_watch *watch); /* no request that waits is left; it answers none any more */
void fs_watch_free(struct fs_watch *watch); /* every request has been answered; NULL is accepted */

/* Each takes what references it needs. In either order, or only one of them. */
void fs_watch_interrupted(struct fs_watch *watch, struct fs_op *op);
void fs_watch_submitted(struct fs_watch *watch, struct fs_op *op);
