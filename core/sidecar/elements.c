#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sidecar/internal.h"
#include "util/hex.h"

/* Each of them is there once, in the dialects that have it. */
const struct bmap_element bmap_elements[N_ELEMENTS] = {
	[IMAGE_SIZE] = {"ImageSize", DIALECT_ANY},
	[BLOCK_SIZE] = {"BlockSize", DIALECT_ANY},
	[BLOCKS_COUNT] = {"BlocksCount", DIALECT_ANY},
	[MAPPED_BLOCKS_COUNT] = {"MappedBlocksCount", DIALECT_ANY},
	[CHECKSUM_TYPE] = {"ChecksumType", DIALECT_NAMED},
	[FILE_CHECKSUM] = {"BmapFileChecksum", DIALECT_NAMED},
	[FILE_SHA1] = {"BmapFileSHA1", DIALECT_SHA1},
	[BLOCK_MAP] = {"BlockMap", DIALECT_ANY},
};

/* Python's name of it, which is bmaptool's, and libcrypto's. */
static const struct {
	const char *python, *evp;
} checksum_types[] = {
	{"sha256", "SHA256"},
	{"sha1", "SHA1"},
	{"sha224", "SHA224"},
	{"sha384", "SHA384"},
	{"sha512", "SHA512"},
	{"md5", "MD5"},
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A text that is not there at all is an empty one. */
static void trim(const char **text, size_t *size)
{
	if (!*text)
		*size = 0;
	for (; *size > 0 && is_blank(**text); (*size)--)
		(*text)++;
	while (*size > 0 && is_blank((*text)[*size - 1]))
		(*size)--;
}

/* Digits with blanks around them, and nothing else. */
static bool to_number(const char *text, size_t size, uint64_t *ret_number)
{
	uint64_t number = 0;

	trim(&text, &size);
	for (size_t i = 0; i < size; i++)
		if (!isdigit((unsigned char)text[i]) ||
			__builtin_mul_overflow(number, 10, &number) ||
			__builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return false;
	*ret_number = number;
	return size > 0;
}

/* "first-last", or "block". */
static bool to_range(const char *text, size_t size, uint64_t *ret_first, uint64_t *ret_last)
{
	const char *dash = text ? memchr(text, '-', size) : NULL;
	size_t n = dash ? (size_t)(dash - text) : size;

	if (!to_number(text, n, ret_first))
		return false;
	*ret_last = *ret_first;
	return !dash || to_number(dash + 1, size - n - 1, ret_last);
}

static int set_digest(struct reader *reader, const char *name)
{
	int r = digest_new(name, &reader->digest);

	if (r == -EINVAL)
		return bmap_refuse(
			reader, r, "libcrypto has no %s, of which its checksums are", name);
	if (r < 0)
		return r;
	reader->bmap->digest = name;
	reader->bmap->sum_size = digest_size(reader->digest);
	return 0;
}

static int read_version(struct reader *reader, const char *const *attributes)
{
	const char *text = NULL, *dot;
	uint64_t major, minor;

	for (; *attributes; attributes += 2)
		if (strcmp(attributes[0], "version") == 0)
			text = attributes[1];
	dot = text ? strchr(text, '.') : NULL;
	if (!dot || !to_number(text, (size_t)(dot - text), &major) ||
		!to_number(dot + 1, strlen(dot + 1), &minor))
		return bmap_refuse(
			reader, -EINVAL, "it does not say which version of a bmap it is");
	if (major < 1 || major > 2 || (major == 1 && minor > 4))
		return bmap_refuse(reader, -EINVAL, "it is of a version that is not known");
	if (major == 2 || minor == 4) {
		reader->dialect = DIALECT_NAMED;
	} else if (minor == 3) {
		reader->dialect = DIALECT_SHA1;
		return set_digest(reader, "SHA1");
	} else {
		reader->dialect = DIALECT_NO_SUMS;
	}
	return 0;
}

static enum element find_element(const char *name)
{
	unsigned i = 0;

	while (i < N_ELEMENTS && strcmp(bmap_elements[i].name, name) != 0)
		i++;
	return (enum element)i;
}

/* What a later version may have added is passed over; what belongs to another one is not. */
static int open_element(struct reader *reader, const char *name)
{
	enum element element = find_element(name);

	if (element == N_ELEMENTS)
		return 0;
	if (!(bmap_elements[element].dialects & reader->dialect))
		return bmap_refuse(
			reader, -EINVAL, "its version has no %s", bmap_elements[element].name);
	if (reader->seen[element])
		return bmap_refuse(
			reader, -EINVAL, "it has more than one %s", bmap_elements[element].name);
	reader->seen[element] = true;
	if (element != BLOCK_MAP)
		return 0;
	if (reader->dialect == DIALECT_NAMED && !reader->digest)
		return bmap_refuse(
			reader, -EINVAL, "there is no ChecksumType in front of its BlockMap");
	reader->in_map = true;
	return 0;
}

static struct bmap_range *add_range(struct reader *reader)
{
	struct bmap *bmap = reader->bmap;

	if (bmap->n_ranges == reader->room) {
		size_t room = reader->room ? 2 * reader->room : 64;
		struct bmap_range *ranges = reallocarray(bmap->ranges, room, sizeof(*ranges));

		if (!ranges)
			return NULL;
		bmap->ranges = ranges;
		reader->room = room;
	}
	bmap->ranges[bmap->n_ranges] = (struct bmap_range){0};
	return &bmap->ranges[bmap->n_ranges++];
}

static int read_sum(struct reader *reader, const char *text, struct bmap_range *range)
{
	if (strlen(text) != 2 * reader->bmap->sum_size ||
		!hex_decode(text, reader->bmap->sum_size, range->sum))
		return bmap_refuse(reader, -EINVAL, "the checksum of range %zu is none of %s",
			reader->bmap->n_ranges, reader->bmap->digest);
	range->has_sum = true;
	return 0;
}

static int open_range(struct reader *reader, const char *name, const char *const *attributes)
{
	struct bmap_range *range;
	int r = 0;

	if (strcmp(name, "Range") != 0)
		return bmap_refuse(reader, -EINVAL, "its BlockMap holds more than ranges");
	if (reader->bmap->n_ranges == BMAP_RANGES_MAX)
		return bmap_refuse(reader, -EFBIG, "it has more than %u ranges", BMAP_RANGES_MAX);
	range = add_range(reader);
	if (!range)
		return -ENOMEM;
	for (; r == 0 && *attributes; attributes += 2) {
		bool is_sha1 = strcmp(*attributes, "sha1") == 0;

		if (!is_sha1 && strcmp(*attributes, "chksum") != 0)
			continue;
		if (reader->dialect != (is_sha1 ? DIALECT_SHA1 : DIALECT_NAMED))
			return bmap_refuse(reader, -EINVAL, "its version has no %s of a range",
				is_sha1 ? "sha1" : "chksum");
		r = read_sum(reader, attributes[1], range);
	}
	return r;
}

static int on_open(void *data, unsigned depth, const char *name, const char *const *attributes)
{
	struct reader *reader = data;

	if (depth == 0 && strcmp(name, "bmap") != 0)
		return bmap_refuse(reader, -EINVAL, "it is XML, but not of a bmap");
	if (depth == 0)
		return read_version(reader, attributes);
	if (depth == 1)
		return open_element(reader, name);
	return depth == 2 && reader->in_map ? open_range(reader, name, attributes) : 0;
}

/* The last one that was added. */
static int close_range(struct reader *reader, const char *text, size_t size)
{
	struct bmap *bmap = reader->bmap;
	struct bmap_range *range = &bmap->ranges[bmap->n_ranges - 1];
	uint64_t last;

	if (!to_range(text, size, &range->first, &last))
		return bmap_refuse(reader, -EINVAL, "range %zu is none", bmap->n_ranges);
	if (last < range->first || last == UINT64_MAX)
		return bmap_refuse(reader, -EINVAL,
			"range %zu ends before it begins, or too far out", bmap->n_ranges);
	range->end = last + 1;
	if (bmap->n_ranges > 1 && range->first < range[-1].end)
		return bmap_refuse(reader, -EINVAL,
			"range %zu does not lie behind the one before it", bmap->n_ranges);
	return 0;
}

static int read_number(struct reader *reader, enum element element, const char *text, size_t size)
{
	struct bmap *bmap = reader->bmap;
	uint64_t number;

	if (!to_number(text, size, &number) || number > INT64_MAX)
		return bmap_refuse(
			reader, -EINVAL, "its %s is not a number", bmap_elements[element].name);
	if (element == IMAGE_SIZE) {
		bmap->image_size = number;
	} else if (element == BLOCKS_COUNT) {
		bmap->n_blocks = number;
	} else if (element == MAPPED_BLOCKS_COUNT) {
		bmap->n_mapped = number;
	} else {
		if (number < BMAP_BLOCK_MIN || number > BMAP_BLOCK_MAX || number & (number - 1))
			return bmap_refuse(reader, -EINVAL, "its blocks are of an impossible size");
		bmap->block_size = (uint32_t)number;
	}
	return 0;
}

static int read_type(struct reader *reader, const char *text, size_t size)
{
	trim(&text, &size);
	for (size_t i = 0; i < sizeof(checksum_types) / sizeof(checksum_types[0]); i++)
		if (size == strlen(checksum_types[i].python) &&
			strncasecmp(text, checksum_types[i].python, size) == 0)
			return set_digest(reader, checksum_types[i].evp);
	return bmap_refuse(reader, -EINVAL, "its ChecksumType is not known");
}

static int on_close(void *data, unsigned depth, const char *name, const char *text, size_t size)
{
	struct reader *reader = data;
	enum element element = depth == 1 ? find_element(name) : N_ELEMENTS;

	if (depth == 2 && reader->in_map)
		return close_range(reader, text, size);
	switch (element) {
	case IMAGE_SIZE:
	case BLOCK_SIZE:
	case BLOCKS_COUNT:
	case MAPPED_BLOCKS_COUNT:
		return read_number(reader, element, text, size);
	case CHECKSUM_TYPE:
		return read_type(reader, text, size);
	case FILE_CHECKSUM:
	case FILE_SHA1:
		/* Of a length that may be known later only. */
		trim(&text, &size);
		if (size == 0 || hex_span(text, size) != size)
			return bmap_refuse(reader, -EINVAL, "its own checksum is none");
		reader->sum = text;
		return 0;
	case BLOCK_MAP:
		reader->in_map = false;
		return 0;
	case N_ELEMENTS:
		return 0;
	}
	return 0;
}

const struct xml_visitor bmap_visitor = {.open = on_open, .close = on_close};
