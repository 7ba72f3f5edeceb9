#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "sidecar/names.h"

#define BMAP ".bmap"

static const char *const sum_suffixes[] = {".sha256", ".sha256sum", NULL};
static const char *const list_names[] = {"SHA256SUMS", "SHA256SUMS.txt", NULL};
static const char *const list_suffixes[] = {"-SHA256SUMS", NULL};
static const char *const compressions[] = {
	".xz", ".gz", ".zst", ".zstd", ".bz2", ".lz4", ".zip", NULL};

/* The length of @name, of @length characters, without one of @suffixes; 0 if it has none, or is nothing but one. */
static size_t stem(const char *name, size_t length, const char *const *suffixes)
{
	for (; *suffixes; suffixes++) {
		size_t n = strlen(*suffixes);

		if (length > n && strncasecmp(name + length - n, *suffixes, n) == 0)
			return length - n;
	}
	return 0;
}

static size_t bmap_stem(const char *name)
{
	return stem(name, strlen(name), (const char *const[]){BMAP, NULL});
}

size_t sidecar_stem(const char *name)
{
	size_t length = strlen(name), n = stem(name, length, compressions);

	return n ? n : length;
}

size_t sidecar_sum_stem(const char *name)
{
	return stem(name, strlen(name), sum_suffixes);
}

enum sidecar_kind sidecar_kind(const char *name)
{
	if (bmap_stem(name))
		return SIDECAR_BMAP;
	if (sidecar_sum_stem(name) || stem(name, strlen(name), list_suffixes))
		return SIDECAR_SUMS;
	for (const char *const *list = list_names; *list; list++)
		if (strcasecmp(name, *list) == 0)
			return SIDECAR_SUMS;
	return SIDECAR_NONE;
}

/* @image less .img, .wic or the like; not image-1.2 less .2. 0: there is nothing to take away. */
static size_t bare(const char *image, size_t length)
{
	const char *dot = memrchr(image, '.', length);

	if (!dot || dot == image || dot + 1 == image + length || !isalpha((unsigned char)dot[1]))
		return 0;
	return (size_t)(dot - image);
}

bool sidecar_bmap_serves(const char *name, const char *image)
{
	size_t n = bmap_stem(name), raw = sidecar_stem(image);

	if (n == 0 || strncmp(name, image, n) != 0)
		return false;
	return n == strlen(image) || n == raw || n == bare(image, raw);
}
