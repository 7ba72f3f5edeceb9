#pragma once

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Values that leave with their scope; see gcc's cleanup attribute. */

#define _cleanup_(f) __attribute__((cleanup(f)))

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_unlock(pthread_mutex_t **lock)
{
	if (*lock)
		pthread_mutex_unlock(*lock);
}

static inline pthread_mutex_t *lock_and_return(pthread_mutex_t *lock)
{
	pthread_mutex_lock(lock);
	return lock;
}

#define _cleanup_free_	_cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

/* LOCKED(&x->lock): held to the end of the scope. */
#define LOCKED_NAME2(line) locked_##line
#define LOCKED_NAME(line)  LOCKED_NAME2(line)
#define LOCKED(lock)                                                                               \
	_cleanup_(cleanup_unlock) __attribute__((unused)) pthread_mutex_t *LOCKED_NAME(__LINE__) = \
		lock_and_return(lock)
