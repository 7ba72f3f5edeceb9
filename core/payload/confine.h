#pragma once

/*
 * Opens a regular file for reading, beneath @directory: neither a name nor a link gets out of there, and
 * what is no regular file is not there (a fifo that nobody writes to cannot hang anyone).
 *
 * 0 or -errno: ENOENT, EXDEV (it, or a link on the way, leads out), EACCES, EIO, ENOMEM.
 */
int confine_open(int directory, const char *path, int *ret_fd);

/* What confine_open comes down to where there is no openat2; for tests. Needs /proc. */
int confine_open_without_openat2(int directory, const char *path, int *ret_fd);
