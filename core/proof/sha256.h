#pragma once

#include <stddef.h>

#define SHA256_SIZE 32

/* A hash in the making. Belongs to one thread at a time; serves for any number of hashes, one after the other. */
struct sha256;

int sha256_new(struct sha256 **ret_sha); /* 0 or -ENOMEM */
void sha256_free(struct sha256 *sha);	 /* NULL is accepted */

void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t size);

/* Of what was added since begin. 0; -ENOMEM: libcrypto would not, and there is no hash. */
int sha256_end(struct sha256 *sha, unsigned char ret_hash[SHA256_SIZE]);
