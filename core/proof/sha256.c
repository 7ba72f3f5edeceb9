#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

#include "proof/sha256.h"

struct sha256 {
	EVP_MD_CTX *context;
	bool good; /* so far; it is asked for at the end, where there is somebody to tell */
};

int sha256_new(struct sha256 **ret_sha)
{
	struct sha256 *sha = calloc(1, sizeof(*sha));

	if (!sha)
		return -ENOMEM;
	sha->context = EVP_MD_CTX_new();
	if (!sha->context) {
		free(sha);
		return -ENOMEM;
	}
	*ret_sha = sha;
	return 0;
}

void sha256_free(struct sha256 *sha)
{
	if (!sha)
		return;
	EVP_MD_CTX_free(sha->context);
	free(sha);
}

void sha256_begin(struct sha256 *sha)
{
	sha->good = EVP_DigestInit_ex(sha->context, EVP_sha256(), NULL);
}

void sha256_add(struct sha256 *sha, const void *data, size_t size)
{
	sha->good = sha->good && EVP_DigestUpdate(sha->context, data, size);
}

int sha256_end(struct sha256 *sha, unsigned char ret_hash[SHA256_SIZE])
{
	if (!sha->good || !EVP_DigestFinal_ex(sha->context, ret_hash, NULL))
		return -ENOMEM;
	sha->good = false;
	return 0;
}
