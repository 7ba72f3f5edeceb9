#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "boot/metadata.h"
#include "boot/uuid.h"
#include "util/hex.h"

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

static void decode(struct cm4_metadata *metadata)
{
	char uuid[BOOT_UUID_SIZE];

	static_assert(sizeof(uuid) <= sizeof(metadata->value), "decoded, it is shorter");
	if (strcmp(metadata->key, "FACTORY_UUID") == 0 &&
		boot_uuid_decode(metadata->value, uuid) == 0)
		memcpy(metadata->value, uuid, sizeof(uuid));
}

/* The value ends at a third star, where usbboot ends it; none is known to hold one. */
int boot_metadata_parse(const char *name, struct cm4_metadata *ret_metadata)
{
	struct cm4_metadata metadata = {0};
	const char *key, *value;
	size_t key_size, value_size;

	if (name[0] != '*' || !is_printable(name))
		return -EINVAL;

	key = name + 1;
	key_size = strcspn(key, "*");
	if (key_size == 0 || key[key_size] != '*')
		return -EINVAL;

	value = key + key_size + 1;
	value_size = strcspn(value, "*");

	if (key_size >= sizeof(metadata.key) || value_size >= sizeof(metadata.value))
		return -ENAMETOOLONG;
	memcpy(metadata.key, key, key_size);
	memcpy(metadata.value, value, value_size);
	decode(&metadata);

	*ret_metadata = metadata;
	return 0;
}

static bool is_hash(const char *value, const unsigned char hash[BOOT_EEPROM_HASH_SIZE])
{
	unsigned char bytes[BOOT_EEPROM_HASH_SIZE];

	return strlen(value) == 2 * sizeof(bytes) && hex_decode(value, sizeof(bytes), bytes) &&
	       memcmp(bytes, hash, sizeof(bytes)) == 0;
}

static int not_written(char *message, size_t size, const char *what, const char *value)
{
	snprintf(message, size, "%s%.80s", what, value);
	return -EIO;
}

/* What was said contradicts: 0 where nothing does. */
static int contradicted(const struct cm4_metadata *metadata, size_t n,
	const unsigned char hash[BOOT_EEPROM_HASH_SIZE], char *message, size_t size)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(metadata[i].key, "EEPROM_UPDATE") == 0 &&
			strcmp(metadata[i].value, "success") != 0)
			return not_written(message, size,
				"the EEPROM was not written: the module says EEPROM_UPDATE ",
				metadata[i].value);
	for (size_t i = 0; i < n; i++)
		if (strcmp(metadata[i].key, "EEPROM_HASH") == 0 &&
			!is_hash(metadata[i].value, hash))
			return not_written(message, size,
				"the EEPROM does not hold the pieeprom.bin that was served: "
				"the module's EEPROM_HASH is ",
				metadata[i].value);
	return 0;
}

static bool was_said(const struct cm4_metadata *metadata, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(metadata[i].key, key) == 0)
			return true;
	return false;
}

int boot_eeprom_verdict(const struct cm4_metadata *metadata, size_t n,
	const unsigned char hash[BOOT_EEPROM_HASH_SIZE], char *message, size_t size)
{
	int r;

	*message = '\0';
	if (n == 0)
		return not_written(message, size,
			"no metadata came, and nothing else tells whether the EEPROM was written: "
			"put recovery_metadata=1 into config.txt, and try again",
			"");
	r = contradicted(metadata, n, hash, message, size);
	if (r < 0)
		return r;
	if (!was_said(metadata, n, "EEPROM_UPDATE"))
		return not_written(message, size,
			"the module may have shown success, but wrote nothing: "
			"no EEPROM_UPDATE is in its metadata",
			"");
	if (!was_said(metadata, n, "EEPROM_HASH"))
		return not_written(message, size,
			"the module showed success, but does not say what it wrote: "
			"no EEPROM_HASH is in its metadata",
			"");
	return 0;
}
