#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/chip.h"
#include "payload/eeprom.h"
#include "payload/payload.h"
#include "proof/sha256.h"
#include "util/cleanup.h"
#include "util/hex.h"

#define SIZE_MAX_OF_ALL (2u << 20)

uint64_t eeprom_size(const struct boot_chip *chip)
{
	switch (chip->product) {
	case 0x2711:
		return 512u << 10;
	case 0x2712:
		return 2u << 20;
	default:
		return 0;
	}
}

int eeprom_hash(const void *data, size_t size, unsigned char ret_hash[EEPROM_HASH_SIZE])
{
	struct sha256 *sha;
	int r;

	r = sha256_new(&sha);
	if (r < 0)
		return r;
	sha256_begin(sha);
	sha256_add(sha, data, size);
	r = sha256_end(sha, ret_hash);
	sha256_free(sha);
	return r;
}

size_t eeprom_sign(
	const unsigned char hash[EEPROM_HASH_SIZE], time_t made, char ret_text[EEPROM_SIG_SIZE])
{
	char hex[2 * EEPROM_HASH_SIZE + 1];

	hex_encode(hash, EEPROM_HASH_SIZE, hex);
	return (size_t)snprintf(ret_text, EEPROM_SIG_SIZE, "%s\nts: %lld\n", hex, (long long)made);
}

static int hash_file(struct payload_file *file, unsigned char ret_hash[EEPROM_HASH_SIZE])
{
	uint64_t size = payload_file_size(file);
	_cleanup_free_ void *data = NULL;
	int r;

	if (size > SIZE_MAX_OF_ALL)
		return -EBADMSG;
	data = malloc(size ? (size_t)size : 1);
	if (!data)
		return -ENOMEM;
	r = payload_file_read(file, data, (size_t)size, 0);
	return r < 0 ? r : eeprom_hash(data, (size_t)size, ret_hash);
}

int payload_eeprom_hash(struct payload *payload, const struct boot_chip *chip, const char *port,
	unsigned char ret_hash[EEPROM_HASH_SIZE])
{
	struct payload_file *file;
	int r;

	r = payload_find(payload, chip, port, "pieeprom.bin", &file);
	if (r == -ENOENT)
		r = payload_find(payload, chip, port, "pieeprom.upd", &file);
	if (r < 0)
		return r;
	r = hash_file(file, ret_hash);
	payload_file_close(file);
	return r;
}
