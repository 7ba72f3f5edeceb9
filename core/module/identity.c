#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "module/identity.h"

#define SHORT_SERIAL 8
#define LONG_SERIAL  16

static bool all_hex(const char *text)
{
	for (; *text; text++)
		if (!isxdigit((unsigned char)*text))
			return false;
	return true;
}

void identity_serial(enum boot_kind kind, const char *text, char ret_serial[CM4_NAME_MAX])
{
	size_t length = strlen(text);

	ret_serial[0] = '\0';
	if (kind != BOOT_KIND_ROM && kind != BOOT_KIND_DISK && kind != BOOT_KIND_OTHER)
		return;
	if ((length != SHORT_SERIAL && length != LONG_SERIAL) || !all_hex(text))
		return;

	for (size_t i = 0; i < SHORT_SERIAL; i++)
		ret_serial[i] = (char)tolower((unsigned char)text[length - SHORT_SERIAL + i]);
	ret_serial[SHORT_SERIAL] = '\0';
}

bool identity_may_be_same(const char *serial, const char *other)
{
	return !*serial || !*other || strcmp(serial, other) == 0;
}

bool identity_port_matches(const char *port, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(port, prefix, length) != 0)
		return false;
	return port[length] == '\0' || port[length] == '.' || (length && prefix[length - 1] == '-');
}
