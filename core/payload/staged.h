#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct boot_chip;
struct payload;

/*
 * The boot files staged for one module, in memory. Any thread may call; its lock is innermost, and held only for as
 * long as names are looked at. Who serves a module takes a snapshot, which nothing that is staged later changes.
 *
 * Paths are those of a payload directory: "bootcode4.bin", "2711/mcb.bin", "1-1.3/config.txt". Folders exist by the
 * files in them, and no file has a file beneath it.
 *
 * Where a sentence for people goes with an error it is in @message: never NULL, at least 256 bytes, "" on success.
 */
struct staged;

#define STAGED_FILES_MAX 256
#define STAGED_BYTES_MAX (192u << 20)
#define STAGED_IMAGE_MAX (128u << 20) /* boot.img, wherever it lies */
#define STAGED_PATH_SIZE 256	      /* with its NUL */

int staged_new(struct staged **ret_staged); /* 0 or -ENOMEM; one reference */
struct staged *staged_ref(struct staged *staged);
void staged_unref(struct staged *staged); /* NULL is accepted */

/* Relative, of sane parts: neither empty nor `.` nor `..`, without control characters, not too long. Pure. */
bool staged_path_is_sane(const char *path);

/*
 * Would @size bytes at @path be taken, in place of what is there? To be asked as early as a writer's size is known.
 * 0 or -errno:
 *   EINVAL           the path is not sane
 *   EISDIR, ENOTDIR  a folder has this name; a file has the name of a folder on the way
 *   EFBIG            boot.img is too large: an OS image wants another name
 *   ENOSPC           too many files, or too many bytes in all
 */
int staged_admits(
	struct staged *staged, const char *path, uint64_t size, char *message, size_t message_size);

/* Copies. As staged_admits, and ENOMEM. What was there is replaced, or stays on failure. */
int staged_put(struct staged *staged, const char *path, const void *data, size_t size,
	char *message, size_t message_size);

/* The same without a copy: @data, of malloc, becomes @staged's own, in failure too. */
int staged_adopt(struct staged *staged, const char *path, void *data, size_t size, char *message,
	size_t message_size);

int staged_remove(struct staged *staged, const char *path); /* 0 or -ENOENT */

/* One file, over what is there. As staged_admits, and ENOENT. */
int staged_rename(struct staged *staged, const char *from, const char *to, char *message,
	size_t message_size);

void staged_clear(struct staged *staged);

size_t staged_count(struct staged *staged);
uint64_t staged_bytes(struct staged *staged);

struct staged_entry {
	char path[STAGED_PATH_SIZE];
	uint64_t size;
	time_t date; /* when it was put there, CLOCK_REALTIME */
};

/* From 0 on, in the order of their paths; false behind the last. The numbers hold until something changes. */
bool staged_at(struct staged *staged, size_t i, struct staged_entry *ret_entry);

/* -ENOENT, or how many bytes there were at @offset. */
ssize_t staged_read(
	struct staged *staged, const char *path, void *buffer, size_t size, uint64_t offset);

/*
 * What is staged now, as a payload that lies over @base: a staged file wins over @base's of that name, by the order of
 * places of a directory. With a second stage among them (bootcode.bin, bootcode4.bin, bootcode5.bin, bootfiles.bin,
 * recovery.bin) the set is complete in itself, and @base is not asked for anything. Besides,
 *   - recovery.bin is the second stage of a chip with an EEPROM, where its own is not staged;
 *   - pieeprom.sig is made from a staged pieeprom.bin (or pieeprom.upd) that has none;
 *   - config.txt is made for an EEPROM update that has none: it asks for the metadata that success is known by.
 *
 * @base is borrowed, and must outlive the payload; NULL: none. The payload does not need @staged any more.
 * 0 or -errno: EBADMSG (bootfiles.bin is no sound tar), ENOMEM.
 */
int staged_payload(struct staged *staged, struct payload *base, struct payload **ret_payload,
	char *message, size_t message_size);

/* It has a second stage, for whichever chip. */
bool staged_is_complete(struct staged *staged);

/* It writes @chip's EEPROM: a pieeprom.bin, and recovery.bin under that name or as the chip's second stage. */
bool staged_is_eeprom_update(struct staged *staged, const struct boot_chip *chip);

/*
 * Can it boot @chip, where it lies over @base (NULL: none)? 0 or -errno, with what is wrong and what to do:
 *   ENOPKG   no second stage for this chip
 *   EINVAL   pieeprom.bin has not the size of this chip's EEPROM; boot.sig has no boot.img
 *   EBADMSG  a file is empty, or the text of a symlink (usbboot#222); bootfiles.bin is no sound tar; pieeprom.sig is
 *            another image's
 *   ENOMEM, EIO
 */
int staged_check(struct staged *staged, struct payload *base, const struct boot_chip *chip,
	char *message, size_t message_size);
