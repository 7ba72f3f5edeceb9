#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cm4fs/module.h>

/*
 * The seam to a module's disk. Behind it stand the simulated medium (core/sim) and the kernel's block device.
 *
 * Offsets, lengths and buffers are multiples of BLOCK_ALIGN, but for the end of a disk whose size is not
 * (it is then a multiple of BLOCK_SECTOR). This is what O_DIRECT asks for.
 */
#define BLOCK_ALIGN  4096
#define BLOCK_SECTOR 512

struct block_identity {
	char port[CM4_PORT_MAX]; /* of the module that exports it */
	char name[CM4_DISK_MAX]; /* by the module's own word: mmcblk0, nvme0n1 */
	uint64_t bytes;		 /* 0: no medium */
};

struct block;

/*
 * One open disk. Transfers block and belong to one thread at a time; abort may come from any.
 * -errno of all: ENODEV (gone), EIO (rejected by the medium), ECANCELED (aborted), and of read also ENODATA.
 */
struct block_ops {
	/* All of it, or -errno. @size is the sum of the vector. 0 or -errno. */
	int (*writev)(struct block *block, const struct iovec *iov, int n, uint64_t offset);
	int (*read)(struct block *block, void *buffer, size_t size, uint64_t offset);

	/* What was written is on the medium, as far as the disk's own word goes. 0 or -errno. */
	int (*sync)(struct block *block);

	/* Transfers under way end as soon as they can, and those to come fail with ECANCELED. */
	void (*abort)(struct block *block);

	void (*close)(struct block *block); /* gives the disk free for others; frees @block */
};

struct block {
	const struct block_ops *ops;
	uint64_t bytes; /* the disk's size */
};
