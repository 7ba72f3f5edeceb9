#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A list of SHA-256 sums, as sha256sum and others write them:
 *
 *	HEX  NAME	HEX *NAME	HEX NAME
 *	SHA256 (NAME) = HEX		sha256sum --tag; openssl's SHA256(NAME)= HEX and SHA2-256(NAME)= HEX
 *	HEX				nothing else, in NAME.sha256 or NAME.sha256sum; HEX  - likewise
 *
 * Lines that end with CR LF, sha256sum's escapes (a backslash in front of the line), comments (#), the armour of a
 * PGP signature, which nobody verifies, and lines of other digests are understood, or passed over.
 *
 * Directories in front of a name are dropped. A line without any counts before one with some; of two without the
 * later one counts; and where different directories have different files of one name, nothing is known of it.
 */
#define SUMS_TEXT_MAX (4u << 20)
#define SUMS_SIZE     32

struct sums;

/*
 * @file_name: the list's own. 0; -EINVAL: no line of it is one of a SHA-256 sum; -EFBIG: more than SUMS_TEXT_MAX
 * bytes; with a sentence in @why that has no full stop; -ENOMEM.
 */
int sums_parse(const char *file_name, const void *text, size_t size, struct sums **ret_sums,
	char *why, size_t why_size);
void sums_free(struct sums *sums); /* NULL is accepted */

/* SUMS_SIZE bytes, which belong to @sums; NULL: nothing is known of it. */
const unsigned char *sums_find(const struct sums *sums, const char *name);

/*
 * What is asked of an image called @image: of the file that was dropped, as it is, and of the raw image in it. For
 * image.img.xz a line of image.img.xz is of the former, one of image.img of the latter. Without a compression's
 * suffix one line is of both, for they are the same bytes; if it turns out to be compressed all the same, of what was
 * dropped.
 */
struct sums_wanted {
	bool has_dropped, has_raw;
	unsigned char dropped[SUMS_SIZE], raw[SUMS_SIZE];
};

void sums_wanted(const struct sums *sums, const char *image, struct sums_wanted *ret_wanted);
