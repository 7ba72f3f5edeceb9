#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The device's side of USB/IP, the protocol between vhci-hcd and whoever has a device (Linux,
 * Documentation/usb/usbip_protocol.rst): takes transfers off a socket, has them done, and answers.
 */
struct usbip;

struct usbip_transfer {
	uint8_t endpoint; /* its number alone */
	bool in;
	uint8_t setup[8]; /* of endpoint 0 */
	void *data;	  /* OUT: what came; IN: where it goes */
	size_t size;
	bool cancelled; /* the function's own, to begin with false */
};

struct usbip_function {
	/* Does one transfer; may block until cancel. Bytes moved, or -errno. The worker's thread. */
	ssize_t (*submit)(void *data, struct usbip_transfer *transfer);

	/* @transfer, which submit has or will have in a moment, is not wanted any more. Another thread. */
	void (*cancel)(void *data, struct usbip_transfer *transfer);
	void *data;
};

/* Serves @fd until usbip_free, and takes it over. 0 or -errno. */
int usbip_new(int fd, const struct usbip_function *function, struct usbip **ret_usbip);

/* Closes the socket, which pulls the plug; no call to the function runs any more when this returns. */
void usbip_free(struct usbip *usbip);
