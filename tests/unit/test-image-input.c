#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "image/input.h"

/* A window over a file whose bytes come in any order (image/input.h). */

static unsigned char byte_at(uint64_t offset)
{
	return (unsigned char)(offset * 31 + (offset >> 8) * 7 + (offset >> 16));
}

static int put(struct input *input, uint64_t offset, size_t n)
{
	unsigned char *data = malloc(n);
	int r;

	for (size_t i = 0; i < n; i++)
		data[i] = byte_at(offset + i);
	r = input_put(input, offset, data, n);
	free(data);
	return r;
}

static void take(struct input *input, size_t most)
{
	const unsigned char *data;
	size_t n = input_ready(input, &data);

	n = n < most ? n : most;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(data[i], byte_at(input->base + i));
	input_take(input, n);
}

static void bytes_are_read_in_order_however_they_came(void **state)
{
	struct input input = {0};
	const unsigned char *data;

	assert_int_equal(input_init(&input), 0);
	assert_int_equal(put(&input, 100, 50), 0);
	assert_int_equal(input_ready(&input, &data), 0);
	assert_int_equal(input_gap(&input), 100);
	assert_int_equal(put(&input, 0, 60), 0);
	assert_int_equal(input_ready(&input, &data), 60);
	assert_int_equal(put(&input, 60, 40), 0);
	assert_int_equal(input_ready(&input, &data), 150);
	assert_int_equal(input.n_extents, 1);
	take(&input, 150);
	assert_int_equal(input_end(&input), 150);
	input_fini(&input);
}

static void no_byte_is_taken_twice(void **state)
{
	struct input input = {0};

	assert_int_equal(input_init(&input), 0);
	assert_int_equal(put(&input, 0, 100), 0);
	take(&input, 50);
	assert_int_equal(put(&input, 40, 5), -EINVAL);
	assert_int_equal(put(&input, 99, 5), -EINVAL);
	assert_int_equal(put(&input, 40, 500), -EINVAL);
	assert_int_equal(put(&input, 100, 5), 0);
	input_fini(&input);
}

static void the_window_has_an_end_and_moves(void **state)
{
	struct input input = {0};

	assert_int_equal(input_init(&input), 0);
	assert_int_equal(input_room(&input, 0), INPUT_SIZE);
	assert_int_equal(input_room(&input, INPUT_SIZE), 0);
	assert_int_equal(input_room(&input, UINT64_MAX), 0);
	assert_int_equal(put(&input, 0, 1000), 0);
	take(&input, 1000);
	assert_int_equal(input_room(&input, INPUT_SIZE), 1000);
	input_fini(&input);
}

static void there_are_only_so_many_pieces(void **state)
{
	struct input input = {0};

	assert_int_equal(input_init(&input), 0);
	for (uint64_t i = 1; i <= INPUT_EXTENTS; i++)
		assert_int_equal(put(&input, 10 * i, 5), 0);
	assert_int_equal(put(&input, 5, 2), -ENOBUFS);
	assert_int_equal(put(&input, 10 * INPUT_EXTENTS + 5, 5), 0); /* it joins the last */
	assert_int_equal(put(&input, 15, 5), 0);		     /* two become one */
	assert_int_equal(put(&input, 5, 2), 0);
	input_fini(&input);
}

static void any_order_is_the_same_file(void **state)
{
	struct input input = {0};
	uint64_t total = 3ull * INPUT_SIZE, sent = 0;
	unsigned pieces[8];

	assert_int_equal(input_init(&input), 0);
	srand(1);
	while (input.base < total) {
		size_t piece = (size_t)(rand() % 100000 + 1);
		unsigned n = 0;

		for (; n < 8 && input_room(&input, sent + (n + 1) * piece) > 0; n++)
			pieces[n] = n;
		for (unsigned i = n; i > 1; i--) {
			unsigned j = (unsigned)rand() % i, other = pieces[j];

			pieces[j] = pieces[i - 1];
			pieces[i - 1] = other;
		}
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(put(&input, sent + pieces[i] * piece, piece), 0);
		sent += n * piece;
		for (int i = 0; i < 4; i++)
			take(&input, (size_t)rand() % 500000);
	}
	input_fini(&input);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_read_in_order_however_they_came),
		cmocka_unit_test(no_byte_is_taken_twice),
		cmocka_unit_test(the_window_has_an_end_and_moves),
		cmocka_unit_test(there_are_only_so_many_pieces),
		cmocka_unit_test(any_order_is_the_same_file),
	};

	return cmocka_run_group_tests_name("image-input", tests, NULL, NULL);
}
