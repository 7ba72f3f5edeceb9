#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/medium.h"
#include "sim/pagemap.h"
#include "sim/throttle.h"
#include "util/clock.h"

/* Time in the model is arithmetic: here it is whatever the test says. */

#define MIB (1u << 20)
#define S   NS_PER_S

static void a_rate_is_kept_to_the_nanosecond_by_back_to_back_transfers(void **state)
{
	struct sim_throttle throttle = {.rate = 40 * MIB};
	uint64_t now = 5 * S;

	for (int i = 0; i < 40; i++)
		now = sim_throttle_take(&throttle, now, MIB);
	assert_int_equal(now, 6 * S);
}

static void a_waiter_that_oversleeps_loses_nothing_of_the_rate(void **state)
{
	struct sim_throttle throttle = {.rate = 40 * MIB};
	uint64_t now = 5 * S, due = now;

	for (int i = 0; i < 400; i++) {
		due = sim_throttle_take(&throttle, now, MIB);
		now = due + 300000; /* 0.3 ms late every time: 1 % of a transfer */
		sim_throttle_woke(&throttle, due, now);
	}
	assert_int_equal(due, 15 * S);
}

static void what_is_not_used_of_a_rate_is_not_saved_up(void **state)
{
	struct sim_throttle throttle = {.rate = MIB};

	assert_int_equal(sim_throttle_take(&throttle, 0, MIB), 1 * S);
	assert_int_equal(sim_throttle_take(&throttle, 10 * S, MIB), 11 * S);
	/* Two at once share it. */
	assert_int_equal(sim_throttle_take(&throttle, 10 * S, MIB), 12 * S);
}

static void without_a_rate_everything_is_at_once(void **state)
{
	struct sim_throttle throttle = {0};

	assert_int_equal(sim_throttle_take(&throttle, 7, UINT64_MAX), 7);
	assert_int_equal(sim_throttle_cost(0, UINT64_MAX), 0);
	/* Large counts at small rates do not wrap: 2^40 bytes at 1000 a second. */
	assert_int_equal(sim_throttle_cost(1000, 1ull << 40), (1ull << 40) * 1000000);
}

static void a_pagemap_counts_and_finds_runs_across_words(void **state)
{
	struct sim_pagemap map;

	assert_int_equal(sim_pagemap_init(&map, 200), 0);
	assert_int_equal(sim_pagemap_next(&map, 0), 200);
	assert_int_equal(sim_pagemap_next_hole(&map, 5), 5);
	sim_pagemap_add(&map, 60, 130);
	sim_pagemap_add(&map, 100, 131);
	assert_int_equal(map.count, 71);
	assert_int_equal(sim_pagemap_next(&map, 0), 60);
	assert_int_equal(sim_pagemap_next_hole(&map, 60), 131);
	sim_pagemap_remove(&map, 64, 128);
	assert_int_equal(map.count, 7);
	assert_true(sim_pagemap_has(&map, 63));
	assert_false(sim_pagemap_has(&map, 64));
	assert_int_equal(sim_pagemap_next(&map, 64), 128);
	sim_pagemap_add(&map, 0, 200);
	assert_int_equal(map.count, 200);
	assert_int_equal(sim_pagemap_next_hole(&map, 0), 200);
	sim_pagemap_remove(&map, 0, 200);
	assert_int_equal(map.count, 0);
	sim_pagemap_finish(&map);
}

static struct sim_medium *medium_new(uint64_t bytes, uint64_t rate)
{
	struct sim_faults none = {0};
	struct sim_medium *medium = NULL;
	char message[256];

	assert_int_equal(
		sim_medium_new(NULL, bytes, rate, &none, &medium, message, sizeof(message)), 0);
	return medium;
}

/* A MiB of dirty data at @offset, at the time @now. */
static void dirty(struct sim_medium *medium, uint64_t offset, uint64_t now)
{
	static char data[MIB];
	struct iovec iov = {data, MIB};

	memset(data, 'x', MIB);
	assert_int_equal(sim_cache_write(medium, &iov, 1, MIB, offset, now), 0);
}

static bool is_on_medium(struct sim_medium *medium, uint64_t offset)
{
	char byte = 0;

	assert_int_equal(sim_medium_raw_read(medium, &byte, 1, offset), 0);
	return byte == 'x';
}

static void little_dirty_data_stays_and_much_is_written_out_at_the_mediums_rate(void **state)
{
	struct sim_medium *medium = medium_new(64 * MIB, 10 * MIB);

	for (unsigned i = 0; i < 8; i++)
		dirty(medium, i * MIB, 100 * S);
	sim_cache_settle(medium, 200 * S);
	assert_int_equal(medium->cache.dirty.count, 8 * MIB / SIM_PAGE);

	/* One more: write-out begins now, with the first, and takes 0.1 s. */
	dirty(medium, 8 * MIB, 200 * S);
	sim_cache_settle(medium, 200 * S + S / 10 - 1);
	assert_false(is_on_medium(medium, 0));
	sim_cache_settle(medium, 200 * S + S / 10);
	assert_true(is_on_medium(medium, 0));
	assert_false(is_on_medium(medium, MIB));
	assert_int_equal(medium->cache.dirty.count, 8 * MIB / SIM_PAGE);
	sim_medium_free(medium);
}

static void write_out_that_nobody_watched_has_happened_all_the_same(void **state)
{
	struct sim_medium *medium = medium_new(64 * MIB, 10 * MIB);

	for (unsigned i = 0; i < 30; i++)
		dirty(medium, i * MIB, 100 * S);
	sim_cache_settle(medium, 101 * S);
	assert_int_equal(medium->cache.dirty.count, 20 * MIB / SIM_PAGE);
	assert_true(is_on_medium(medium, 9 * MIB));
	assert_false(is_on_medium(medium, 10 * MIB));
	/* The power goes in the middle of a run: it is lost, and so is all behind it. */
	sim_cache_settle(medium, 101 * S + S / 20);
	sim_cache_lose(&medium->cache);
	sim_cache_settle(medium, 1000 * S);
	assert_false(is_on_medium(medium, 10 * MIB));
	assert_int_equal(medium->cache.dirty.count, 0);
	assert_int_equal(medium->cache.cached.count, 0);
	sim_medium_free(medium);
}

static void a_writer_finds_room_until_the_limit_and_again_later(void **state)
{
	struct sim_medium *medium = medium_new(256 * MIB, 10 * MIB);

	for (unsigned i = 0; i < 64; i++) {
		assert_true(sim_cache_has_room(&medium->cache, MIB));
		dirty(medium, i * MIB, 100 * S);
	}
	assert_false(sim_cache_has_room(&medium->cache, MIB));
	assert_int_equal(medium->cache.due, 100 * S + S / 10);
	sim_cache_settle(medium, medium->cache.due);
	assert_true(sim_cache_has_room(&medium->cache, MIB));
	assert_false(sim_cache_has_room(&medium->cache, 2 * MIB));
	sim_medium_free(medium);
}

static void the_cache_keeps_to_its_bound_and_drops_what_is_clean(void **state)
{
	struct sim_medium *medium = medium_new(400 * MIB, 1000ull * MIB);
	size_t missed;
	char byte;

	for (unsigned i = 0; i < 300; i++)
		dirty(medium, i * MIB, (100 + i) * S);
	assert_int_equal(medium->cache.cached.count, SIM_CACHE_MAX / SIM_PAGE);
	assert_false(sim_pagemap_has(&medium->cache.cached, 0));
	assert_int_equal(sim_cache_read(medium, &byte, 1, 0, &missed), 0);
	assert_int_equal(byte, 'x');
	assert_int_equal(missed, 1);

	sim_cache_drop_clean(&medium->cache);
	assert_int_equal(medium->cache.cached.count, medium->cache.dirty.count);
	assert_true(medium->cache.dirty.count > 0);
	sim_medium_free(medium);
}

static void a_read_costs_the_medium_only_what_is_not_cached(void **state)
{
	struct sim_medium *medium = medium_new(16 * MIB, 10 * MIB);
	static char data[3 * MIB];
	size_t missed;

	dirty(medium, MIB, 100 * S);
	assert_int_equal(sim_cache_read(medium, data, sizeof(data), 0, &missed), 0);
	assert_int_equal(missed, 2 * MIB);
	assert_int_equal(data[MIB - 1], 0);
	assert_int_equal(data[MIB], 'x');
	assert_int_equal(data[2 * MIB], 0);
	assert_int_equal(sim_cache_read(medium, data, sizeof(data), 0, &missed), 0);
	assert_int_equal(missed, 0);
	sim_medium_free(medium);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_kept_to_the_nanosecond_by_back_to_back_transfers),
		cmocka_unit_test(a_waiter_that_oversleeps_loses_nothing_of_the_rate),
		cmocka_unit_test(what_is_not_used_of_a_rate_is_not_saved_up),
		cmocka_unit_test(without_a_rate_everything_is_at_once),
		cmocka_unit_test(a_pagemap_counts_and_finds_runs_across_words),
		cmocka_unit_test(
			little_dirty_data_stays_and_much_is_written_out_at_the_mediums_rate),
		cmocka_unit_test(write_out_that_nobody_watched_has_happened_all_the_same),
		cmocka_unit_test(a_writer_finds_room_until_the_limit_and_again_later),
		cmocka_unit_test(the_cache_keeps_to_its_bound_and_drops_what_is_clean),
		cmocka_unit_test(a_read_costs_the_medium_only_what_is_not_cached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
