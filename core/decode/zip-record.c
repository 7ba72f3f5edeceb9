#include "decode/zip-record.h"
#include "util/le.h"

#define DESCRIPTOR 0x08074b50u

#define FLAG_ENCRYPTED 0x0001
#define FLAG_DESCRIBED 0x0008
#define FLAG_PATCHED   0x0020
#define FLAG_STRONG    0x0040
#define FLAG_MASKED    0x2000

#define LOCAL_FLAGS	 6
#define LOCAL_METHOD	 8
#define LOCAL_CRC	 14
#define LOCAL_PACKED	 18
#define LOCAL_SIZE	 22
#define LOCAL_NAME_SIZE	 26
#define LOCAL_EXTRA_SIZE 28

#define CENTRAL_NAME_SIZE    28
#define CENTRAL_EXTRA_SIZE   30
#define CENTRAL_COMMENT_SIZE 32

#define END64_REST	 4
#define END_ENTRIES	 10
#define END_COMMENT_SIZE 20

#define EXTRA_HEADER 4
#define EXTRA_ZIP64  1

static const struct {
	uint32_t signature;
	size_t fixed_size;
} kinds[] = {
	[ZIP_LOCAL] = {0x04034b50, ZIP_LOCAL_SIZE},
	[ZIP_CENTRAL] = {0x02014b50, ZIP_FIXED_MAX},
	[ZIP_END64] = {0x06064b50, 12},
	[ZIP_LOCATOR] = {0x07064b50, 20},
	[ZIP_END] = {0x06054b50, 22},
};

enum zip_kind zip_kind(const uint8_t *signature)
{
	enum zip_kind kind = ZIP_LOCAL;

	while (kind < ZIP_UNKNOWN && kinds[kind].signature != get_le32(signature))
		kind++;
	return kind;
}

size_t zip_fixed_size(enum zip_kind kind)
{
	return kinds[kind].fixed_size;
}

uint64_t zip_rest_size(enum zip_kind kind, const uint8_t *record)
{
	switch (kind) {
	case ZIP_LOCAL:
		return get_le16(record + LOCAL_NAME_SIZE) + get_le16(record + LOCAL_EXTRA_SIZE);
	case ZIP_CENTRAL:
		return get_le16(record + CENTRAL_NAME_SIZE) +
		       get_le16(record + CENTRAL_EXTRA_SIZE) +
		       get_le16(record + CENTRAL_COMMENT_SIZE);
	case ZIP_END64:
		return get_le64(record + END64_REST);
	case ZIP_END:
		return get_le16(record + END_COMMENT_SIZE);
	case ZIP_LOCATOR:
	case ZIP_UNKNOWN:
		break;
	}
	return 0;
}

unsigned zip_end_entries(const uint8_t *record)
{
	return get_le16(record + END_ENTRIES);
}

/* A size that did not fit is the next of those in the extra field. */
static void widen(uint64_t *size, const uint8_t **field, size_t *n)
{
	if (*size != UINT32_MAX || *n < sizeof(uint64_t))
		return;
	*size = get_le64(*field);
	*field += sizeof(uint64_t);
	*n -= sizeof(uint64_t);
}

static void read_extra(struct zip_member *member, const uint8_t *extra, size_t n)
{
	while (n >= EXTRA_HEADER) {
		size_t size = get_le16(extra + 2);
		const uint8_t *field = extra + EXTRA_HEADER;

		if (size > n - EXTRA_HEADER)
			return;
		if (get_le16(extra) == EXTRA_ZIP64) {
			widen(&member->size, &field, &size);
			widen(&member->packed, &field, &size);
			return;
		}
		extra += EXTRA_HEADER + size;
		n -= EXTRA_HEADER + size;
	}
}

struct zip_member zip_member_read(const uint8_t *record)
{
	unsigned flags = get_le16(record + LOCAL_FLAGS);
	size_t name_size = get_le16(record + LOCAL_NAME_SIZE);
	const uint8_t *name = record + ZIP_LOCAL_SIZE;
	struct zip_member member = {
		.directory = name_size > 0 && name[name_size - 1] == '/',
		.encrypted = flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED),
		.patched = flags & FLAG_PATCHED,
		.described = flags & FLAG_DESCRIBED,
		.method = get_le16(record + LOCAL_METHOD),
		.crc = get_le32(record + LOCAL_CRC),
		.packed = get_le32(record + LOCAL_PACKED),
		.size = get_le32(record + LOCAL_SIZE),
	};

	read_extra(&member, name + name_size, get_le16(record + LOCAL_EXTRA_SIZE));
	return member;
}

/* Where the sizes begin; 0: the CRC is another. */
static size_t sizes_at(const uint8_t *bytes, uint32_t crc)
{
	if (get_le32(bytes) == DESCRIPTOR && get_le32(bytes + 4) == crc)
		return 8;
	return get_le32(bytes) == crc ? 4 : 0;
}

static bool is_narrow(const uint8_t *sizes, const struct zip_member *found)
{
	enum zip_kind next = zip_kind(sizes + 8);

	return get_le32(sizes) == (uint32_t)found->packed &&
	       get_le32(sizes + 4) == (uint32_t)found->size &&
	       (next == ZIP_LOCAL || next == ZIP_CENTRAL);
}

bool zip_descriptor_match(const uint8_t *bytes, size_t n, const struct zip_member *found,
	size_t *ret_size, size_t *ret_want)
{
	size_t at;

	*ret_want = 8;
	if (n < *ret_want)
		return false;
	at = sizes_at(bytes, found->crc);
	*ret_want = at > 0 ? at + 12 : 0;
	if (at == 0 || n < *ret_want)
		return false;
	if (is_narrow(bytes + at, found)) {
		*ret_size = at + 8;
		return true;
	}
	*ret_want = at + 16;
	if (n < *ret_want)
		return false;
	*ret_want = 0;
	*ret_size = at + 16;
	return get_le64(bytes + at) == found->packed && get_le64(bytes + at + 8) == found->size;
}
