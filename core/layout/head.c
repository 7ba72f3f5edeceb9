#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layout/internal.h"

/*
 * libblkid reads files, and nothing else. So the head lies in a file of memory, mapped here. Behind
 * it the file is a hole up to a size at which libblkid looks for all that it knows but ZFS, for in
 * small files it does not look for large things. No larger: what an image can make it read at once
 * is bounded by that (NTFS may claim records of 2 GiB).
 */
#define HEAD_FILE_SIZE (32u << 20)

int layout_head_init(struct layout_head *head)
{
	void *bytes;
	int r;

	*head = (struct layout_head){.fd = memfd_create("cm4fs-head", MFD_CLOEXEC)};
	if (head->fd < 0)
		return -errno;
	if (ftruncate(head->fd, HEAD_FILE_SIZE) < 0)
		goto err_close;
	bytes = mmap(NULL, LAYOUT_HEAD, PROT_READ | PROT_WRITE, MAP_SHARED, head->fd, 0);
	if (bytes == MAP_FAILED)
		goto err_close;
	head->bytes = bytes;
	return 0;

err_close:
	r = -errno;
	layout_head_fini(head);
	return r;
}

void layout_head_fini(struct layout_head *head)
{
	if (head->bytes)
		munmap(head->bytes, LAYOUT_HEAD);
	if (head->fd >= 0)
		close(head->fd);
	*head = (struct layout_head){.fd = -1};
}
