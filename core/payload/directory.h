#pragma once

#include <stddef.h>

struct payload;

/*
 * A directory as a source of boot files, with its bootfiles.bin loaded. Whether it can boot
 * anything is not asked here. 0 or -errno, with a sentence in @message: ENOENT, ENOTDIR, EACCES,
 * EBADMSG (bootfiles.bin is no sound tar), EIO, ENOMEM.
 */
int directory_new(const char *path, struct payload **ret_payload, char *message, size_t size);
