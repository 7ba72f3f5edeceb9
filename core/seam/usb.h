#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cm4fs/module.h>

/*
 * The seam to USB: what the boot protocol needs of a bus, and no more. Behind it stand the simulated bus
 * (core/sim) and libusb.
 */

/* One enumeration of one device: what its descriptors say. Nothing in it is to be trusted. */
struct usb_identity {
	char port[CM4_PORT_MAX]; /* "1-1.3": the one identity that holds through all stages */
	uint16_t vendor, product;
	uint8_t serial_index; /* iSerialNumber */
	char serial[64];      /* its text; "" where there is none or it cannot be read */
	unsigned link_mbps;   /* 12, 480, 5000; 0 unknown */
};

struct usb_device;

/*
 * Transfers to the boot interface of one enumeration. They block and belong to one thread at a time; abort
 * may come from any thread. -errno of all of them: ENODEV (left the bus), EIO (transfer failed), EPIPE
 * (stalled), ETIMEDOUT, EPROTO, ECANCELED (aborted), EOVERFLOW (more came than was asked for).
 */
struct usb_device_ops {
	/* Vendor request OUT, bmRequestType 0x40, bRequest 0, no data. 0 or -errno. */
	int (*control_out)(
		struct usb_device *device, uint16_t value, uint16_t index, unsigned timeout_ms);

	/* Vendor request IN, 0xC0, bRequest 0. Bytes received (may be fewer than @size), or -errno. */
	ssize_t (*control_in)(struct usb_device *device, uint16_t value, uint16_t index,
		void *buffer, size_t size, unsigned timeout_ms);

	/* Bulk OUT. Bytes sent (may be fewer), or -errno. */
	ssize_t (*bulk_out)(
		struct usb_device *device, const void *buffer, size_t size, unsigned timeout_ms);

	/* Transfers under way and to come fail with ECANCELED. */
	void (*abort)(struct usb_device *device);

	void (*close)(struct usb_device *device); /* frees it */
};

struct usb_device {
	const struct usb_device_ops *ops;
};
