#pragma once

#include <stdbool.h>
#include <stddef.h>

struct payload_file;

/*
 * bootfiles.bin: a plain tar of the files that belong together with one second stage, held in
 * memory. Immutable once loaded. The file comes from the host, and is nevertheless read with
 * distrust: limits on its size, and on number and size of its members, hold before anything is
 * allocated.
 */
struct bootfiles;

#define BOOTFILES_SIZE_MAX    (64u << 20)
#define BOOTFILES_MEMBERS_MAX 1024

/*
 * @file stays the caller's. 0 or -errno: EBADMSG (no sound tar, one beyond the
 * limits, or one without a file in it), EIO, ENOMEM; @message says what is wrong, in a few words.
 */
int bootfiles_load(
	struct payload_file *file, struct bootfiles **ret_bootfiles, char *message, size_t size);
void bootfiles_free(struct bootfiles *bootfiles); /* NULL is accepted */

/* The member FOLDER/NAME, without regard to case; the first of that name. @ret_data is @bootfiles'
 * own. */
bool bootfiles_find(const struct bootfiles *bootfiles, const char *folder, const char *name,
	const void **ret_data, size_t *ret_size);
