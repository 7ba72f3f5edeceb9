#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "boot/chip.h"

struct payload;
struct usb_device;

/*
 * The thin worker under the boot machine (machine.h): takes its actions, does them on the USB seam
 * and the payload, and gives back what came of them. Blocks for one stage of one module; bounded,
 * for every transfer has a timeout and the machine bounds their number.
 */

struct boot_observer {
	/* Any of these may be NULL. They are called by the thread that runs the dialogue. */

	/* A line for people, as rpiboot prints it: "Sending bootcode4.bin", "File read: mcb.bin" */
	void (*line)(void *data, const char *line);

	/* A file was sent to the last byte, or (@found false) asked for and not there. */
	void (*served)(void *data, const char *name, uint64_t bytes, bool found);

	/* See metadata.h for what @key and @value may hold. */
	void (*metadata)(void *data, const char *key, const char *value);
	void *data;
};

/*
 * Send the second stage to a ROM, or serve files until the module says Done. Borrow all arguments;
 * @observer may be NULL.
 *
 * 0: the stage ended as it should, and the module will leave the bus. -errno:
 *   ENODEV     it left the bus in the middle, or a transfer failed: what enumerates next tells
 *   ETIMEDOUT  it fell silent
 *   EPROTO     it kept talking nonsense, refused what it had asked for, or asked without end
 *   ENOEXEC    the ROM took the second stage, and its status says that it will not run it
 *   ENOPKG     the payload has no second stage for this chip (nothing was sent)
 *   ECANCELED  aborted
 *   EIO        a boot file could not be read here
 *   ENOMEM
 */
int boot_run_rom(struct usb_device *device, const struct boot_chip *chip, struct payload *payload,
	const char *port, const struct boot_observer *observer);
int boot_run_server(struct usb_device *device, const struct boot_chip *chip,
	struct payload *payload, const char *port, const struct boot_observer *observer);
