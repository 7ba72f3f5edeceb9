#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cm4fs/module.h>

/*
 * The host as the doctor examines it, with the rights of whoever runs this: plain facts, judged
 * elsewhere. A copy, nothing in it points anywhere.
 */
#define HOST_NODES_MAX 32

struct host_node {
	bool disk; /* else the USB device itself */
	bool usable;
	bool autosuspends;
	char port[CM4_PORT_MAX];
	char path[64];
};

struct host_facts {
	char user[64], sudo_user[64]; /* sudo_user: who became root by sudo; "" nobody */
	bool root;
	bool plugdev, member,
		member_later; /* the group is there; of this process; after a new login */
	bool at_seat;	      /* sits at this machine, as logind sees it */

	bool fuse;	 /* the device is there ... */
	int fuse_error;	 /* ... and this is why it cannot be opened: positive; 0: it can */
	char helper[64]; /* fusermount3; "" where there is none */
	bool helper_setuid;

	bool usb;	    /* this kernel has USB */
	bool usb_storage;   /* ... and its disks: loaded, or to be had */
	bool udevd;	    /* runs */
	char rules[128];    /* where cm4fs's are; "" nowhere */
	bool modem_manager; /* runs */

	struct host_node nodes[HOST_NODES_MAX]; /* of the modules that are connected */
	size_t n_nodes;
};
