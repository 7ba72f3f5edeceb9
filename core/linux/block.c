#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/block.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define GONE_WAIT_MS 2000
#define LOCK_WAIT_MS 5000
#define LOCK_STEP_MS 50
#define IOV_MAX_ONCE 16

struct linux_block {
	struct block base;
	int fd;
	bool writable;
	struct linux_block_watch watch;
	atomic_bool aborted;
};

/* What a failed request means. A medium that rejects a block and a cable that was pulled both say EIO. */
static int error_of(struct linux_block *block, int error)
{
	if (atomic_load(&block->aborted))
		return -ECANCELED;
	if (error == ENXIO || error == ENODEV || error == ESHUTDOWN)
		return -ENODEV;
	if (block->watch.is_gone &&
		block->watch.is_gone(block->watch.data, block->watch.number, GONE_WAIT_MS))
		return -ENODEV;
	return error == ENODATA ? -ENODATA : -EIO;
}

/* Takes @n bytes off the front of the vector. */
static void advance(struct iovec **iov, int *count, size_t n)
{
	while (*count && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

static int block_writev(struct block *base, const struct iovec *vector, int n, uint64_t offset)
{
	struct linux_block *block = (struct linux_block *)base;
	struct iovec copy[IOV_MAX_ONCE], *iov = copy;

	if (n > IOV_MAX_ONCE)
		return -EINVAL;
	for (int i = 0; i < n; i++)
		copy[i] = vector[i];
	while (n) {
		ssize_t r;

		if (atomic_load(&block->aborted))
			return -ECANCELED;
		r = pwritev(block->fd, iov, n, (off_t)offset);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return error_of(block, r < 0 ? errno : EIO);
		offset += (uint64_t)r;
		advance(&iov, &n, (size_t)r);
	}
	return 0;
}

static int block_read(struct block *base, void *buffer, size_t size, uint64_t offset)
{
	struct linux_block *block = (struct linux_block *)base;
	char *to = buffer;

	while (size) {
		ssize_t r;

		if (atomic_load(&block->aborted))
			return -ECANCELED;
		r = pread(block->fd, to, size, (off_t)offset);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return error_of(block, r < 0 ? errno : EIO);
		to += r;
		offset += (uint64_t)r;
		size -= (size_t)r;
	}
	return 0;
}

/* How many commands have failed on this disk so far, those that succeeded when they were repeated included. */
static unsigned long failed_commands(const struct linux_block *block)
{
	char text[32];
	ssize_t n = pread(block->watch.errors_fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoul(text, NULL, 0);
}

/*
 * The gadget tells of a write-back that failed once, in the answer to SYNCHRONIZE CACHE, and forgets it; the host's
 * SCSI layer asks again, is told that all is well, and fsync returns 0 for bytes that are lost (seen with Linux 6.1
 * at both ends). That a command failed meanwhile shows in the device's counter: then the second answer is not
 * believed.
 */
static int block_sync(struct block *base)
{
	struct linux_block *block = (struct linux_block *)base;
	unsigned long before = failed_commands(block);

	if (atomic_load(&block->aborted))
		return -ECANCELED;
	if (fsync(block->fd) < 0)
		return error_of(block, errno);
	return failed_commands(block) == before ? 0 : error_of(block, EIO);
}

/* A request that is with the kernel cannot be taken back; it ends in the kernel's own bounded time. */
static void block_abort(struct block *base)
{
	atomic_store(&((struct linux_block *)base)->aborted, true);
}

static int try_lock(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

/*
 * udevd locks a disk for as long as it looks at it, which is just when it has appeared and when somebody closed
 * it: whoever holds the lock is given time to let go. That shows as the closing of the node; the close is told a
 * moment before the lock is off, hence the step.
 */
static int lock(int fd, const char *path)
{
	uint64_t deadline = clock_ns() + LOCK_WAIT_MS * NS_PER_MS;
	_cleanup_close_ int closes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd poll_fd = {.fd = closes, .events = POLLIN};
	char events[512];
	int r;

	if (closes < 0 || inotify_add_watch(closes, path, IN_CLOSE) < 0)
		return try_lock(fd);
	while ((r = try_lock(fd)) == -EBUSY && clock_ns() < deadline) {
		if (poll(&poll_fd, 1, LOCK_STEP_MS) > 0 &&
			read(closes, events, sizeof(events)) < 0 && errno != EAGAIN)
			break;
	}
	return r;
}

/*
 * udevd looks at a disk again, and has its partition table read, when a writer closes it: and finds it locked and held
 * if it is quick, for the close is told a moment before it has taken effect, and leaves it at that. So the last to
 * close is a descriptor that holds nothing. Where we may, we have the table read ourselves. Where not, there is still
 * the close that udevd does not see: one while it is busy with what came of the one before, for which it stops to
 * watch the disk. It holds the lock for as long as that takes.
 */
static void block_close(struct block *base)
{
	struct linux_block *block = (struct linux_block *)base;
	char self[32];
	int plain = -1;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", block->fd);
	if (block->writable)
		plain = open(self, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	close(block->fd);
	if (plain >= 0) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", plain);
		if (ioctl(plain, BLKRRPART) < 0 && errno == EACCES && lock(plain, self) == 0)
			flock(plain, LOCK_UN);
		close(plain);
	}
	if (block->watch.errors_fd >= 0)
		close(block->watch.errors_fd);
	free(block);
}

static const struct block_ops block_ops = {
	.writev = block_writev,
	.read = block_read,
	.sync = block_sync,
	.abort = block_abort,
	.close = block_close,
};

/* The node is the device that was meant, and nobody else writes to it. 0 or -errno. */
static int secure(int fd, const char *path, bool writable, dev_t number, uint64_t *ret_bytes)
{
	struct stat st;
	int read_only = 0, r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode) || st.st_rdev != number)
		return -ENODEV;
	if (writable && ioctl(fd, BLKROGET, &read_only) == 0 && read_only)
		return -EROFS;
	r = writable ? lock(fd, path) : 0;
	if (r < 0)
		return r;
	if (ioctl(fd, BLKGETSIZE64, ret_bytes) < 0)
		return -errno;
	return *ret_bytes ? 0 : -ENOMEDIUM;
}

int linux_block_open(const char *path, bool writable, const struct linux_block_watch *watch,
	struct block **ret_block)
{
	/* O_EXCL on a block device: EBUSY while it or a partition of it is mounted or held by another. */
	int flags = O_DIRECT | O_CLOEXEC | (writable ? O_RDWR | O_EXCL : O_RDONLY);
	_cleanup_close_ int fd = open(path, flags);
	_cleanup_close_ int errors_fd = watch->errors_fd;
	struct linux_block *block;
	uint64_t bytes;
	int r;

	if (fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	r = secure(fd, path, writable, watch->number, &bytes);
	if (r < 0)
		return r;
	block = calloc(1, sizeof(*block));
	if (!block)
		return -ENOMEM;
	block->base = (struct block){.ops = &block_ops, .bytes = bytes};
	block->watch = *watch;
	block->writable = writable;
	block->fd = fd;
	fd = errors_fd = -1;
	*ret_block = &block->base;
	return 0;
}
