#pragma once

#include <stdbool.h>

/*
 * Going into the background. The fork comes first, while there is one thread and nothing to share;
 * the parent waits, and its exit status is what became of the mount: a script may go on as soon as
 * the command returns.
 */
struct fs_daemon {
	int pipe; /* the child's end; -1: in the foreground */
};

/*
 * True in the process that goes on. False in the parent, when it is known what became of the
 * child.
 */
bool fs_daemon_begin(struct fs_daemon *daemon, bool foreground, int *ret_status);

/*
 * The mount is live: leave the terminal and the directory, let the parent go. Messages go to the
 * system log.
 */
void fs_daemon_ready(struct fs_daemon *daemon);
