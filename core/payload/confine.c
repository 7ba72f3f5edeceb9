#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "payload/confine.h"

#define ATTEMPTS_MAX 16 /* EAGAIN: a rename somewhere has raced with the check for ".." */

static int translate(int error)
{
	switch (error) {
	case EXDEV:
	case EACCES:
	case ENOMEM:
	case ENOSYS:
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

int confine_open(int directory, const char *path, int *ret_fd)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	struct stat st;
	long fd;

	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0)
		return translate(errno);

	if (fstat((int)fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close((int)fd);
		return -ENOENT;
	}
	*ret_fd = (int)fd;
	return 0;
}
