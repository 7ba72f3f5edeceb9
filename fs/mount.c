#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount.h"
#include "util/cleanup.h"

#define FUSE_DEVICE "/dev/fuse"

/* mountinfo writes white space and backslashes as \ooo. In place. */
static void unescape(char *text)
{
	char *out = text;

	while (*text) {
		unsigned value;

		if (*text == '\\' && sscanf(text + 1, "%3o", &value) == 1 && strlen(text) >= 4) {
			*out++ = (char)value;
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

bool fs_mount_line_is_cm4fs(const char *line, const char *path, bool *ret_same_path)
{
	_cleanup_free_ char *target = NULL, *type = NULL;
	const char *dash = strstr(line, " - ");

	*ret_same_path = false;
	/* "id parent major:minor root target options [fields] - type source options" */
	if (sscanf(line, "%*s %*s %*s %*s %ms", &target) != 1 || !dash ||
		sscanf(dash + 3, "%ms", &type) != 1)
		return false;
	unescape(target);
	*ret_same_path = !strcmp(target, path);
	return *ret_same_path && !strcmp(type, "fuse.cm4fs");
}

static bool is_cm4fs(const char *path)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	bool found = false, same;
	size_t size = 0;

	if (!file)
		return false;
	while (getline(&line, &size, file) > 0) {
		bool is = fs_mount_line_is_cm4fs(line, path, &same);

		if (same)
			found = is; /* the last one lies on top */
	}
	fclose(file);
	return found;
}

__attribute__((format(printf, 4, 5))) static int refuse(
	int error, char *message, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message, size, format, args);
	va_end(args);
	return -error;
}

/* Rights are left to the mount: an unprivileged user's is done by fusermount3. */
static int check_device(char *message, size_t size)
{
	_cleanup_close_ int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0 || errno == EACCES || errno == EPERM)
		return 0;
	if (errno == ENOENT)
		return refuse(ENODEV, message, size,
			"there is no " FUSE_DEVICE
			": load the kernel's fuse module (modprobe fuse)");
	return refuse(ENODEV, message, size,
		FUSE_DEVICE ": %s: is the kernel's fuse module loaded?", strerror(errno));
}

int fs_mount_check(const char *path, char **ret_path, char *message, size_t size)
{
	struct stat st;
	char *absolute;

	if (stat(path, &st) < 0) {
		if (errno == ENOTCONN)
			return refuse(ENOTCONN, message, size,
				"%s: a filesystem is mounted there whose program has ended: "
				"fusermount3 -u it first",
				path);
		if (errno == ENOENT)
			return refuse(ENOENT, message, size,
				"%s: there is no such directory to mount on", path);
		return refuse(errno, message, size, "%s: %s", path, strerror(errno));
	}
	if (!S_ISDIR(st.st_mode))
		return refuse(ENOTDIR, message, size, "%s is not a directory", path);
	absolute = realpath(path, NULL);
	if (!absolute)
		return refuse(errno, message, size, "%s: %s", path, strerror(errno));
	if (is_cm4fs(absolute)) {
		free(absolute);
		return refuse(EBUSY, message, size, "%s: a cm4fs is mounted there already", path);
	}
	if (check_device(message, size) < 0) {
		free(absolute);
		return -ENODEV;
	}
	*ret_path = absolute;
	return 0;
}
