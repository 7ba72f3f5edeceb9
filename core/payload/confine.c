#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "payload/confine.h"
#include "util/cleanup.h"

#define ATTEMPTS_MAX 16 /* EAGAIN: a rename somewhere has raced with the check for ".." */
#define OPEN_FLAGS   (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static int translate(int error)
{
	switch (error) {
	case EXDEV:
	case EACCES:
	case ENOMEM:
		return -error;
	case EPERM:
		return -EACCES;
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case ELOOP: /* also: a magic link */
	case ENAMETOOLONG:
	case ENXIO: /* a socket, a device that is not there */
	case ENODEV:
		return -ENOENT;
	default:
		return -EIO;
	}
}

static int keep_regular(int fd, int *ret_fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -ENOENT;
	}
	*ret_fd = fd;
	return 0;
}

static int path_of(int fd, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX);
	if (n < 0 || n == PATH_MAX)
		return -EIO;
	path[n] = '\0';
	return 0;
}

static bool is_beneath(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	if (n == 1) /* the root */
		return true;
	return strncmp(path, directory, n) == 0 && path[n] == '/';
}

/*
 * What is judged is the path of the very file that is held already, so nobody can exchange it in between.
 * Kernels before 5.6 need this, and programs under valgrind 3.19.
 */
int confine_open_without_openat2(int directory, const char *path, int *ret_fd)
{
	char outer[PATH_MAX], inner[PATH_MAX], link[64];
	_cleanup_close_ int held = -1;
	int fd, r;

	if (path[0] == '/')
		return -EXDEV;
	held = openat(directory, path, O_PATH | O_CLOEXEC);
	if (held < 0)
		return translate(errno);

	r = path_of(directory, outer);
	if (r == 0)
		r = path_of(held, inner);
	if (r < 0)
		return r;
	if (!is_beneath(inner, outer))
		return -EXDEV;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", held);
	fd = open(link, OPEN_FLAGS);
	return fd < 0 ? translate(errno) : keep_regular(fd, ret_fd);
}

int confine_open(int directory, const char *path, int *ret_fd)
{
	struct open_how how = {
		.flags = OPEN_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0 && errno == ENOSYS)
		return confine_open_without_openat2(directory, path, ret_fd);
	return fd < 0 ? translate(errno) : keep_regular((int)fd, ret_fd);
}
