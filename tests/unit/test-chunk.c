#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/chunk.h"

#define MIB ((uint64_t)CHUNK_SIZE)

static struct chunk *full(struct chunk_pool *pool, uint64_t index)
{
	struct chunk *chunk = chunk_get(pool, index);

	assert_non_null(chunk);
	assert_int_equal(chunk_cover(chunk, 0, chunk->limit), 0);
	chunk_queue(pool, chunk);
	return chunk;
}

static void pieces_that_touch_become_one(void **state)
{
	struct chunk chunk = {.limit = CHUNK_SIZE};

	assert_int_equal(chunk_cover(&chunk, 100, 200), 0);
	assert_int_equal(chunk_cover(&chunk, 300, 400), 0);
	assert_int_equal(chunk_cover(&chunk, 0, 50), 0);
	assert_int_equal(chunk.n_extents, 3);
	assert_false(chunk_covers(&chunk, 100, 400));
	assert_int_equal(chunk_cover(&chunk, 200, 300), 0);
	assert_int_equal(chunk.n_extents, 2);
	assert_true(chunk_covers(&chunk, 100, 400));
	assert_int_equal(chunk_cover(&chunk, 0, CHUNK_SIZE), 0);
	assert_int_equal(chunk.n_extents, 1);
	assert_true(chunk_is_full(&chunk));
}

static void one_piece_too_many_changes_nothing(void **state)
{
	struct chunk chunk = {.limit = CHUNK_SIZE};

	for (uint32_t i = 0; i < CHUNK_EXTENTS; i++)
		assert_int_equal(chunk_cover(&chunk, i * 100, i * 100 + 50), 0);
	assert_int_equal(chunk_cover(&chunk, 5000, 5010), -ENOBUFS);
	assert_int_equal(chunk.n_extents, CHUNK_EXTENTS);
	assert_int_equal(chunk_cover(&chunk, 50, 60), 0);
}

/* Every byte of the first blocks, written in random pieces, against a plain array. */
static void runs_of_blocks_and_filling_agree_with_a_model(void **state)
{
	enum { N = 8 * 4096 };
	static unsigned char data[CHUNK_SIZE], disk[N];
	static bool valid[N];

	srandom(7);
	for (int round = 0; round < 200; round++) {
		struct chunk chunk = {.limit = N, .data = data};
		uint32_t start, end = 0, last = 0;

		memset(valid, 0, sizeof(valid));
		memset(data, 'c', N);
		memset(disk, 'd', N);
		for (int i = 0; i < 1 + round % 10; i++) {
			uint32_t a = (uint32_t)random() % N, b = a + 1 + (uint32_t)random() % 5000;

			b = b < N ? b : N;
			assert_int_equal(chunk_cover(&chunk, a, b), 0);
			memset(valid + a, true, b - a);
		}
		while (chunk_next_blocks(&chunk, end, &start, &end)) {
			for (; last < start; last++)
				assert_false(valid[last]);
			for (uint32_t at = start; at < end; at += 4096) {
				assert_non_null(memchr(valid + at, true, 4096));
				chunk_fill(&chunk, at, at + 4096, disk + at);
			}
			last = end;
		}
		for (; last < N; last++)
			assert_false(valid[last]);
		for (uint32_t i = 0; i < N; i++)
			if (valid[i])
				assert_int_equal(data[i], 'c');
			else if (memchr(valid + i / 4096 * 4096, true, 4096))
				assert_int_equal(data[i], 'd');
	}
}

static void neighbours_fly_together_in_the_order_of_the_disk(void **state)
{
	struct chunk_pool pool;
	struct chunk *run[CHUNK_RUN];

	assert_int_equal(chunk_pool_init(&pool, 100 * MIB), 0);
	full(&pool, 3);
	full(&pool, 1);
	full(&pool, 2);
	full(&pool, 9);
	full(&pool, 0);
	full(&pool, 4);
	assert_int_equal(chunk_take_run(&pool, run), 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(run[i]->index, i);
	assert_int_equal(chunk_take_run(&pool, run), 1);
	assert_int_equal(run[0]->index, 9);
	assert_int_equal(chunk_take_run(&pool, run), 1);
	assert_int_equal(run[0]->index, 4);
	assert_int_equal(chunk_take_run(&pool, run), 0);
	chunk_pool_fini(&pool);
}

static void a_chunk_in_flight_is_not_written_to(void **state)
{
	struct chunk_pool pool;
	struct chunk *run[CHUNK_RUN], *again;

	assert_int_equal(chunk_pool_init(&pool, 100 * MIB), 0);
	full(&pool, 5);
	assert_ptr_equal(chunk_find(&pool, 5), full(&pool, 5));
	assert_int_equal(chunk_take_run(&pool, run), 1);
	assert_null(chunk_find(&pool, 5));
	again = chunk_get(&pool, 5);
	assert_non_null(again);
	assert_ptr_not_equal(again, run[0]);
	chunk_release(&pool, run[0]);
	chunk_pool_fini(&pool);
}

static void the_pool_is_bounded_and_knows_the_end_of_the_disk(void **state)
{
	struct chunk_pool pool;

	assert_int_equal(chunk_pool_init(&pool, 20 * MIB + 512), 0);
	for (uint64_t i = 0; i < CHUNK_COUNT; i++)
		assert_non_null(chunk_get(&pool, 5 + i));
	assert_null(chunk_get(&pool, 0));
	assert_int_equal(chunk_get(&pool, 20)->limit, 512);
	assert_int_equal(chunk_get(&pool, 19)->limit, CHUNK_SIZE);

	chunk_erase(&pool, 6 * MIB, 7 * MIB - 1);
	assert_non_null(chunk_find(&pool, 6));
	chunk_erase(&pool, 6 * MIB, 7 * MIB);
	assert_null(chunk_find(&pool, 6));
	chunk_erase(&pool, 0, UINT64_MAX);
	for (uint64_t i = 0; i < 21; i++)
		assert_null(chunk_find(&pool, i));
	chunk_pool_fini(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_that_touch_become_one),
		cmocka_unit_test(one_piece_too_many_changes_nothing),
		cmocka_unit_test(runs_of_blocks_and_filling_agree_with_a_model),
		cmocka_unit_test(neighbours_fly_together_in_the_order_of_the_disk),
		cmocka_unit_test(a_chunk_in_flight_is_not_written_to),
		cmocka_unit_test(the_pool_is_bounded_and_knows_the_end_of_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
