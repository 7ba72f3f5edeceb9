#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct boot_chip;
struct payload;

/* What goes with an image of a module's EEPROM. */

#define EEPROM_HASH_SIZE 32

/* Its size, the only one that recovery.bin takes; 0: @chip has no such EEPROM. */
uint64_t eeprom_size(const struct boot_chip *chip);

/* 0 or -ENOMEM. */
int eeprom_hash(const void *data, size_t size, unsigned char ret_hash[EEPROM_HASH_SIZE]);

/*
 * pieeprom.sig for an image that has none: the hash in hex, and a line that says when it was made. As usbboot's
 * update-pieeprom.sh makes it. @ret_text: of EEPROM_SIG_SIZE; its length is returned.
 */
#define EEPROM_SIG_SIZE 128
size_t eeprom_sign(
	const unsigned char hash[EEPROM_HASH_SIZE], time_t made, char ret_text[EEPROM_SIG_SIZE]);

/*
 * The SHA-256 of the pieeprom.bin (or, without one, the pieeprom.upd) that @payload serves: what EEPROM_HASH is to be
 * compared with (boot/metadata.h). 0 or -errno: ENOENT, EBADMSG (too large for one), and as payload_file_read.
 */
int payload_eeprom_hash(struct payload *payload, const struct boot_chip *chip, const char *port,
	unsigned char ret_hash[EEPROM_HASH_SIZE]);
