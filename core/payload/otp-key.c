#include <string.h>

#include "payload/otp-key.h"

static const char *const keys[OTP_KEYS_N] = {
	"program_pubkey",
	"program_jtag_lock",
	"program_rpiboot_gpio",
	"revoke_devkey",
};

/* What stands before a key's first `_`. */
static const char *const heads[] = {"program", "revoke"};

const char *otp_key(size_t i)
{
	return i < OTP_KEYS_N ? keys[i] : NULL;
}

static uint8_t lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + 32) : byte;
}

bool otp_is_same(const uint8_t *bytes, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (lower(bytes[i]) != (uint8_t)text[i])
			return false;
	return true;
}

static const char *key_at(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < OTP_KEYS_N; i++) {
		size_t n = strlen(keys[i]);

		if (size >= n && otp_is_same(bytes, keys[i], n))
			return keys[i];
	}
	return NULL;
}

/* The key whose first `_` is at @at. */
static const char *key_around(const uint8_t *bytes, size_t size, size_t at, size_t *ret_start)
{
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		size_t n = strlen(heads[i]);

		if (at >= n && otp_is_same(bytes + at - n, heads[i], n)) {
			*ret_start = at - n;
			return key_at(bytes + at - n, size - (at - n));
		}
	}
	return NULL;
}

bool otp_next_key(
	const uint8_t *bytes, size_t size, size_t *at, size_t *ret_start, const char **ret_key)
{
	while (*at < size) {
		const uint8_t *found = memchr(bytes + *at, '_', size - *at);

		if (!found)
			break;
		*at = (size_t)(found - bytes) + 1;
		*ret_key = key_around(bytes, size, *at - 1, ret_start);
		if (*ret_key)
			return true;
	}
	*at = size;
	return false;
}

bool otp_is_word(uint8_t byte)
{
	return byte == '_' || (byte >= '0' && byte <= '9') ||
	       (lower(byte) >= 'a' && lower(byte) <= 'z');
}

bool otp_is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\v' || byte == '\f';
}

bool otp_is_end(uint8_t byte)
{
	return byte == '\n' || byte == '\r' || byte == '\0';
}

static size_t value_size(const uint8_t *value, size_t size)
{
	size_t n = 0;

	while (n < size && !otp_is_end(value[n]))
		n++;
	return n;
}

enum otp_value otp_judge(const uint8_t *value, size_t size)
{
	size_t n = value_size(value, size), i = 0, digits;

	if (n == 0 || value[0] == '#')
		return OTP_VALUE_NONE;
	if (n > 1 && value[0] == '0' && lower(value[1]) == 'x')
		i = 2;
	digits = i;
	while (i < n && value[i] == '0')
		i++;
	if (i == digits || (i < n && !otp_is_blank(value[i]) && value[i] != '#'))
		return OTP_VALUE_BURNS;
	return OTP_VALUE_ZERO;
}

void otp_report(const char *key, const uint8_t *value, size_t size, struct otp_finding *ret)
{
	size_t n = value_size(value, size);

	*ret = (struct otp_finding){.key = key};
	for (size_t i = 0; i < n && i < sizeof(ret->value) - 1; i++)
		ret->value[i] = value[i] >= 0x20 && value[i] < 0x7f ? (char)value[i] : '?';
}
