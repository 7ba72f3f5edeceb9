#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cm4fs/log.h>

#include "sim/cache.h"
#include "sim/medium.h"

int sim_cache_init(struct sim_cache *cache, uint64_t bytes)
{
	size_t pages = (size_t)((bytes + SIM_PAGE - 1) / SIM_PAGE);
	void *bounce = NULL;

	*cache = (struct sim_cache){.fd = memfd_create("cm4fs-cache", MFD_CLOEXEC)};
	if (cache->fd < 0 || ftruncate(cache->fd, (off_t)(pages * SIM_PAGE)) < 0)
		return -errno;
	if (sim_pagemap_init(&cache->cached, pages) < 0 ||
		sim_pagemap_init(&cache->dirty, pages) < 0 ||
		posix_memalign(&bounce, SIM_PAGE, SIM_RUN_MAX))
		return -ENOMEM;
	cache->bounce = bounce;
	return 0;
}

void sim_cache_finish(struct sim_cache *cache)
{
	if (cache->fd >= 0)
		close(cache->fd);
	sim_pagemap_finish(&cache->cached);
	sim_pagemap_finish(&cache->dirty);
	free(cache->bounce);
}

/* The byte at @at is in this run and the fault says that the medium keeps another. */
static void corrupt(
	const struct sim_medium *medium, unsigned char *run, size_t size, uint64_t offset)
{
	if (medium->corrupt_at >= offset && medium->corrupt_at < offset + size)
		run[medium->corrupt_at - offset] ^= 0x01;
}

/* Pages [from, to), which are in the bounce buffer from @base on; what is to be dropped is not
 * among them. */
static int write_pages(struct sim_medium *medium, size_t from, size_t to, size_t base)
{
	uint64_t offset = (uint64_t)from * SIM_PAGE, end = (uint64_t)to * SIM_PAGE;

	if (end > medium->bytes)
		end = medium->bytes;
	if (offset >= end)
		return 0;
	return sim_medium_raw_write(medium, medium->cache.bounce + (from - base) * SIM_PAGE,
		(size_t)(end - offset), offset);
}

/* The run under way reaches the medium. */
static void land(struct sim_medium *medium)
{
	struct sim_cache *cache = &medium->cache;
	size_t from = cache->from, to = cache->to, size = (to - from) * SIM_PAGE;
	uint64_t offset = (uint64_t)from * SIM_PAGE;
	size_t dropped =
		medium->drop_at == UINT64_MAX ? SIZE_MAX : (size_t)(medium->drop_at / SIM_PAGE);
	int r = 0;

	if (pread(cache->fd, cache->bounce, size, (off_t)offset) != (ssize_t)size)
		r = -EIO;
	corrupt(medium, cache->bounce, size, offset);

	if (r == 0 && dropped >= from && dropped < to) {
		r = write_pages(medium, from, dropped, from);
		if (r == 0)
			r = write_pages(medium, dropped + 1, to, from);
	} else if (r == 0) {
		r = write_pages(medium, from, to, from);
	}
	if (r < 0)
		cache->error = r;

	sim_pagemap_remove(&cache->dirty, from, to);
	cache->passed += cache->stretch;
	cache->hand = to == cache->dirty.n ? 0 : to;
	cache->flying = false;
}

static void launch(struct sim_medium *medium, uint64_t now)
{
	struct sim_cache *cache = &medium->cache;
	size_t n = cache->dirty.n;

	cache->from = sim_pagemap_next(&cache->dirty, cache->hand);
	if (cache->from == n)
		cache->from = sim_pagemap_next(&cache->dirty, 0);
	cache->to = sim_pagemap_next_hole(&cache->dirty, cache->from);
	if (cache->to > cache->from + SIM_RUN_MAX / SIM_PAGE)
		cache->to = cache->from + SIM_RUN_MAX / SIM_PAGE;

	cache->stretch =
		cache->to > cache->hand ? cache->to - cache->hand : n - cache->hand + cache->to;
	cache->due = sim_throttle_take(
		&medium->rate, now, (uint64_t)(cache->to - cache->from) * SIM_PAGE);
	cache->flying = true;
}

static bool wants_out(const struct sim_cache *cache)
{
	size_t enough = cache->syncing ? 0 : SIM_DIRTY_BACKGROUND / SIM_PAGE;

	return cache->dirty.count > enough;
}

void sim_cache_settle(struct sim_medium *medium, uint64_t now)
{
	struct sim_cache *cache = &medium->cache;
	uint64_t begin = now;

	for (;;) {
		if (cache->flying) {
			if (cache->due > now)
				return;
			land(medium);
			begin = cache->due;
		}
		if (!wants_out(cache))
			return;
		launch(medium, begin);
	}
}

bool sim_cache_has_room(const struct sim_cache *cache, size_t size)
{
	return !cache->flying || cache->dirty.count + size / SIM_PAGE <= SIM_DIRTY_MAX / SIM_PAGE;
}

/* Takes the bytes of clean pages [from, to) out of the cache. */
static void evict(struct sim_cache *cache, size_t from, size_t to)
{
	fallocate(cache->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from * SIM_PAGE,
		(off_t)(to - from) * SIM_PAGE);
	sim_pagemap_remove(&cache->cached, from, to);
}

/* The next clean run behind the hand, for at most @most pages. False: there is none up to the end.
 */
static bool evict_some(struct sim_cache *cache, size_t most)
{
	size_t from = sim_pagemap_next(&cache->cached, cache->evict_hand), to, dirty;

	while (from < cache->cached.n && sim_pagemap_has(&cache->dirty, from))
		from = sim_pagemap_next(&cache->cached, sim_pagemap_next_hole(&cache->dirty, from));
	if (from == cache->cached.n)
		return false;

	to = sim_pagemap_next_hole(&cache->cached, from);
	dirty = sim_pagemap_next(&cache->dirty, from);
	if (to > dirty)
		to = dirty;
	if (to > from + most)
		to = from + most;
	evict(cache, from, to);
	cache->evict_hand = to;
	return true;
}

static void shrink(struct sim_cache *cache, size_t pages)
{
	bool wrapped = false;

	while (cache->cached.count > pages) {
		if (evict_some(cache, cache->cached.count - pages))
			continue;
		if (wrapped)
			return;
		wrapped = true;
		cache->evict_hand = 0;
	}
}

void sim_cache_drop_clean(struct sim_cache *cache)
{
	shrink(cache, cache->dirty.count);
}

void sim_cache_lose(struct sim_cache *cache)
{
	sim_pagemap_remove(&cache->cached, 0, cache->cached.n);
	sim_pagemap_remove(&cache->dirty, 0, cache->dirty.n);
	fallocate(cache->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		(off_t)cache->cached.n * SIM_PAGE);
	cache->flying = false;
	cache->error = 0;
}

int sim_cache_write(struct sim_medium *medium, const struct iovec *iov, int n, size_t size,
	uint64_t offset, uint64_t now)
{
	struct sim_cache *cache = &medium->cache;
	size_t from = (size_t)(offset / SIM_PAGE),
	       to = (size_t)((offset + size + SIM_PAGE - 1) / SIM_PAGE);
	uint64_t at = offset;

	for (int i = 0; i < n; i++) {
		if (pwrite(cache->fd, iov[i].iov_base, iov[i].iov_len, (off_t)at) !=
			(ssize_t)iov[i].iov_len) {
			cm4_log(LOG_ERR, "simulated cache: %s", strerror(errno));
			return -EIO;
		}
		at += iov[i].iov_len;
	}
	sim_pagemap_add(&cache->cached, from, to);
	sim_pagemap_add(&cache->dirty, from, to);
	sim_cache_settle(medium, now);
	shrink(cache, SIM_CACHE_MAX / SIM_PAGE);
	return 0;
}

/* Pages [from, to) that are not cached: from the medium, and cached from now on. */
static int fill(struct sim_medium *medium, void *buffer, size_t size, uint64_t offset)
{
	struct sim_cache *cache = &medium->cache;
	int r = sim_medium_raw_read(medium, buffer, size, offset);

	if (r < 0)
		return r;
	if (pwrite(cache->fd, buffer, size, (off_t)offset) != (ssize_t)size)
		return -EIO;
	sim_pagemap_add(&cache->cached, (size_t)(offset / SIM_PAGE),
		(size_t)((offset + size + SIM_PAGE - 1) / SIM_PAGE));
	return 0;
}

int sim_cache_read(
	struct sim_medium *medium, void *buffer, size_t size, uint64_t offset, size_t *ret_missed)
{
	struct sim_cache *cache = &medium->cache;
	size_t done = 0, missed = 0;

	while (done < size) {
		size_t page = (size_t)((offset + done) / SIM_PAGE);
		bool hit = sim_pagemap_has(&cache->cached, page);
		size_t end = hit ? sim_pagemap_next_hole(&cache->cached, page)
				 : sim_pagemap_next(&cache->cached, page);
		uint64_t n = (uint64_t)end * SIM_PAGE - (offset + done);
		int r = 0;

		if (n > size - done)
			n = size - done;
		if (!hit)
			r = fill(medium, (char *)buffer + done, (size_t)n, offset + done);
		else if (pread(cache->fd, (char *)buffer + done, (size_t)n,
				 (off_t)(offset + done)) != (ssize_t)n)
			r = -EIO;
		if (r < 0)
			return r;
		missed += hit ? 0 : (size_t)n;
		done += (size_t)n;
	}
	shrink(cache, SIM_CACHE_MAX / SIM_PAGE);
	*ret_missed = missed;
	return 0;
}
