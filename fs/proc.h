#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What the kernel says, in /proc, of a process that waits for us. A thread's id serves as well as
 * a process's, and that is what FUSE gives. Reading is of memory, and does not wait. Any thread.
 */

struct fs_signals {
	uint64_t pending; /* the thread's and the process's together; bit n - 1 is signal n */
	uint64_t caught;  /* that have a handler */
	uint64_t blocked;
};

bool fs_signals_kill(const struct fs_signals *signals);

/* A pending signal that only returning from the system call lets the program see. */
bool fs_signals_handled(const struct fs_signals *signals);

/* The text of /proc/PID/status. 0 or -EBADMSG. */
int fs_proc_parse_status(const char *text, struct fs_signals *ret_signals);

/* The text of /proc/PID/stat: the process dies of a signal. */
bool fs_proc_parse_killed(const char *text);

int fs_proc_signals(pid_t pid, struct fs_signals *ret_signals); /* 0 or -errno */
bool fs_proc_killed(pid_t pid);					/* false where it cannot be read */
