#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

#include "sidecar/digest.h"
#include "util/bytes.h"

struct digest {
	const EVP_MD *kind;
	EVP_MD_CTX *context;
	EVP_MD_CTX *asked; /* a copy, to be ended in its place */
	bool good;	   /* so far; it is asked for at the end, where there is somebody to tell */
};

int digest_new(const char *name, struct digest **ret_digest)
{
	const EVP_MD *kind = EVP_get_digestbyname(name);
	struct digest *digest;

	if (!kind || EVP_MD_size(kind) <= 0 || EVP_MD_size(kind) > DIGEST_SIZE_MAX)
		return -EINVAL;
	digest = calloc(1, sizeof(*digest));
	if (!digest)
		return -ENOMEM;
	digest->kind = kind;
	digest->context = EVP_MD_CTX_new();
	digest->asked = EVP_MD_CTX_new();
	if (digest->context && digest->asked)
		digest_reset(digest);
	if (!digest->good) {
		digest_free(digest);
		return -ENOMEM;
	}
	*ret_digest = digest;
	return 0;
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->context);
	EVP_MD_CTX_free(digest->asked);
	free(digest);
}

size_t digest_size(const struct digest *digest)
{
	return (size_t)EVP_MD_size(digest->kind);
}

void digest_reset(struct digest *digest)
{
	digest->good = EVP_DigestInit_ex(digest->context, digest->kind, NULL);
}

void digest_update(struct digest *digest, const void *data, size_t size)
{
	digest->good = digest->good && EVP_DigestUpdate(digest->context, data, size);
}

void digest_zeros(struct digest *digest, uint64_t n)
{
	static const unsigned char zeros[1 << 14];

	while (n > 0) {
		size_t size = (size_t)min64(n, sizeof(zeros));

		digest_update(digest, zeros, size);
		n -= size;
	}
}

int digest_final(struct digest *digest, unsigned char *ret_hash)
{
	digest->good = digest->good && EVP_MD_CTX_copy_ex(digest->asked, digest->context) &&
		       EVP_DigestFinal_ex(digest->asked, ret_hash, NULL);
	return digest->good ? 0 : -ENOMEM;
}
