#include <stdlib.h>

#include "pool.h"
#include "util/cleanup.h"

void fs_pool_init(struct fs_pool *pool)
{
	pthread_mutex_init(&pool->lock, NULL);
	pool->n = 0;
}

void fs_pool_fini(struct fs_pool *pool)
{
	while (pool->n)
		free(pool->free[--pool->n]);
	pthread_mutex_destroy(&pool->lock);
}

void *fs_pool_get(struct fs_pool *pool)
{
	LOCKED(&pool->lock);
	return pool->n ? pool->free[--pool->n] : NULL;
}

void fs_pool_put(struct fs_pool *pool, void *buffer)
{
	if (!buffer)
		return;
	{
		LOCKED(&pool->lock);
		if (pool->n < FS_POOL_KEEP) {
			pool->free[pool->n++] = buffer;
			return;
		}
	}
	free(buffer);
}
