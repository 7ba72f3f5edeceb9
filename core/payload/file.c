#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "payload/source.h"

struct payload_file {
	int fd;		     /* -1: in memory */
	const uint8_t *data; /* borrowed from the payload */
	uint64_t size;	     /* when it was found */
	time_t date;
};

static int file_new(const struct payload_file *values, struct payload_file **ret_file)
{
	struct payload_file *file = malloc(sizeof(*file));

	if (!file)
		return -ENOMEM;
	*file = *values;
	*ret_file = file;
	return 0;
}

int payload_file_new(int fd, struct payload_file **ret_file)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0) {
		close(fd);
		return -EIO;
	}
	r = file_new(
		&(struct payload_file){.fd = fd, .size = (uint64_t)st.st_size, .date = st.st_mtime},
		ret_file);
	if (r < 0)
		close(fd);
	return r;
}

int payload_file_new_memory(const void *data, size_t size, struct payload_file **ret_file)
{
	return file_new(&(struct payload_file){.fd = -1, .data = data, .size = size}, ret_file);
}

time_t payload_file_date(const struct payload_file *file)
{
	return file->date;
}

uint64_t payload_file_size(const struct payload_file *file)
{
	return file->size;
}

static int read_fd(int fd, uint8_t *buffer, size_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t n = pread(fd, buffer, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		buffer += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int payload_file_read(struct payload_file *file, void *buffer, size_t size, uint64_t offset)
{
	if (offset > file->size || size > file->size - offset)
		return -EIO;
	if (file->fd >= 0)
		return read_fd(file->fd, buffer, size, offset);
	if (size > 0)
		memcpy(buffer, file->data + offset, size);
	return 0;
}

void payload_file_close(struct payload_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}
