#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "seam/block.h"

/* A block device of the kernel's as the disk seam has it. */

struct linux_block_watch {
	dev_t number; /* the node must be this device: names are given anew, numbers while open are not */

	/*
	 * Whether the disk has left, waiting a little for the news: after an unplug, requests fail with EIO
	 * before anything says why. Any thread.
	 */
	bool (*is_gone)(void *data, dev_t number, unsigned wait_ms);
	void *data;

	/* The SCSI device's ioerr_cnt, open for reading; taken over. -1: there is none. */
	int errors_fd;
};

/* 0 or -errno as in linux_disk_open. @watch is copied; its descriptor is closed on failure, too. */
int linux_block_open(const char *path, bool writable, const struct linux_block_watch *watch,
	struct block **ret_block);
