#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "seam/usb.h"

/* How the boot ROM's one configuration looks: as it should, or as it should not. */
enum descriptors_shape {
	DESCRIPTORS_TRUE,
	DESCRIPTORS_TWO_INTERFACES, /* a 2837's: its own mass storage first */
	DESCRIPTORS_NO_BULK_OUT,
	DESCRIPTORS_WRONG_ENDPOINT,
	DESCRIPTORS_THREE_INTERFACES,
	DESCRIPTORS_GARBLED, /* none gets through: a bad link */
};

/* By its name on the command line. 0 or -EINVAL. */
int descriptors_shape_parse(const char *name, enum descriptors_shape *ret_shape);

/* What GET_DESCRIPTOR gets: at most @size bytes, or -EPIPE, or -EPROTO (garbled). */
ssize_t descriptors_get(const struct usb_identity *identity, enum descriptors_shape shape,
	uint16_t value, void *buffer, size_t size);
