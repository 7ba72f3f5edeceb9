#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Which file speaks of which image, by their names alone. Names are without directories, and an image's without what
 * a copying program makes of it for the time being. Pure; any thread.
 *
 * Suffixes are of either case: .XZ, .Bmap. All else is as it is written.
 */
enum sidecar_kind {
	SIDECAR_NONE,
	SIDECAR_BMAP, /* NAME.bmap */
	SIDECAR_SUMS, /* NAME.sha256, NAME.sha256sum; SHA256SUMS, SHA256SUMS.txt, NAME-SHA256SUMS */
};

enum sidecar_kind sidecar_kind(const char *name);

/*
 * Does the bmap @name describe @image? To image.img.xz belong image.img.xz.bmap, image.img.bmap and image.bmap; to
 * image.img the last two. Any suffix that begins with a letter is as good as .img.
 */
bool sidecar_bmap_serves(const char *name, const char *image);

/* The length of @name without the suffix of a compression; if it has none, its length. Content decides, in the end. */
size_t sidecar_stem(const char *name);

/* The length of the name that @name.sha256 is about, if it is such a one by its suffix; else 0. */
size_t sidecar_sum_stem(const char *name);
