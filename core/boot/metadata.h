#pragma once

#include <stddef.h>

#include <cm4fs/module.h>

/*
 * What recovery.bin tells of its module, as names of files that nobody means to read:
 * "*PROPERTY*VALUE". Keys and values are those that `rpiboot -j` writes: FACTORY_UUID is decoded
 * (uuid.h), and stays as it came where it cannot be; all others are as they came.
 *
 * 0, or -EINVAL: not of this form, or a byte in it is no printable ASCII; -ENAMETOOLONG: a part is
 * longer than struct cm4_metadata holds (nothing is cut short: half a hash is worse than none).
 */
int boot_metadata_parse(const char *name, struct cm4_metadata *ret_metadata);

#define BOOT_EEPROM_HASH_SIZE 32

/*
 * Was the EEPROM written? The module's lights and its green screen do not tell: recovery.bin shows
 * green although it found no pieeprom.bin (rpi-eeprom#735). So nothing counts but what it says in
 * metadata: every EEPROM_UPDATE is "success", and every EEPROM_HASH is the SHA-256 of the
 * pieeprom.bin that it was served, @hash.
 *
 * 0, or -EIO and a sentence with its advice in @message (at least 256 bytes).
 */
int boot_eeprom_verdict(const struct cm4_metadata *metadata, size_t n,
	const unsigned char hash[BOOT_EEPROM_HASH_SIZE], char *message, size_t size);
