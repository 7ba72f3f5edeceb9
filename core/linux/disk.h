#pragma once

#include <stddef.h>

#include "seam/block.h"

/*
 * The kernel's disks, by libudev and sysfs: which of them a module exports, and one of them open. A disk is
 * found through the USB port that it hangs on and the name in its INQUIRY data, never by its /dev name or by
 * the order of appearance. Everything that names a /dev path is in disk.c.
 */
struct linux_disks;

struct linux_disks_sink {
	void (*attached)(void *data, const struct block_identity *identity);
	void (*detached)(void *data, const char *port, const char *name);
	void *data;
};

/* 0 or -errno: ENOMEM, EIO (no udev). */
int linux_disks_new(const struct linux_disks_sink *sink, struct linux_disks **ret_disks);
void linux_disks_free(
	struct linux_disks *disks); /* everything opened must be closed; NULL is accepted */

/* Readable when there is something for linux_disks_dispatch, which tells the sink; one thread for both. */
int linux_disks_fd(struct linux_disks *disks);
void linux_disks_dispatch(struct linux_disks *disks);

/* Tells the sink of disks that are there already. Before dispatch, on its thread. 0 or -errno. */
int linux_disks_enumerate(struct linux_disks *disks);

/*
 * A module's disk, exclusively (O_EXCL and flock) when @writable. 0 or -errno: ENODEV, ENXIO (no such disk),
 * EBUSY (mounted, or held), ENOMEDIUM, EACCES, EROFS, ENOMEM.
 */
int linux_disk_open(struct linux_disks *disks, const char *port, const char *name, bool writable,
	struct block **ret_block);

/*
 * The serial of the USB device on @port, as the kernel read it when it enumerated; "" where there is none.
 * Any thread.
 */
void linux_usb_serial(const char *port, char *ret_serial, size_t size);
