#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "boot/metadata.h"

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
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

	*ret_metadata = metadata;
	return 0;
}
