#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "proc.h"
#include "util/cleanup.h"

/* Linux, include/linux/sched.h. */
#define PF_EXITING  0x00000004ul
#define PF_SIGNALED 0x00000400ul

static uint64_t bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

bool fs_signals_kill(const struct fs_signals *signals)
{
	return signals->pending & bit(SIGKILL);
}

bool fs_signals_handled(const struct fs_signals *signals)
{
	return signals->pending & signals->caught & ~signals->blocked;
}

/* A line "Key:\thex". */
static int mask(const char *text, const char *key, uint64_t *ret_mask)
{
	const char *line = strstr(text, key);
	unsigned long long value;

	if (!line || sscanf(line + strlen(key), "%llx", &value) != 1)
		return -EBADMSG;
	*ret_mask = value;
	return 0;
}

int fs_proc_parse_status(const char *text, struct fs_signals *ret_signals)
{
	struct fs_signals signals;
	uint64_t thread, process;

	/* The newline keeps the keys apart from a process that is called "SigPnd:". */
	if (mask(text, "\nSigPnd:", &thread) < 0 || mask(text, "\nShdPnd:", &process) < 0 ||
		mask(text, "\nSigCgt:", &signals.caught) < 0 ||
		mask(text, "\nSigBlk:", &signals.blocked) < 0)
		return -EBADMSG;
	signals.pending = thread | process;
	*ret_signals = signals;
	return 0;
}

bool fs_proc_parse_killed(const char *text)
{
	/*
	 * "pid (name) state ppid pgrp session tty tpgid flags": the name may hold anything, a ')'
	 * too.
	 */
	const char *rest = strrchr(text, ')');
	unsigned long flags;

	if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %lu", &flags) != 1)
		return false;
	return (flags & PF_EXITING) && (flags & PF_SIGNALED);
}

static int read_proc(pid_t pid, const char *file, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	ssize_t n;

	if (pid <= 0)
		return -ESRCH; /* the caller lives in a namespace that we do not see */
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

int fs_proc_signals(pid_t pid, struct fs_signals *ret_signals)
{
	char text[8192];
	int r = read_proc(pid, "status", text, sizeof(text));

	return r < 0 ? r : fs_proc_parse_status(text, ret_signals);
}

bool fs_proc_killed(pid_t pid)
{
	char text[1024];

	return read_proc(pid, "stat", text, sizeof(text)) == 0 && fs_proc_parse_killed(text);
}
