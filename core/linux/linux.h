#pragma once

struct backend;

/*
 * The host's own USB and disks behind the seams. 0 or -errno: ENOSYS (libusb has no hotplug here), EACCES, EIO
 * (no udev), ENOMEM.
 */
int linux_backend_new(struct backend **ret_backend);
