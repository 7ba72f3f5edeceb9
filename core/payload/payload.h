#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct boot_chip;

/*
 * Boot files. A payload is immutable once opened and may be used by any number of threads at once;
 * the files found in it belong to their finder, and outlive neither it nor the process's patience:
 * close them.
 */
struct payload;
struct payload_file;

/*
 * A directory in rpiboot's layout. 0 or -errno, with a sentence for people in @message (never NULL,
 * at least 256 bytes):
 *   ENOENT, ENOTDIR, EACCES, EIO, ENOMEM
 *   EINVAL   it holds no second stage for any chip
 *   EBADMSG  a second stage is empty or the text of a symlink (usbboot#222), or bootfiles.bin is no
 *            sound tar
 */
int payload_open(const char *path, struct payload **ret_payload, char *message, size_t size);

/*
 * The first of the standard places that opens; chips that it has no second stage for are served by
 * the next one that does. -ENOENT where none exists; @message names what was passed over.
 */
int payload_open_standard(struct payload **ret_payload, char *message, size_t size);

/* Files in memory, borrowed and constant: the simulated module's. Names as in a directory. */
struct payload_blob {
	const char *name; /* "bootcode4.bin", or "2711/mcb.bin" */
	const void *data;
	size_t size;
};
int payload_new_blobs(const char *label, const struct payload_blob *blobs, size_t n,
	struct payload **ret_payload);

void payload_free(struct payload *payload); /* NULL is accepted */

/* For people: the path, or the label. */
const char *payload_label(const struct payload *payload);

/* Whether a second stage for @chip is there. */
bool payload_serves(struct payload *payload, const struct boot_chip *chip);

/*
 * A file by the name a module asks for, in the order of PROTOCOL ("Boot files"); names are confined
 * to the payload's directory. 0 or -errno: ENOENT (also for a name that is absolute, leaves the
 * directory or holds control characters), EIO, EACCES, ENOMEM.
 */
int payload_find(struct payload *payload, const struct boot_chip *chip, const char *port,
	const char *name, struct payload_file **ret_file);
int payload_find_second_stage(
	struct payload *payload, const struct boot_chip *chip, struct payload_file **ret_file);

/*
 * What kind of boot files @chip would be served, and how old they are: the date of the newest of those that count.
 * A config.txt is a person's own, and its date says nothing.
 */
struct payload_look {
	bool vpu;    /* the VPU's own mass storage, for a chip that has the Linux gadget */
	time_t date; /* 0: not known */
};
void payload_look(
	struct payload *payload, const struct boot_chip *chip, struct payload_look *ret_look);

time_t payload_file_date(const struct payload_file *file); /* 0: in memory */
uint64_t payload_file_size(const struct payload_file *file);

/* Exactly @size bytes at @offset, or -EIO (the file shrank under us, or cannot be read). */
int payload_file_read(struct payload_file *file, void *buffer, size_t size, uint64_t offset);

void payload_file_close(struct payload_file *file); /* NULL is accepted */
