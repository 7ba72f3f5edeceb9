#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A directory of a test's own, and files in it. Whatever fails here fails the test. */

struct scratch {
	char path[256];
};

static inline void scratch_new(struct scratch *scratch)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(scratch->path, sizeof(scratch->path), "%s/cm4fs-test-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(scratch->path));
}

static inline int scratch_remove(
	const char *path, const struct stat *st, int type, struct FTW *position)
{
	return remove(path);
}

static inline void scratch_free(struct scratch *scratch)
{
	nftw(scratch->path, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* One of a few buffers that take turns. */
static inline const char *scratch_path(const struct scratch *scratch, const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", scratch->path, name);
	return path;
}

static inline void scratch_mkdir(const struct scratch *scratch, const char *name)
{
	assert_int_equal(mkdir(scratch_path(scratch, name), 0755), 0);
}

static inline void scratch_write(
	const struct scratch *scratch, const char *name, const void *data, size_t size)
{
	int fd = open(scratch_path(scratch, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

static inline void scratch_text(const struct scratch *scratch, const char *name, const char *text)
{
	scratch_write(scratch, name, text, strlen(text));
}

static inline void scratch_link(const struct scratch *scratch, const char *target, const char *name)
{
	assert_int_equal(symlink(target, scratch_path(scratch, name)), 0);
}

static inline size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
