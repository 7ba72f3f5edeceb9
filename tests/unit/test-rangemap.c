#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/rangemap.h"

#define SEGMENT (1u << 18)

static void an_empty_map_has_nothing(void **state)
{
	struct rangemap map = {0};
	uint64_t first, end;

	assert_int_equal(rangemap_total(&map), 0);
	assert_false(rangemap_has(&map, 0));
	assert_false(rangemap_has(&map, UINT64_MAX / 2));
	assert_int_equal(rangemap_next(&map, 5, 100, true), 100);
	assert_int_equal(rangemap_next(&map, 5, 100, false), 5);
	assert_false(rangemap_next_run(&map, 0, 100, true, &first, &end));
	assert_true(rangemap_covers(&map, 7, 7));
	assert_int_equal(rangemap_remove(&map, 0, UINT64_MAX), 0);
	rangemap_clear(&map);
}

static void runs_are_found_across_segments(void **state)
{
	struct rangemap map = {0};
	uint64_t first, end;

	assert_int_equal(rangemap_add(&map, SEGMENT - 3, 2 * SEGMENT + 5), 0);
	assert_int_equal(rangemap_total(&map), SEGMENT + 8);
	assert_true(rangemap_next_run(&map, 0, 10 * SEGMENT, true, &first, &end));
	assert_int_equal(first, SEGMENT - 3);
	assert_int_equal(end, 2 * SEGMENT + 5);
	assert_false(rangemap_next_run(&map, end, 10 * SEGMENT, true, &first, &end));

	assert_int_equal(rangemap_remove(&map, SEGMENT + 1, SEGMENT + 2), 0);
	assert_true(rangemap_next_run(&map, SEGMENT, 3 * SEGMENT, false, &first, &end));
	assert_int_equal(first, SEGMENT + 1);
	assert_int_equal(end, SEGMENT + 2);
	assert_false(rangemap_covers(&map, SEGMENT, SEGMENT + 3));
	assert_true(rangemap_covers(&map, SEGMENT + 2, 2 * SEGMENT + 5));
	rangemap_clear(&map);
}

static void a_far_block_costs_little_and_is_found(void **state)
{
	const uint64_t far = (2ull << 40) / RANGEMAP_BLOCK - 1; /* the end of 2 TiB */
	struct rangemap map = {0};

	assert_int_equal(rangemap_add(&map, far, far + 1), 0);
	assert_int_equal(rangemap_next(&map, 0, far + 1, true), far);
	assert_int_equal(rangemap_next(&map, far, far + 100, false), far + 1);
	assert_int_equal(rangemap_add(&map, 0, far), 0);
	assert_true(rangemap_covers(&map, 0, far + 1));
	assert_int_equal(rangemap_total(&map), far + 1);
	assert_int_equal(rangemap_remove(&map, 1, UINT64_MAX), 0);
	assert_int_equal(rangemap_total(&map), 1);
	rangemap_clear(&map);
}

/* Small, around the border of two segments, where words and segments begin and end. */
static void it_agrees_with_an_array_of_bools(void **state)
{
	enum { N = 1024 };
	const uint64_t base = SEGMENT - N / 2;
	struct rangemap map = {0};
	bool model[N] = {0};

	srandom(20260101);
	for (int round = 0; round < 3000; round++) {
		unsigned a = (unsigned)random() % (N + 1), b = (unsigned)random() % (N + 1);
		unsigned first = a < b ? a : b, end = a < b ? b : a, total = 0, next = first;
		bool set = random() % 2;

		assert_int_equal(set ? rangemap_add(&map, base + first, base + end)
				     : rangemap_remove(&map, base + first, base + end),
			0);
		for (unsigned i = first; i < end; i++)
			model[i] = set;

		for (unsigned i = 0; i < N; i++)
			total += model[i];
		assert_int_equal(rangemap_total(&map), total);
		set = random() % 2;
		a = (unsigned)random() % N;
		for (next = a; next < N && model[next] != set; next++)
			;
		assert_int_equal(rangemap_next(&map, base + a, base + N, set), base + next);
		assert_int_equal(rangemap_has(&map, base + a), model[a]);
	}
	rangemap_clear(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_has_nothing),
		cmocka_unit_test(runs_are_found_across_segments),
		cmocka_unit_test(a_far_block_costs_little_and_is_found),
		cmocka_unit_test(it_agrees_with_an_array_of_bools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
