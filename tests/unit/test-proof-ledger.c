#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proof/ledger.h"

#define BLOCKS 64

static void add(struct ledger *ledger, uint64_t offset, uint64_t length, unsigned char mark)
{
	unsigned char hash[SHA256_SIZE];

	memset(hash, mark, sizeof(hash));
	assert_int_equal(ledger_add(ledger, offset, length, hash), 0);
}

static void what_was_written_in_any_order_is_in_the_disk_s(void **state)
{
	struct ledger ledger = {0};

	add(&ledger, 8192, 4096, 3);
	add(&ledger, 0, 4096, 1);
	add(&ledger, 4096, 4096, 2);
	assert_int_equal(ledger.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ledger.entries[i].offset, i * 4096);
		assert_int_equal(ledger.entries[i].hash[0], i + 1);
	}
	assert_int_equal(ledger_covers(&ledger, 12288), 12288);
	assert_int_equal(ledger_covers(&ledger, 10000), 10000);
	assert_int_equal(ledger_covers(&ledger, 1 << 20), 12288);
	ledger_clear(&ledger);
	assert_int_equal(ledger_covers(&ledger, 12288), 0);
}

static void what_is_written_again_takes_the_place_of_all_that_it_touches(void **state)
{
	struct ledger ledger = {0};

	add(&ledger, 0, 4 * 4096, 1);
	add(&ledger, 4 * 4096, 4 * 4096, 2);
	add(&ledger, 8 * 4096, 4 * 4096, 3);
	add(&ledger, 3 * 4096, 6 * 4096, 4);
	assert_int_equal(ledger.n, 1);
	assert_int_equal(ledger.entries[0].offset, 3 * 4096);
	assert_int_equal(ledger.entries[0].length, 6 * 4096);
	assert_int_equal(ledger.entries[0].hash[0], 4);
	assert_int_equal(ledger_covers(&ledger, 12 * 4096), 6 * 4096);
	ledger_clear(&ledger);
}

/* The last to touch a block is the one that it belongs to; and of what was cut, nothing is left. */
static void any_order_agrees_with_a_model(void **state)
{
	struct ledger ledger = {0};
	int owner[BLOCKS] = {0};
	uint32_t x = 1;

	for (int round = 1; round < 2000; round++) {
		uint64_t first, n, covered = 0;

		x = x * 1664525u + 1013904223u;
		first = (x >> 16) % BLOCKS;
		n = 1 + (x >> 8) % 9;
		if (first + n > BLOCKS)
			n = BLOCKS - first;
		for (uint64_t i = first; i < first + n; i++) {
			int cut = owner[i];

			for (int j = 0; cut && j < BLOCKS; j++)
				if (owner[j] == cut)
					owner[j] = 0;
		}
		for (uint64_t i = first; i < first + n; i++)
			owner[i] = round;
		add(&ledger, first * 4096, n * 4096, (unsigned char)round);

		for (int i = 0; i < BLOCKS; i++)
			covered += owner[i] ? 4096 : 0;
		assert_int_equal(ledger_covers(&ledger, BLOCKS * 4096), covered);
		for (size_t i = 0; i < ledger.n; i++) {
			const struct ledger_entry *entry = &ledger.entries[i];

			assert_int_equal(
				entry->hash[0], (unsigned char)owner[entry->offset / 4096]);
			if (i > 0)
				assert_true(entry[-1].offset + entry[-1].length <= entry->offset);
		}
	}
	ledger_clear(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_in_any_order_is_in_the_disk_s),
		cmocka_unit_test(what_is_written_again_takes_the_place_of_all_that_it_touches),
		cmocka_unit_test(any_order_agrees_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
