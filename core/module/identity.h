#pragma once

#include <stdbool.h>

#include <cm4fs/module.h>

#include "boot/chip.h"

struct usb_identity;

/*
 * Who is it? Serials vanish or change form between stages; the port holds. Pure, for any thread.
 */

/*
 * The 8 lower-case hex digits by which a module is known, from the text of a ROM (8 digits) or of
 * mass storage (16, of which these are the last). Empty for anything else, and for stages whose
 * text says nothing.
 */
void identity_serial(enum boot_kind kind, const char *text, char ret_serial[CM4_NAME_MAX]);

/* Two sightings on one port cannot be the same module only where both have a serial and these
 * differ. */
bool identity_may_be_same(const char *serial, const char *other);

/* Whether @port is @prefix itself, or behind it: 1-1 covers 1-1 and 1-1.3, not 1-12. */
bool identity_port_matches(const char *port, const char *prefix);
