#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/medium.h"
#include "util/cleanup.h"
#include "util/clock.h"

int sim_medium_new(const char *path, uint64_t bytes, uint64_t rate, const struct sim_faults *faults,
	struct sim_medium **ret_medium, char *message, size_t size)
{
	struct sim_medium *medium = calloc(1, sizeof(*medium));
	int r;

	if (!medium)
		return -ENOMEM;
	*medium = (struct sim_medium){
		.fd = -1,
		.bytes = bytes,
		.corrupt_at = UINT64_MAX,
		.drop_at = UINT64_MAX,
		.rate = {.rate = rate},
		.cache = {.fd = -1},
	};
	pthread_mutex_init(&medium->lock, NULL);
	cond_init(&medium->changed);
	sim_faults_number(faults, SIM_FAULT_CORRUPT, &medium->corrupt_at);
	sim_faults_number(faults, SIM_FAULT_DROP_WRITE, &medium->drop_at);
	medium->uncached = sim_faults_have(faults, SIM_FAULT_NO_CACHE);
	medium->through =
		rate == 0 && medium->corrupt_at == UINT64_MAX && medium->drop_at == UINT64_MAX;

	r = sim_medium_open(medium, path);
	if (r == 0 && !medium->through)
		r = sim_cache_init(&medium->cache, medium->bytes);
	if (r < 0) {
		snprintf(message, size, "%s: %s", path ? path : "a medium in memory", strerror(-r));
		sim_medium_free(medium);
		return r;
	}
	*ret_medium = medium;
	return 0;
}

void sim_medium_free(struct sim_medium *medium)
{
	if (!medium)
		return;
	if (medium->fd >= 0)
		close(medium->fd);
	sim_cache_finish(&medium->cache);
	pthread_cond_destroy(&medium->changed);
	pthread_mutex_destroy(&medium->lock);
	free(medium);
}

uint64_t sim_medium_bytes(const struct sim_medium *medium)
{
	return medium->bytes;
}

void sim_medium_power_off(struct sim_medium *medium)
{
	if (!medium)
		return;
	LOCKED(&medium->lock);

	if (!medium->through) {
		sim_cache_settle(medium, clock_ns());
		sim_cache_lose(&medium->cache);
	}
	medium->claimed = false;
	medium->power++;
	pthread_cond_broadcast(&medium->changed);
}

int sim_medium_claim(struct sim_medium *medium, bool writable, struct sim_access *ret_access)
{
	LOCKED(&medium->lock);

	if (writable && medium->claimed)
		return -EBUSY;
	medium->claimed = medium->claimed || writable;
	*ret_access = (struct sim_access){medium, medium->power, writable, false};
	return 0;
}

void sim_medium_release(struct sim_access *access)
{
	LOCKED(&access->medium->lock);

	if (access->writable && access->power == access->medium->power)
		access->medium->claimed = false;
}

static int check(const struct sim_access *access)
{
	if (access->aborted)
		return -ECANCELED;
	return access->power == access->medium->power ? 0 : -ENODEV;
}

static int wait_until(struct sim_access *access, uint64_t until)
{
	struct sim_medium *medium = access->medium;
	int r;

	while ((r = check(access)) == 0 && clock_ns() < until)
		cond_wait_until(&medium->changed, &medium->lock, until);
	return r;
}

int sim_medium_wait(struct sim_access *access, uint64_t until)
{
	LOCKED(&access->medium->lock);

	return wait_until(access, until);
}

void sim_medium_abort(struct sim_access *access)
{
	LOCKED(&access->medium->lock);

	access->aborted = true;
	pthread_cond_broadcast(&access->medium->changed);
}

static int sync_locked(struct sim_access *access);

/* What was written goes out, and is forgotten. */
static int write_out(struct sim_access *access)
{
	int r = sync_locked(access);

	sim_cache_drop_clean(&access->medium->cache);
	return r;
}

/* The lock is for the check alone: these transfers do not wait for each other. */
static int writev_through(
	struct sim_access *access, const struct iovec *iov, int n, size_t size, uint64_t offset)
{
	int r = sim_medium_wait(access, 0);

	if (r < 0)
		return r;
	return pwritev(access->medium->fd, iov, n, (off_t)offset) == (ssize_t)size
		       ? 0
		       : sim_medium_host_error();
}

int sim_medium_writev(
	struct sim_access *access, const struct iovec *iov, int n, size_t size, uint64_t offset)
{
	struct sim_medium *medium = access->medium;
	int r;

	if (medium->through)
		return writev_through(access, iov, n, size, offset);

	LOCKED(&medium->lock);
	while ((r = check(access)) == 0) {
		uint64_t now = clock_ns();

		sim_cache_settle(medium, now);
		if (sim_cache_has_room(&medium->cache, size)) {
			r = sim_cache_write(medium, iov, n, size, offset, now);
			return r == 0 && medium->uncached ? write_out(access) : r;
		}
		wait_until(access, medium->cache.due);
	}
	return r;
}

int sim_medium_read(struct sim_access *access, void *buffer, size_t size, uint64_t offset)
{
	struct sim_medium *medium = access->medium;
	size_t missed;
	uint64_t due;
	int r;

	if (medium->through) {
		r = sim_medium_wait(access, 0);
		return r < 0 ? r : sim_medium_raw_read(medium, buffer, size, offset);
	}

	LOCKED(&medium->lock);
	r = check(access);
	if (r < 0)
		return r;
	sim_cache_settle(medium, clock_ns());
	r = sim_cache_read(medium, buffer, size, offset, &missed);
	if (medium->uncached)
		sim_cache_drop_clean(&medium->cache);
	if (r < 0 || missed == 0 || medium->rate.rate == 0)
		return r;
	due = sim_throttle_take(&medium->rate, clock_ns(), missed);
	r = wait_until(access, due);
	sim_throttle_woke(&medium->rate, due, clock_ns());
	return r;
}

/* One way round for the hand of write-out, or until nothing is left: what is dirty now is out then.
 */
static int sync_locked(struct sim_access *access)
{
	struct sim_medium *medium = access->medium;
	struct sim_cache *cache = &medium->cache;
	uint64_t target = cache->passed + cache->dirty.n;
	int r;

	cache->syncing++;
	while ((r = check(access)) == 0) {
		sim_cache_settle(medium, clock_ns());
		if (cache->error || !cache->dirty.count || cache->passed >= target)
			break;
		wait_until(access, cache->due);
	}
	cache->syncing--;
	return r < 0 ? r : cache->error;
}

int sim_medium_sync(struct sim_access *access)
{
	LOCKED(&access->medium->lock);

	return access->medium->through ? check(access) : sync_locked(access);
}

/* Linux writes a range out before it reads it past the cache. */
static int sync_range(struct sim_access *access, size_t size, uint64_t offset)
{
	struct sim_cache *cache = &access->medium->cache;
	size_t from = (size_t)(offset / SIM_PAGE);
	size_t to = (size_t)((offset + size + SIM_PAGE - 1) / SIM_PAGE);
	int r;

	if (access->medium->through)
		return check(access);
	cache->syncing++;
	while ((r = check(access)) == 0) {
		sim_cache_settle(access->medium, clock_ns());
		if (cache->error || sim_pagemap_next(&cache->dirty, from) >= to)
			break;
		wait_until(access, cache->due);
	}
	cache->syncing--;
	return r < 0 ? r : cache->error;
}

int sim_medium_read_direct(struct sim_access *access, void *buffer, size_t size, uint64_t offset)
{
	struct sim_medium *medium = access->medium;
	uint64_t due;
	int r;
	LOCKED(&medium->lock);

	r = sync_range(access, size, offset);
	if (r == 0)
		r = sim_medium_raw_read(medium, buffer, size, offset);
	if (r < 0 || medium->rate.rate == 0)
		return r;
	due = sim_throttle_take(&medium->rate, clock_ns(), size);
	r = wait_until(access, due);
	sim_throttle_woke(&medium->rate, due, clock_ns());
	return r;
}

void sim_medium_drop_caches(struct sim_access *access)
{
	struct sim_medium *medium = access->medium;
	LOCKED(&medium->lock);

	if (medium->through || check(access) < 0)
		return;
	sim_cache_settle(medium, clock_ns());
	sim_cache_drop_clean(&medium->cache);
}

uint64_t sim_medium_dirty(struct sim_medium *medium)
{
	if (!medium || medium->through)
		return 0;
	LOCKED(&medium->lock);

	sim_cache_settle(medium, clock_ns());
	return (uint64_t)medium->cache.dirty.count * SIM_PAGE;
}
