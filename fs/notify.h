#pragma once

#include <stdint.h>

struct fs;
struct fs_notify;

/*
 * Tells the kernel what it keeps and should not any more. Telling waits for locks that the kernel
 * holds while it waits for our answers, so it is done by a thread that owes no answers: neither
 * one that serves requests nor one that completes them.
 *
 * Thread: new, stop and free are the composition's, the rest for any.
 */
int fs_notify_new(struct fs *fs, struct fs_notify **ret_notify); /* 0 or -errno */
void fs_notify_stop(
	struct fs_notify *notify); /* requests are still served; there is no news any more */
void fs_notify_free(struct fs_notify *notify); /* ... and none are; NULL is accepted */

/* A module's directory has gone. @name is copied. */
void fs_notify_left(struct fs_notify *notify, uint64_t module, const char *name);
/* `control` of this module is another file now: verbs.h. */
void fs_notify_control(struct fs_notify *notify, uint64_t module);
/* An image may have taken another's place. */
void fs_notify_sweep(struct fs_notify *notify);
