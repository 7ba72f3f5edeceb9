#pragma once

/*
 * Opens a regular file for reading, beneath @directory: neither a name nor a link gets out of
 * there, and what is no regular file is not there (a fifo that nobody writes to cannot hang
 * anyone).
 *
 * 0 or -errno: ENOENT, EXDEV (it, or a link on the way, leads out), EACCES, EIO, ENOMEM, ENOSYS (a
 * kernel before 5.6).
 */
int confine_open(int directory, const char *path, int *ret_fd);
