#include <string.h>

#include "decode/decode.h"

/*
 * A file that begins with a skippable frame is zst, as pzstd makes it, though lz4 has such frames as well: what is
 * behind one cannot be seen from here. bzip2's own magic is mere text, and so counts together with that of a
 * block, or of the end of an empty stream.
 */
static const struct {
	enum decode_format format;
	unsigned char bytes[DECODE_SNIFF];
	unsigned char mask[DECODE_SNIFF]; /* which of their bits count */
	size_t n;
} magics[] = {
	{DECODE_XZ, {0xfd, '7', 'z', 'X', 'Z', 0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 6},
	{DECODE_GZ, {0x1f, 0x8b, 8}, {0xff, 0xff, 0xff}, 3},
	{DECODE_ZST, {0x28, 0xb5, 0x2f, 0xfd}, {0xff, 0xff, 0xff, 0xff}, 4},
	{DECODE_ZST, {0x50, 0x2a, 0x4d, 0x18}, {0xf0, 0xff, 0xff, 0xff}, 4},
	{DECODE_BZ2, {'B', 'Z', 'h', '0', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59},
		{0xff, 0xff, 0xff, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 10},
	{DECODE_BZ2, {'B', 'Z', 'h', '0', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90},
		{0xff, 0xff, 0xff, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 10},
	{DECODE_LZ4, {0x04, 0x22, 0x4d, 0x18}, {0xff, 0xff, 0xff, 0xff}, 4},
	{DECODE_LZ4, {0x02, 0x21, 0x4c, 0x18}, {0xff, 0xff, 0xff, 0xff}, 4}, /* the legacy one */
	{DECODE_ZIP, {'P', 'K', 3, 4}, {0xff, 0xff, 0xff, 0xff}, 4},
	{DECODE_ZIP, {'P', 'K', 5, 6}, {0xff, 0xff, 0xff, 0xff}, 4}, /* of nothing */
};

enum decode_format decode_sniff(const void *bytes, size_t n)
{
	const unsigned char *b = bytes;

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		size_t same = 0;

		while (same < n && same < magics[i].n &&
			(b[same] & magics[i].mask[same]) == magics[i].bytes[same])
			same++;
		if (same == magics[i].n)
			return magics[i].format;
	}
	return DECODE_RAW;
}

const char *decode_format_to_string(enum decode_format format)
{
	switch (format) {
	case DECODE_RAW:
		return "raw";
	case DECODE_XZ:
		return "xz";
	case DECODE_GZ:
		return "gz";
	case DECODE_ZST:
		return "zst";
	case DECODE_BZ2:
		return "bz2";
	case DECODE_LZ4:
		return "lz4";
	case DECODE_ZIP:
		return "zip";
	}
	return "";
}
