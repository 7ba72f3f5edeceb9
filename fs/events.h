#pragma once

#include <fuse_lowlevel.h>
#include <stdbool.h>

#include <cm4fs/fleet.h>

struct fs;
struct fs_events;
struct fs_op;
struct fs_reader;

/*
 * The file `events`: many readers, each at a line of his own (ring.h), and what they are told (told.h). A read that
 * finds nothing new is parked, as an op, until there is; no thread waits with it.
 *
 * Its own thread looks once a second, while somebody reads, for what nobody tells of by himself: how far a flash is,
 * and what is wrong by the kernel's log.
 *
 * Thread: new, stop and free are the composition's, the rest for any. Locks: its own, under which nothing else is
 * called.
 */
int fs_events_new(struct fs *fs, struct fs_events **ret_events); /* 0 or -errno */
/* Parked reads end with what there is, and with the file's end when there is no more: so do those that come. */
void fs_events_stop(struct fs_events *events);
void fs_events_free(struct fs_events *events); /* no reader is left; NULL is accepted */

void fs_events_changed(struct fs_events *events, const struct cm4_news *news);

/* @ends: the file's end comes after what there is now. 0 or -ENOMEM. */
int fs_events_open(struct fs_events *events, bool ends, struct fs_reader **ret_reader);
void fs_events_close(struct fs_reader *reader); /* no read of his is left; NULL is accepted */

/* Completes @op, of which reader and io.length have been filled in: now, or when there is something to read. */
void fs_events_read(struct fs_op *op, bool nonblock);
/* Its caller does not want to wait: -EINTR, unless it is complete already. */
void fs_events_give_up(struct fs_op *op);

/* What may be done now; @poll, which is taken over and may be NULL, is told when there is something new. */
unsigned fs_events_poll(struct fs_reader *reader, struct fuse_pollhandle *poll);
