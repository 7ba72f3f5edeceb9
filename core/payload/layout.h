#pragma once

#include <stddef.h>

#include "boot/chip.h"

/* Where in a payload a file may be, in the order in which rpiboot looks. Pure. */

#define LAYOUT_PATHS_MAX 4
#define LAYOUT_PATH_SIZE 320 /* a folder, a slash, a file message's name */

struct layout {
	char paths[LAYOUT_PATHS_MAX][LAYOUT_PATH_SIZE];
	size_t n;
};

/* @port: NULL for no overlay. A path too long to be one is left out. */
void layout_fill(
	struct layout *layout, const struct boot_chip *chip, const char *port, const char *name);
