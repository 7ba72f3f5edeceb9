#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/kernel_log.h"

/*
 * journalctl is asked rather than its library: it is there wherever a journal is, and this is for those few users
 * who may read the one and not the kernel's own log.
 */

#define BEFORE "--lines=2000"

extern char **environ;

bool linux_journal_readable(void)
{
	static const char *const places[] = {
		"/var/log/journal/*/system.journal", "/run/log/journal/*/system.journal"};
	bool readable = false;

	for (size_t i = 0; i < 2; i++) {
		glob_t found;

		if (glob(places[i], GLOB_NOSORT, NULL, &found) == 0) {
			for (size_t j = 0; j < found.gl_pathc; j++)
				readable = readable || access(found.gl_pathv[j], R_OK) == 0;
			globfree(&found);
		}
	}
	return readable;
}

/* "1700000000.123456 host kernel: text" */
bool linux_journal_parse(const char *line, struct kernel_record *ret)
{
	unsigned long long seconds;
	const char *text;
	unsigned us;
	int n = 0;

	if (sscanf(line, "%llu.%6u %*255s %n", &seconds, &us, &n) != 2 || !n)
		return false;
	text = line + n;
	if (strncmp(text, "kernel: ", 8))
		return false;
	snprintf(ret->text, sizeof(ret->text), "%s", text + 8);
	ret->time_us = (int64_t)(seconds % 10000000000ull) * 1000000 + us;
	return true;
}

static int spawn(int out, pid_t *ret_child)
{
	static char *const arguments[] = {"journalctl", "--dmesg", "--follow", BEFORE,
		"--output=short-unix", "--no-pager", "--quiet", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	/* The caller blocks its signals; the child is to end by one. */
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(ret_child, arguments[0], &actions, &attributes, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

int linux_journal_start(pid_t *ret_child, int *ret_fd)
{
	int ends[2], r;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	/* journalctl's own end blocks, as it expects. */
	fcntl(ends[1], F_SETFL, 0);
	r = spawn(ends[1], &child);
	close(ends[1]);
	if (r < 0) {
		close(ends[0]);
		return r;
	}
	*ret_child = child;
	*ret_fd = ends[0];
	return 0;
}

void linux_journal_end(pid_t child)
{
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}
