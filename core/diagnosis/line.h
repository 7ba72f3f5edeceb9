#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cm4fs/module.h>

/*
 * One line of the kernel's log, understood as far as USB goes. A device's own strings stand in this
 * log, too: so only what a line begins with counts, never what it holds somewhere. Pure, for any
 * thread; a line that means nothing here costs a few comparisons.
 */
enum kernel_event {
	KERNEL_NOTHING,
	KERNEL_NEW,	      /* a device is there, at a speed; nothing is known of it yet */
	KERNEL_FOUND,	      /* it has told its vendor and product */
	KERNEL_LEFT,	      /* disconnect */
	KERNEL_DESCRIPTOR,    /* its descriptors could not be read; error */
	KERNEL_POWER_CYCLE,   /* a last try */
	KERNEL_SETUP,	      /* it did not answer to SET_ADDRESS */
	KERNEL_ADDRESS,	      /* it did not accept an address; error */
	KERNEL_CONFIGURATION, /* it could not be configured; error, 0 where none is said */
	KERNEL_UNABLE,	      /* given up */
	KERNEL_CANNOT_ENABLE, /* the port cannot be enabled, reset or debounced */
	KERNEL_DISTURBED,     /* the hub has switched the port off: EMI? */
	KERNEL_MAXPACKET,     /* a high-speed endpoint on a full-speed link */
	KERNEL_RESET,	      /* reset: what the disk's driver does when a command got no answer */
	KERNEL_OVER_CURRENT,
	KERNEL_BUS_POWER,
	KERNEL_HUB,	   /* a hub does not answer */
	KERNEL_CONTROLLER, /* the host's controller has died; no port */
	KERNEL_SCSI_HOST,  /* host is the disk's controller on this port */
	KERNEL_NO_MEDIUM,  /* no port, but host */
	KERNEL_DISK_ERROR, /* likewise */
	KERNEL_OFFLINE,	   /* likewise */
	KERNEL_EVENT_N,
};

struct kernel_line {
	enum kernel_event event;
	char port[CM4_PORT_MAX]; /* "1-1.3"; a root hub: "1"; "": see there */
	int error;		 /* as the kernel says it: -71 */
	unsigned mbps;		 /* of NEW */
	uint16_t vendor, product;
	unsigned host;
};

/*
 * @text: the line without time or level. Returns ret->event; @ret is all zeros but for what the
 * event has.
 */
enum kernel_event kernel_line_parse(const char *text, struct kernel_line *ret);
