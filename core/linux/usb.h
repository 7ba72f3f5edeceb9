#pragma once

#include "seam/usb.h"

/*
 * USB by libusb: what is on the bus, and transfers to it. Everything that libusb names is in usb.c.
 */
struct linux_usb;

/* Called on libusb's event thread, and from linux_usb_new for what is there; no USB I/O is under way then. */
struct linux_usb_sink {
	/* @identity's serial is empty: reading it is not this room's business (disk.h). */
	void (*attached)(void *data, const struct usb_identity *identity);
	void (*detached)(void *data, const char *port);
	void *data;
};

/* Starts the event thread. 0 or -errno: ENOSYS (no hotplug on this host), EACCES, ENOMEM, EIO. */
int linux_usb_new(const struct linux_usb_sink *sink, struct linux_usb **ret_usb);

/* No callback runs when this returns. Everything opened must be closed. NULL is accepted. */
void linux_usb_free(struct linux_usb *usb);

/*
 * Opens what is on @port now and claims its boot interface. 0 or -errno: ENODEV, EACCES, EBUSY, ENOMEM; EPROTO
 * for descriptors that are not a boot ROM's (PROTOCOL, "Wire").
 */
int linux_usb_open(struct linux_usb *usb, const char *port, struct usb_device **ret_device);
