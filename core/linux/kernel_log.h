#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "seam/kernel_log.h"

/*
 * The kernel's log by its own device; by the journal, where that is denied; or, where both are, none.
 * sysfs shows the ports in any case. 0 or -ENOMEM.
 */
int linux_kernel_log_open(struct kernel_log **ret_log);

/* Within the room. */

/*
 * One record of the log's device, NUL-terminated: false for one that is not the kernel's own word.
 * @boot_us: CLOCK_REALTIME at CLOCK_MONOTONIC 0.
 */
bool linux_kmsg_parse(const char *record, int64_t boot_us, struct kernel_record *ret);

/* One line of journalctl's short-unix form. */
bool linux_journal_parse(const char *line, struct kernel_record *ret);

/* Whether this user may read the system's journal. */
bool linux_journal_readable(void);

/* journalctl follows the kernel's log into *ret_fd, till it is ended. 0 or -errno. */
int linux_journal_start(pid_t *ret_child, int *ret_fd);
void linux_journal_end(pid_t child);

size_t linux_ports(struct kernel_port *ret, size_t max);
