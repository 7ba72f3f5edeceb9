#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

const char *fs_clean_ascii(const char *in, char *out, size_t size)
{
	size_t n = 0;

	for (; *in && n + 1 < size; in++)
		out[n++] = *in >= 0x20 && *in < 0x7f ? *in : '?';
	out[n] = '\0';
	return out;
}

/*
 * Length of the UTF-8 character at @in that may be shown as it is; 0 for none: a control
 * character, an overlong form, a surrogate, a value past U+10FFFF, or no UTF-8 at all.
 */
static size_t character(const unsigned char *in)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t value;
	size_t length;

	if (in[0] < 0x80)
		return in[0] >= 0x20 && in[0] != 0x7f;
	if ((in[0] & 0xe0) == 0xc0) {
		length = 2;
		value = in[0] & 0x1f;
	} else if ((in[0] & 0xf0) == 0xe0) {
		length = 3;
		value = in[0] & 0x0f;
	} else if ((in[0] & 0xf8) == 0xf0) {
		length = 4;
		value = in[0] & 0x07;
	} else {
		return 0;
	}

	for (size_t i = 1; i < length; i++) {
		if ((in[i] & 0xc0) != 0x80) /* the terminating NUL too */
			return 0;
		value = value << 6 | (in[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff)
		return 0;
	if ((value >= 0xd800 && value <= 0xdfff) || (value >= 0x80 && value < 0xa0))
		return 0;
	return length;
}

const char *fs_clean_utf8(const char *in, char *out, size_t size)
{
	size_t n = 0;

	while (*in) {
		size_t length = character((const unsigned char *)in);

		if (n + (length ? length : 1) >= size)
			break;
		if (length) {
			memcpy(out + n, in, length);
			n += length;
			in += length;
		} else {
			out[n++] = '?';
			in++;
		}
	}
	out[n] = '\0';
	return out;
}

const char *fs_clean_time(const struct timespec *time, char out[32])
{
	struct tm tm;
	size_t n;

	gmtime_r(&time->tv_sec, &tm);
	n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, 32 - n, ".%03uZ", (unsigned)(time->tv_nsec / 1000000) % 1000);
	return out;
}
