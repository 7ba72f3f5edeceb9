#include "image/chunk.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "seam/block.h"

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

int chunk_pool_init(struct chunk_pool *pool, uint64_t disk_bytes)
{
	/*
	 * Mapped, not malloc'ed: it is aligned, and goes back to the system when the disk is
	 * closed.
	 */
	void *memory = mmap(NULL, (size_t)CHUNK_COUNT * CHUNK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	*pool = (struct chunk_pool){.memory = memory, .disk_bytes = disk_bytes};
	TAILQ_INIT(&pool->free);
	TAILQ_INIT(&pool->open);
	TAILQ_INIT(&pool->queued);
	for (size_t i = 0; i < CHUNK_COUNT; i++) {
		pool->chunks[i].data = (unsigned char *)memory + i * CHUNK_SIZE;
		TAILQ_INSERT_TAIL(&pool->free, &pool->chunks[i], link);
	}
	return 0;
}

void chunk_pool_fini(struct chunk_pool *pool)
{
	if (pool->memory)
		munmap(pool->memory, (size_t)CHUNK_COUNT * CHUNK_SIZE);
	*pool = (struct chunk_pool){0};
}

struct chunk *chunk_find(struct chunk_pool *pool, uint64_t index)
{
	for (size_t i = 0; i < CHUNK_COUNT; i++) {
		struct chunk *chunk = &pool->chunks[i];

		if ((chunk->state == CHUNK_OPEN || chunk->state == CHUNK_QUEUED) &&
			chunk->index == index)
			return chunk;
	}
	return NULL;
}

struct chunk *chunk_get(struct chunk_pool *pool, uint64_t index)
{
	struct chunk *chunk = chunk_find(pool, index);
	uint64_t left;

	if (chunk)
		return chunk;
	chunk = TAILQ_FIRST(&pool->free);
	if (!chunk)
		return NULL;

	left = pool->disk_bytes - index * CHUNK_SIZE;
	chunk->index = index;
	chunk->limit = left < CHUNK_SIZE ? (uint32_t)left : CHUNK_SIZE;
	chunk->n_extents = 0;
	chunk->state = CHUNK_OPEN;
	TAILQ_REMOVE(&pool->free, chunk, link);
	TAILQ_INSERT_TAIL(&pool->open, chunk, link);
	return chunk;
}

int chunk_cover(struct chunk *chunk, uint32_t start, uint32_t end)
{
	struct chunk_extent *extents = chunk->extents;
	size_t first = 0, last, n = chunk->n_extents;

	/* Extents [first, last) overlap or touch the new one, and become one with it. */
	while (first < n && extents[first].end < start)
		first++;
	for (last = first; last < n && extents[last].start <= end; last++)
		;
	if (first == last && n == CHUNK_EXTENTS)
		return -ENOBUFS;
	if (first < last) {
		start = min32(start, extents[first].start);
		end = max32(end, extents[last - 1].end);
	}
	memmove(&extents[first + 1], &extents[last], (n - last) * sizeof(*extents));
	extents[first] = (struct chunk_extent){start, end};
	chunk->n_extents = n - (last - first) + 1;
	return 0;
}

void chunk_fill_gaps(struct chunk *chunk)
{
	uint32_t at = 0;

	for (size_t i = 0; i < chunk->n_extents; i++) {
		memset(chunk->data + at, 0, chunk->extents[i].start - at);
		at = chunk->extents[i].end;
	}
	memset(chunk->data + at, 0, chunk->limit - at);
	chunk->extents[0] = (struct chunk_extent){0, chunk->limit};
	chunk->n_extents = 1;
}

bool chunk_covers(const struct chunk *chunk, uint32_t start, uint32_t end)
{
	for (size_t i = 0; i < chunk->n_extents; i++)
		if (chunk->extents[i].start <= start && chunk->extents[i].end >= end)
			return true;
	return false;
}

bool chunk_is_full(const struct chunk *chunk)
{
	return chunk_covers(chunk, 0, chunk->limit);
}

void chunk_queue(struct chunk_pool *pool, struct chunk *chunk)
{
	if (chunk->state != CHUNK_OPEN)
		return;
	chunk->state = CHUNK_QUEUED;
	chunk->turn = ++pool->turn;
	TAILQ_REMOVE(&pool->open, chunk, link);
	TAILQ_INSERT_TAIL(&pool->queued, chunk, link);
}

void chunk_queue_all(struct chunk_pool *pool)
{
	while (!TAILQ_EMPTY(&pool->open))
		chunk_queue_oldest(pool);
}

void chunk_queue_oldest(struct chunk_pool *pool)
{
	struct chunk *chunk = TAILQ_FIRST(&pool->open);

	if (chunk)
		chunk_queue(pool, chunk);
}

void chunk_take(struct chunk_pool *pool, struct chunk *chunk)
{
	TAILQ_REMOVE(chunk->state == CHUNK_OPEN ? &pool->open : &pool->queued, chunk, link);
	chunk->state = CHUNK_IN_FLIGHT;
}

static struct chunk *find_full(struct chunk_pool *pool, uint64_t index)
{
	struct chunk *chunk = chunk_find(pool, index);

	return chunk && chunk->state == CHUNK_QUEUED && chunk_is_full(chunk) ? chunk : NULL;
}

size_t chunk_take_run(struct chunk_pool *pool, struct chunk *run[CHUNK_RUN])
{
	struct chunk *chunk = TAILQ_FIRST(&pool->queued), *next;
	size_t n = 1;

	if (!chunk)
		return 0;
	if (!chunk_is_full(chunk)) {
		chunk_take(pool, chunk);
		run[0] = chunk;
		return 1;
	}

	/* Parallel writers fill them out of order: what comes before it on the disk goes along. */
	while (n < CHUNK_RUN && chunk->index > 0 &&
		(next = find_full(pool, chunk->index - 1)) != NULL) {
		chunk = next;
		n++;
	}
	for (n = 0; chunk && n < CHUNK_RUN; n++) {
		chunk_take(pool, chunk);
		run[n] = chunk;
		chunk = find_full(pool, chunk->index + 1);
	}
	return n;
}

void chunk_release(struct chunk_pool *pool, struct chunk *chunk)
{
	chunk->state = CHUNK_FREE;
	/* At the head: memory that is warm in the cache is used again first. */
	TAILQ_INSERT_HEAD(&pool->free, chunk, link);
}

void chunk_erase(struct chunk_pool *pool, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < CHUNK_COUNT; i++) {
		struct chunk *chunk = &pool->chunks[i];
		uint64_t from = chunk->index * CHUNK_SIZE, to = from + chunk->limit, base = from;

		if (chunk->state != CHUNK_OPEN && chunk->state != CHUNK_QUEUED)
			continue;
		if (from >= start && to <= end) {
			chunk_take(pool, chunk);
			chunk_release(pool, chunk);
			continue;
		}
		from = from > start ? from : start;
		to = to < end ? to : end;
		if (from < to)
			memset(chunk->data + (from - base), 0, to - from);
	}
}

bool chunk_next_blocks(
	const struct chunk *chunk, uint32_t from, uint32_t *ret_start, uint32_t *ret_end)
{
	const uint32_t align = BLOCK_ALIGN;
	uint32_t start, end;
	size_t i = 0;

	while (i < chunk->n_extents && chunk->extents[i].end <= from)
		i++;
	if (i == chunk->n_extents)
		return false;
	start = max32(from, chunk->extents[i].start / align * align);
	end = (chunk->extents[i].end + align - 1) / align * align;
	while (++i < chunk->n_extents && chunk->extents[i].start <= end)
		end = (chunk->extents[i].end + align - 1) / align * align;
	*ret_start = start;
	*ret_end = min32(end, chunk->limit);
	return true;
}

void chunk_fill(struct chunk *chunk, uint32_t start, uint32_t end, const unsigned char *source)
{
	uint32_t at = start;

	for (size_t i = 0; i < chunk->n_extents && at < end; i++) {
		const struct chunk_extent *extent = &chunk->extents[i];

		if (extent->end <= at)
			continue;
		if (extent->start > at) {
			uint32_t stop = min32(extent->start, end);

			memcpy(chunk->data + at, source + (at - start), stop - at);
		}
		at = max32(at, extent->end);
	}
	if (at < end)
		memcpy(chunk->data + at, source + (at - start), end - at);
}
