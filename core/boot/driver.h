#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "boot/chip.h"

struct payload;
struct usb_device;

/*
 * The thin worker under the boot machine (machine.h): takes its actions, does them on the USB seam and the
 * payload, and gives back what came of them. Blocks for one stage of one module; bounded, for every transfer
 * has a timeout and the machine bounds their number.
 */

struct boot_observer {
	/* A line for people, as rpiboot prints it: "Sending bootcode4.bin", "File read: mcb.bin". */
	void (*line)(void *data, const char *line);
	void (*served)(void *data, const char *name, uint64_t bytes, bool found);
	void (*metadata)(void *data, const char *key, const char *value);
	void *data;
};

/*
 * Send the second stage to a ROM, or serve files until the module says Done. Borrow all arguments.
 * 0: the stage ended as it should, and the module will leave the bus. -errno:
 *   ENODEV     it left the bus in the middle, or a transfer failed: what enumerates next tells
 *   ETIMEDOUT  it fell silent
 *   EPROTO     it kept talking nonsense, or asked without end
 *   ENOPKG     the payload has no second stage for this chip (nothing was sent)
 *   ECANCELED  aborted
 *   EIO        a boot file could not be read here;  ENOMEM
 */
int boot_run_rom(struct usb_device *device, const struct boot_chip *chip, struct payload *payload,
	const char *port, const struct boot_observer *observer);
int boot_run_server(struct usb_device *device, const struct boot_chip *chip, struct payload *payload,
	const char *port, const struct boot_observer *observer);
