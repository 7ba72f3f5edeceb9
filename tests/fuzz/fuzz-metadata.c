#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "boot/metadata.h"
#include "boot/uuid.h"
#include "fuzz.h"

/* Names that hold metadata, one a line, and the verdict on all of them. */

#define METADATA_MAX 8

static void check_uuid(const char *words)
{
	char uuid[BOOT_UUID_SIZE];
	int r = boot_uuid_decode(words, uuid);

	CHECK(r == 0 || r == -EINVAL);
	if (r < 0)
		return;
	CHECK(memchr(uuid, '\0', sizeof(uuid)) && strlen(uuid) > 0 && strlen(uuid) % 3 == 0);
	CHECK(strspn(uuid, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(uuid));
}

static bool was_said(const struct cm4_metadata *metadata, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(metadata[i].key, key) == 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const unsigned char hash[BOOT_EEPROM_HASH_SIZE];
	struct cm4_metadata metadata[METADATA_MAX];
	char text[2048], message[256], *rest = text, *name;
	size_t n = 0;
	int r;

	size = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
	memcpy(text, bytes, size);
	text[size] = '\0';
	while (n < METADATA_MAX && (name = strsep(&rest, "\n"))) {
		r = boot_metadata_parse(name, &metadata[n]);
		CHECK(r == 0 || r == -EINVAL || r == -ENAMETOOLONG);
		if (r == 0)
			check_uuid(metadata[n++].value);
		else
			check_uuid(name);
	}

	r = boot_eeprom_verdict(metadata, n, hash, message, sizeof(message));
	CHECK(r == 0 || r == -EIO);
	CHECK((r == 0) == (*message == '\0'));
	if (r == 0)
		CHECK(was_said(metadata, n, "EEPROM_UPDATE") &&
			was_said(metadata, n, "EEPROM_HASH"));
	return 0;
}
