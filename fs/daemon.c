#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cm4fs/log.h>

#include "daemon.h"

#define STATUS_FAILED 1

static int wait_for(pid_t child, int fd)
{
	int status;
	ssize_t n;
	char byte;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_FAILED;
	return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : STATUS_FAILED;
}

bool fs_daemon_begin(struct fs_daemon *daemon, bool foreground, int *ret_status)
{
	int ends[2];
	pid_t child;

	daemon->pipe = -1;
	if (foreground)
		return true;
	if (pipe2(ends, O_CLOEXEC) < 0 || (child = fork()) < 0) {
		cm4_log(LOG_ERR, "cannot go into the background: %s", strerror(errno));
		*ret_status = STATUS_FAILED;
		return false;
	}
	if (child) {
		close(ends[1]);
		*ret_status = wait_for(child, ends[0]);
		close(ends[0]);
		return false;
	}
	close(ends[0]);
	daemon->pipe = ends[1];
	setsid();
	return true;
}

void fs_daemon_ready(struct fs_daemon *daemon)
{
	int null;

	if (daemon->pipe < 0)
		return;
	cm4_log_to_syslog();
	if (chdir("/") < 0)
		cm4_log(LOG_WARNING, "cannot leave the directory it was started in: %m");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		for (int fd = 0; fd <= 2; fd++)
			dup2(null, fd);
		if (null > 2)
			close(null);
	}
	if (write(daemon->pipe, "", 1) < 0)
		cm4_log(LOG_WARNING, "cannot tell the command that started it: %m");
	close(daemon->pipe);
	daemon->pipe = -1;
}
