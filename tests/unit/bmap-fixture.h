#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidecar/bmap.h"
#include "util/hex.h"

/*
 * The samples in tests/data/bmaps are all of one image: 20 blocks of 4 KiB less 1000 bytes, of which 0 and 1 are full
 * of a, 5 of b, 18 and 19 of c; the rest are holes. bmaptool 3.6 made those of version 2.0, and copies by the others.
 */
#define SAMPLE_BLOCK 4096
#define SAMPLE_SIZE  (20 * SAMPLE_BLOCK - 1000)

struct text {
	char bytes[1 << 14];
	size_t size;
};

static inline void read_sample(const char *name, struct text *ret_text)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.bmap", getenv("BMAPS"), name);
	file = fopen(path, "rbe");
	assert_non_null(file);
	ret_text->size = fread(ret_text->bytes, 1, sizeof(ret_text->bytes) - 1, file);
	ret_text->bytes[ret_text->size] = '\0';
	assert_true(ret_text->size > 0);
	fclose(file);
}

/* Gives it a right checksum of its own, where it has a wrong one, or zeros: what is wrong with it is something else. */
static inline void seal(struct text *text, const char *digest_name)
{
	unsigned char hash[DIGEST_SIZE_MAX];
	char hex[2 * DIGEST_SIZE_MAX + 1];
	char *sum = strstr(text->bytes, "<BmapFile");
	struct digest *digest;

	assert_non_null(sum);
	sum = strchr(sum, '>') + 2;
	assert_int_equal(digest_new(digest_name, &digest), 0);
	memset(sum, '0', 2 * digest_size(digest));
	digest_update(digest, text->bytes, text->size);
	assert_int_equal(digest_final(digest, hash), 0);
	hex_encode(hash, digest_size(digest), hex);
	memcpy(sum, hex, 2 * digest_size(digest));
	digest_free(digest);
}

/* The first @what becomes @with, which may be of another length. */
static inline void replace(struct text *text, const char *what, const char *with)
{
	char *at = strstr(text->bytes, what);
	size_t rest;

	assert_non_null(at);
	rest = strlen(at + strlen(what)) + 1;
	assert_true(text->size + strlen(with) < sizeof(text->bytes));
	memmove(at + strlen(with), at + strlen(what), rest);
	memcpy(at, with, strlen(with));
	text->size = text->size + strlen(with) - strlen(what);
}

/* The words of a refusal are left in @why, and are checked for their form. */
static inline int parse_bmap(const void *bytes, size_t size, struct bmap **ret_bmap, char why[256])
{
	/* Of its very size, so that a sanitizer sees a read beyond it. */
	char *copy = malloc(size ? size : 1);
	int r;

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	*why = '\0';
	*ret_bmap = NULL;
	r = bmap_parse(copy, size, ret_bmap, why, 256);
	free(copy);
	assert_int_equal(r == 0, *ret_bmap != NULL);
	assert_int_equal(r == 0, *why == '\0');
	if (r < 0)
		assert_true(why[strlen(why) - 1] != '.');
	return r;
}
