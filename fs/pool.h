#pragma once

#include <pthread.h>
#include <stddef.h>

/*
 * Receive buffers between two uses. libfuse makes them, all of one size, where it is given none; a
 * WRITE keeps the one it came in until its bytes are taken, and the loop's thread goes on with
 * another from here. So the bytes of a blocked writer are copied nowhere, and are bounded by what
 * writers wait.
 */
#define FS_POOL_KEEP 8 /* a free one more than this goes back to the heap */

struct fs_pool {
	pthread_mutex_t lock; /* innermost */
	void *free[FS_POOL_KEEP];
	size_t n;
};

void fs_pool_init(struct fs_pool *pool);
void fs_pool_fini(struct fs_pool *pool); /* every buffer has been put back */

void *fs_pool_get(struct fs_pool *pool);	      /* NULL: none is free; let libfuse make one */
void fs_pool_put(struct fs_pool *pool, void *buffer); /* NULL is accepted */
