#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proof/hasher.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct hasher {
	pthread_t thread;
	struct sha256 *sha; /* the thread's */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* All below is guarded by the lock; iov and n are the thread's while it is busy. */
	bool busy, stop;
	struct iovec iov[HASHER_IOV];
	int n;
	int result;
	unsigned char hash[SHA256_SIZE];
};

/* Lock held, given up in between. */
static void hash_once(struct hasher *hasher)
{
	unsigned char hash[SHA256_SIZE];
	int r;

	pthread_mutex_unlock(&hasher->lock);
	sha256_begin(hasher->sha);
	for (int i = 0; i < hasher->n; i++)
		sha256_add(hasher->sha, hasher->iov[i].iov_base, hasher->iov[i].iov_len);
	r = sha256_end(hasher->sha, hash);
	pthread_mutex_lock(&hasher->lock);

	hasher->result = r;
	if (r == 0)
		memcpy(hasher->hash, hash, SHA256_SIZE);
	hasher->busy = false;
	pthread_cond_broadcast(&hasher->changed);
}

static void *hasher_run(void *data)
{
	struct hasher *hasher = data;

	pthread_setname_np(pthread_self(), "cm4-hash");
	LOCKED(&hasher->lock);
	for (;;) {
		while (!hasher->busy && !hasher->stop)
			cond_wait_until(&hasher->changed, &hasher->lock, UINT64_MAX);
		if (!hasher->busy)
			return NULL;
		hash_once(hasher);
	}
}

int hasher_new(struct hasher **ret_hasher)
{
	struct hasher *hasher = calloc(1, sizeof(*hasher));
	int r;

	if (!hasher)
		return -ENOMEM;
	r = sha256_new(&hasher->sha);
	if (r < 0)
		goto err_free;
	pthread_mutex_init(&hasher->lock, NULL);
	cond_init(&hasher->changed);
	r = -pthread_create(&hasher->thread, NULL, hasher_run, hasher);
	if (r < 0)
		goto err_destroy;
	*ret_hasher = hasher;
	return 0;

err_destroy:
	pthread_cond_destroy(&hasher->changed);
	pthread_mutex_destroy(&hasher->lock);
	sha256_free(hasher->sha);
err_free:
	free(hasher);
	return r;
}

void hasher_free(struct hasher *hasher)
{
	if (!hasher)
		return;
	pthread_mutex_lock(&hasher->lock);
	hasher->stop = true;
	pthread_cond_broadcast(&hasher->changed);
	pthread_mutex_unlock(&hasher->lock);
	pthread_join(hasher->thread, NULL);
	pthread_cond_destroy(&hasher->changed);
	pthread_mutex_destroy(&hasher->lock);
	sha256_free(hasher->sha);
	free(hasher);
}

void hasher_start(struct hasher *hasher, const struct iovec *iov, int n)
{
	LOCKED(&hasher->lock);

	assert(!hasher->busy && n >= 0 && n <= HASHER_IOV);
	memcpy(hasher->iov, iov, (size_t)n * sizeof(*iov));
	hasher->n = n;
	hasher->busy = true;
	pthread_cond_broadcast(&hasher->changed);
}

int hasher_finish(struct hasher *hasher, unsigned char ret_hash[SHA256_SIZE])
{
	LOCKED(&hasher->lock);

	while (hasher->busy)
		cond_wait_until(&hasher->changed, &hasher->lock, UINT64_MAX);
	if (hasher->result == 0)
		memcpy(ret_hash, hasher->hash, SHA256_SIZE);
	return hasher->result;
}
