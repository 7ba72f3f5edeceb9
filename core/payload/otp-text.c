#include <string.h>

#include "payload/otp-key.h"

/* Blank, or nothing that a key could be made of. */
static bool is_space(uint8_t byte)
{
	return (byte <= ' ' && !otp_is_end(byte)) || byte >= 0x7f;
}

/* What lies between two keys is gone over once. */
static bool begins_line(const uint8_t *bytes, size_t at)
{
	while (at > 0 && is_space(bytes[at - 1]))
		at--;
	return at == 0 || otp_is_end(bytes[at - 1]);
}

static size_t skip_blanks(const uint8_t *bytes, size_t size, size_t at)
{
	while (at < size && (otp_is_blank(bytes[at]) || bytes[at] == '\0'))
		at++;
	return at;
}

/* CR LF is one end, as either alone is. */
static uint64_t line_of(const uint8_t *bytes, size_t at)
{
	uint64_t line = 1;

	for (size_t i = 0; i < at; i++)
		line += bytes[i] == '\n' || (bytes[i] == '\r' && bytes[i + 1] != '\n');
	return line;
}

bool otp_scan(const void *data, size_t size, struct otp_finding *ret_finding)
{
	const uint8_t *bytes = data;
	size_t at = 0, start, value;
	const char *key;

	while (otp_next_key(bytes, size, &at, &start, &key)) {
		if (!begins_line(bytes, start))
			continue;
		value = skip_blanks(bytes, size, start + strlen(key));
		if (value == size || bytes[value] != '=')
			continue;
		value = skip_blanks(bytes, size, value + 1);
		if (otp_judge(bytes + value, size - value) != OTP_VALUE_BURNS)
			continue;
		otp_report(key, bytes + value, size - value, ret_finding);
		ret_finding->line = line_of(bytes, start);
		ret_finding->offset = start;
		return true;
	}
	return false;
}
