#pragma once

#include <stdint.h>

/*
 * The kernel's own words in a line that was pasted: without the time, level, host and the like that
 * dmesg (also -T, -d, -x), journalctl, syslog and /dev/kmsg put before them. @ret_time_us: 0 where
 * none can be made out that others can be compared with. Pure.
 */
const char *pasted_text(const char *line, int64_t *ret_time_us);
