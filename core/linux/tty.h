#pragma once

#include "seam/console.h"

/*
 * The console that a module's mass-storage system offers: the ttyACM on the same USB device as its disks, raw, and
 * ours alone. 0 or -errno: ENXIO (there is none), EACCES, EBUSY, ENODEV, ENOMEM. Any thread.
 */
int linux_tty_open(const char *port, struct console **ret_console);
