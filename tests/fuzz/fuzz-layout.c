#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "layout/internal.h"

/*
 * An image made of patches on zeros, for an image is mostly hole and may be as large as a disk:
 *
 *   1 byte      bit 0: libblkid looks at it, else it is made to say what bits 1 to 3 do: an MBR, ext, FAT;
 *               bit 4: GPT's checksums are made to hold; bit 5: behind the head, reading is an error
 *   8 bytes     its size, little-endian
 *   and for each patch
 *   8 bytes     where, little-endian
 *   2 bytes     so many bytes, little-endian
 *   the bytes
 *
 * It is looked at twice: once whole, and once with nothing there but its head. The latter may know less, but
 * must not say more.
 */

#define PATCHES_MAX 256

enum setting {
	ASK_LIBBLKID = 1,
	SAY_MBR = 2,
	SAY_EXT = 4,
	SAY_FAT = 8,
	SEAL = 16,
	FAIL = 32,
};

struct patch {
	const uint8_t *bytes;
	size_t size;
	uint64_t offset;
};

struct image {
	struct patch patches[PATCHES_MAX];
	size_t n_patches;
	uint64_t size;
	uint8_t setting;
	bool head_only;
	unsigned reads;
};

/* Zeros between one input and the next. */
static uint8_t head[LAYOUT_HEAD];

/* Calls back with what of a patch lies in a range. */
static void overlay(const struct patch *patch, uint8_t *buffer, size_t size, uint64_t offset)
{
	uint64_t start = patch->offset > offset ? patch->offset : offset;
	uint64_t end = patch->offset + patch->size;

	end = end < offset + size ? end : offset + size;
	if (start < end)
		memcpy(buffer + (start - offset), patch->bytes + (start - patch->offset),
			end - start);
}

static int read_image(void *data, void *buffer, size_t size, uint64_t offset)
{
	struct image *image = data;

	CHECK(size > 0 && size <= image->size && offset <= image->size - size);
	CHECK(++image->reads <= LAYOUT_READS_MAX + 1);
	if (offset + size <= LAYOUT_HEAD) {
		memcpy(buffer, head + offset, size);
		return 0;
	}
	if (image->head_only)
		return -ENODATA;
	if (image->setting & FAIL)
		return -EIO;
	memset(buffer, 0, size);
	for (size_t i = 0; i < image->n_patches; i++)
		overlay(&image->patches[i], buffer, size, offset);
	return 0;
}

static void put_le32(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

static void seal(uint32_t sector)
{
	uint8_t *header = head + sector;
	uint64_t table = get_le64(header + 72) * sector;
	uint64_t size = (uint64_t)get_le32(header + 80) * get_le32(header + 84);

	if (memcmp(header, "EFI PART", 8) != 0)
		return;
	if (table < LAYOUT_HEAD && size <= LAYOUT_HEAD - table)
		put_le32(header + 88, gpt_crc32(head + table, size));
	size = get_le32(header + 12);
	put_le32(header + 16, 0);
	if (size <= sector)
		put_le32(header + 16, gpt_crc32(header, size));
}

static void parse(struct image *image, const uint8_t *bytes, size_t size)
{
	image->setting = bytes[0];
	image->size = get_le64(bytes + 1);
	bytes += 9;
	size -= 9;
	while (size >= 10 && image->n_patches < PATCHES_MAX) {
		struct patch *patch = &image->patches[image->n_patches++];

		/* As far out as any image is, and no sum with it wraps. */
		patch->offset = get_le64(bytes) % (1ull << 62);
		patch->size = get_le16(bytes + 8);
		bytes += 10;
		size -= 10;
		patch->size = patch->size < size ? patch->size : size;
		patch->bytes = bytes;
		bytes += patch->size;
		size -= patch->size;
	}
}

static void check(const struct layout *layout)
{
	CHECK(strnlen(layout->text, sizeof(layout->text)) < sizeof(layout->text) - 1);
	CHECK(strnlen(layout->last, sizeof(layout->last)) < sizeof(layout->last) - 1);
	CHECK(layout->text[0] && (layout->reaches > 0) == (layout->last[0] != 0));
	switch (layout->kind) {
	case LAYOUT_NONE:
		CHECK(!layout->reaches && !layout->partial);
		break;
	case LAYOUT_MBR:
	case LAYOUT_GPT:
		CHECK(strncmp(layout->text, layout->kind == LAYOUT_MBR ? "MBR" : "GPT", 3) == 0);
		break;
	case LAYOUT_FILESYSTEM:
		CHECK(strstr(layout->text, " filesystem") || strstr(layout->text, " volume"));
		break;
	}
}

/* As layout_probe does it, or with libblkid's part played. */
static int look(struct image *image, struct layout *ret_layout)
{
	struct layout_source source = {.read = read_image, .data = image, .size = image->size};
	struct probe probe = {.source = &source, .head = head};
	struct signature signature = {
		.mbr = image->setting & SAY_MBR,
		.filesystem = true,
	};
	int r;

	image->reads = 0;
	if (image->setting & ASK_LIBBLKID)
		return layout_probe(&source, ret_layout);
	if (image->setting & (SAY_EXT | SAY_FAT))
		snprintf(signature.type, sizeof(signature.type), "%s",
			image->setting & SAY_EXT ? "ext4" : "vfat");
	r = layout_judge(&probe, &signature);
	if (r == 0)
		*ret_layout = probe.layout;
	return r;
}

static void look_twice(struct image *image)
{
	struct layout whole = {0}, part = {0};
	int r = look(image, &whole);

	CHECK(r == 0 || (r == -EIO && image->setting & FAIL));
	image->head_only = true;
	CHECK(look(image, &part) == 0);
	check(&part);
	if (r < 0)
		return;
	check(&whole);
	CHECK(part.kind == whole.kind && part.reaches <= whole.reaches);
	CHECK(part.partial || (part.reaches == whole.reaches && !whole.partial));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct image image;

	if (size < 9)
		return 0;
	image = (struct image){0};
	parse(&image, bytes, size);
	for (size_t i = 0; i < image.n_patches; i++)
		overlay(&image.patches[i], head, LAYOUT_HEAD, 0);
	if (image.setting & SEAL)
		for (uint32_t sector = 512; sector <= 4096; sector *= 2)
			seal(sector);
	/* What lies behind the end is not there. */
	if (image.size < LAYOUT_HEAD)
		memset(head + image.size, 0, LAYOUT_HEAD - image.size);
	look_twice(&image);
	memset(head, 0, sizeof(head));
	return 0;
}
