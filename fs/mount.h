#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether something can be mounted at @path, found out before anything is started. 0, with the
 * absolute path in @ret_path (free it), or -errno after a sentence in @message: ENOENT, ENOTDIR,
 * EBUSY (a cm4fs is there), ENOTCONN (a dead one is), ENODEV (no FUSE), EACCES, ENOMEM. Thread:
 * any.
 */
int fs_mount_check(const char *path, char **ret_path, char *message, size_t size);

/*
 * The line of /proc/self/mountinfo is that of a cm4fs at @path, and of the topmost mount if it is
 * the last (pure).
 */
bool fs_mount_line_is_cm4fs(const char *line, const char *path, bool *ret_same_path);
