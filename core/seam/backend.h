#pragma once

#include <stdbool.h>

#include "seam/block.h"
#include "seam/console.h"
#include "seam/kernel_log.h"
#include "seam/usb.h"

/*
 * Where devices come from: the simulated bus, or the host's own USB and disks. The composition makes one and
 * hands it to the fleet; nobody else names an implementation.
 */

/* Called on the backend's own thread, in the order of events on a port; must not block or call back. */
struct backend_listener {
	void (*usb_attached)(void *data, const struct usb_identity *identity);
	void (*usb_detached)(void *data, const char *port);
	void (*disk_attached)(void *data, const struct block_identity *identity);
	void (*disk_detached)(void *data, const char *port, const char *name);
	void *data;
};

struct backend;

struct backend_ops {
	/* Devices already there are announced before this returns. 0 or -errno. */
	int (*start)(struct backend *backend, const struct backend_listener *listener);

	/* No callback runs when this returns, and none will. */
	void (*stop)(struct backend *backend);

	/* Opens and claims what is on @port now. -errno: ENODEV, EACCES, EBUSY, ENOMEM, EPROTO (odd descriptors). */
	int (*open_usb)(struct backend *backend, const char *port, struct usb_device **ret_device);

	/*
	 * @writable: exclusively, and locked against the desktop. -errno: ENODEV, ENXIO (no such disk),
	 * EBUSY (mounted, or held by another program), ENOMEDIUM, EACCES, EROFS, ENOMEM.
	 */
	int (*open_block)(struct backend *backend, const char *port, const char *name,
		bool writable, struct block **ret_block);

	/* -errno: ENODEV, ENXIO (this system offers none), EACCES, EBUSY, ENOMEM. */
	int (*open_console)(
		struct backend *backend, const char *port, struct console **ret_console);

	/* What the kernel says of this bus. To be closed before the backend is freed. 0 or -ENOMEM. */
	int (*open_kernel_log)(struct backend *backend, struct kernel_log **ret_log);

	void (*free)(struct backend *backend); /* after stop, everything opened closed */
};

struct backend {
	const struct backend_ops *ops;
};
