#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cm4fs/log.h>

#include "sim/medium.h"
#include "util/clock.h"

/* Where a medium's bytes are: memory, a file, or a block device. */

/* A block device that DIR/SERIAL-NAME.img points to: its size is the disk's, whatever the SPEC
 * says. */
static int open_device(struct sim_medium *medium, const char *path)
{
	medium->direct = true;
	medium->fd = open(path, O_RDWR | O_EXCL | O_DIRECT | O_CLOEXEC);
	if (medium->fd < 0 || ioctl(medium->fd, BLKGETSIZE64, &medium->bytes) < 0)
		return -errno;
	return 0;
}

/* Kept from an earlier run if it has the size of the disk; else made anew. */
static int open_file(struct sim_medium *medium, const char *path)
{
	struct stat st;

	medium->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (medium->fd < 0 || fstat(medium->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size == medium->bytes)
		return 0;
	if (ftruncate(medium->fd, 0) < 0 || ftruncate(medium->fd, (off_t)medium->bytes) < 0)
		return -errno;
	return 0;
}

static int open_memory(struct sim_medium *medium)
{
	medium->fd = memfd_create("cm4fs-medium", MFD_CLOEXEC);
	if (medium->fd < 0 || ftruncate(medium->fd, (off_t)medium->bytes) < 0)
		return -errno;
	return 0;
}

int sim_medium_open(struct sim_medium *medium, const char *path)
{
	struct stat st;

	if (!path)
		return open_memory(medium);
	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode))
		return open_device(medium, path);
	return open_file(medium, path);
}

int sim_medium_host_error(void)
{
	cm4_log(LOG_ERR, "simulated medium: %s", strerror(errno));
	return -EIO;
}

int sim_medium_raw_read(struct sim_medium *medium, void *buffer, size_t size, uint64_t offset)
{
	if (pread(medium->fd, buffer, size, (off_t)offset) != (ssize_t)size)
		return sim_medium_host_error();
	return 0;
}

int sim_medium_raw_write(
	struct sim_medium *medium, const void *buffer, size_t size, uint64_t offset)
{
	if (pwrite(medium->fd, buffer, size, (off_t)offset) != (ssize_t)size)
		return sim_medium_host_error();
	return 0;
}

int sim_medium_peek(struct sim_medium *medium, void *buffer, size_t size, uint64_t offset)
{
	uint64_t from = offset / SIM_PAGE * SIM_PAGE,
		 to = (offset + size + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;
	void *aligned = NULL;
	int r;

	if (offset > medium->bytes || size > medium->bytes - offset)
		return -EIO;
	if (to > medium->bytes)
		to = medium->bytes;
	if (posix_memalign(&aligned, SIM_PAGE, (size_t)(to - from) + 1))
		return -EIO;

	pthread_mutex_lock(&medium->lock);
	if (!medium->through)
		sim_cache_settle(medium, clock_ns());
	r = sim_medium_raw_read(medium, aligned, (size_t)(to - from), from);
	pthread_mutex_unlock(&medium->lock);
	if (r == 0)
		memcpy(buffer, (char *)aligned + (offset - from), size);
	free(aligned);
	return r;
}
