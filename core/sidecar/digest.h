#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A digest of any kind that libcrypto knows, in the making: it can be asked in the middle, and go on. For one of
 * SHA-256 alone, proof/sha256.h. Belongs to one thread at a time; serves for any number of digests, one after the
 * other.
 */
#define DIGEST_SIZE_MAX 64

struct digest;

/* @name: SHA256, SHA1, ... 0; -EINVAL: there is none of that name; -ENOMEM. */
int digest_new(const char *name, struct digest **ret_digest);
void digest_free(struct digest *digest); /* NULL is accepted */

size_t digest_size(const struct digest *digest); /* bytes, at most DIGEST_SIZE_MAX */

void digest_reset(struct digest *digest); /* of nothing, as a new one is */
void digest_update(struct digest *digest, const void *data, size_t size);
void digest_zeros(struct digest *digest, uint64_t n); /* so many bytes of zero */

/*
 * Of all that there was since it was new or reset; more may follow. @ret_hash: of its size. 0; -ENOMEM: libcrypto
 * would not, now or before, and there is none until a reset.
 */
int digest_final(struct digest *digest, unsigned char *ret_hash);
