#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "decode-fixture.h"

#define MIB	 (1ull << 20)
#define BLOCK	 (content.n / 10) /* of an xz */
#define TOO_MUCH "it would take more than 256 MiB of memory to decompress it"

static struct bytes content;

static int make(void **state)
{
	content = make_content(getenv("CM4FS_SHORT") ? 100000 : 600000);
	return 0;
}

static int unmake(void **state)
{
	bytes_free(&content);
	return 0;
}

/* With a dictionary as large as its header says from now on: 28: 64 MiB, 30: 128, 31: 192, 32: 256, 40: 4096. */
static struct bytes pack_xz_dictionary(unsigned char size)
{
	struct bytes packed = pack_xz(content);
	unsigned char *header = packed.data + 12, *at;
	size_t n = (header[0] + 1u) * 4 - 4;

	assert_int_equal(header[2], LZMA_FILTER_LZMA2);
	header[4] = size;
	at = header + n;
	put_le(&at, lzma_crc32(header, n, 0), 4);
	return packed;
}

static struct bytes pack_xz_64(struct bytes unused)
{
	return pack_xz_dictionary(28);
}

static struct bytes pack_xz_threads(struct bytes plain)
{
	return pack_xz_blocks(plain, BLOCK);
}

/* With the window as its header says from now on. */
static struct bytes pack_zst_window(unsigned char descriptor)
{
	struct bytes packed = pack_zst(content);

	assert_int_equal(packed.data[4] & 0x20, 0);
	packed.data[5] = descriptor;
	return packed;
}

static struct bytes pack_zst_128(struct bytes unused)
{
	return pack_zst_window(17 << 3);
}

static struct bytes pack_bz2_9(struct bytes plain)
{
	struct bytes packed = pack_bz2(plain);
	unsigned n = (unsigned)plain.n;

	assert_int_equal(
		BZ2_bzBuffToBuffCompress((char *)packed.data, &n, (char *)plain.data, n, 9, 0, 0),
		BZ_OK);
	packed.n = n;
	return packed;
}

static struct bytes pack_lz4_4m(struct bytes plain)
{
	LZ4F_preferences_t preferences = {.frameInfo = {.blockSizeID = LZ4F_max4MB}};
	_cleanup_bytes_ struct bytes twice = join(plain, plain);
	struct bytes packed = bytes_new(LZ4F_compressFrameBound(twice.n, &preferences));

	packed.n = LZ4F_compressFrame(packed.data, packed.n, twice.data, twice.n, &preferences);
	return packed;
}

static const struct {
	enum decode_format format;
	struct bytes (*pack)(struct bytes content);
	uint64_t least; /* that it takes, in the middle */
} formats[] = {
	{DECODE_XZ, pack_xz_64, 64 * MIB},
	{DECODE_XZ, pack_xz_threads, 512 << 10},
	{DECODE_GZ, pack_gz, 32 << 10},
	{DECODE_ZST, pack_zst_128, 128 * MIB},
	{DECODE_BZ2, pack_bz2_9, 3 * MIB},
	{DECODE_LZ4, pack_lz4_4m, 8 * MIB},
	{DECODE_ZIP, pack_zip, 32 << 10},
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

static void a_budget_is_what_it_is(void **state)
{
	assert_true(budget_take(BUDGET_SIZE - 10));
	assert_false(budget_take_spare(11));
	assert_false(budget_is_short());
	assert_false(budget_take(UINT64_MAX));
	assert_false(budget_is_short());
	assert_false(budget_take(11));
	assert_true(budget_is_short());
	assert_true(budget_take(10));
	assert_true(budget_is_short());
	assert_int_equal(budget_used(), BUDGET_SIZE);
	budget_give(0);
	assert_true(budget_is_short());
	budget_give(10);
	assert_false(budget_is_short());
	budget_give(BUDGET_SIZE - 10);
	assert_int_equal(budget_used(), 0);
}

static uint64_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Where the allocator can be asked: with sanitizers there is another. */
static void no_more_is_allocated_than_was_taken(void **state)
{
	unsigned char *out = malloc(3 * content.n);

	assert_non_null(out);
	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content);
		struct decode_step step = {.in = packed.data,
			.in_size = packed.n / 2,
			.out = out,
			.out_size = 3 * content.n};
		uint64_t before = allocated(), after;
		struct decoder *decoder;

		assert_int_equal(decoder_new(formats[i].format, &decoder), 0);
		assert_int_equal(budget_used(), 0);
		assert_int_equal(decoder_run(decoder, &step), 0);
		after = allocated();
		assert_true(budget_used() >= formats[i].least && budget_used() <= BUDGET_SIZE);
		if (after > before)
			assert_true(after - before <= budget_used() + (64 << 10));
		decoder_free(decoder);
		assert_int_equal(budget_used(), 0);
	}
	free(out);
}

static void a_large_dictionary_is_taken_for_as_long_as_it_lasts(void **state)
{
	static const unsigned char sizes[] = {22, 28, 30, 31};

	for (size_t i = 0; i < sizeof(sizes); i++) {
		_cleanup_bytes_ struct bytes packed = pack_xz_dictionary(sizes[i]);
		_cleanup_outcome_ struct outcome outcome = {.error = 0};
		struct decoder *decoder;

		assert_unpacks(DECODE_XZ, packed, content);
		assert_int_equal(decoder_new(DECODE_XZ, &decoder), 0);
		feed(decoder, &outcome, packed.data, packed.n, content.n + 1, false);
		assert_true(outcome.may_end);
		assert_int_equal(budget_used(), 0);
		decoder_free(decoder);
	}
}

static void what_takes_more_than_there_is_is_refused(void **state)
{
	static const unsigned char sizes[] = {32, 40};

	for (size_t i = 0; i < sizeof(sizes); i++) {
		_cleanup_bytes_ struct bytes packed = pack_xz_dictionary(sizes[i]);

		assert_fails(DECODE_XZ, packed, -ENOMEM, TOO_MUCH);
	}
	for (unsigned window = 17 << 3 | 1; window <= 0xff; window += 17) {
		_cleanup_bytes_ struct bytes packed = pack_zst_window((unsigned char)window);

		assert_fails(DECODE_ZST, packed, -EINVAL,
			"the zstd stream has a window of more than 128 MiB; compress it again, "
			"with "
			"--long=27 at most");
	}
	assert_false(budget_is_short());
}

static void what_others_have_is_waited_for(void **state)
{
	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content);
		_cleanup_outcome_ struct outcome outcome = {.error = 0};
		uint64_t others = BUDGET_SIZE - (formats[i].least > 8 * MIB ? 2 * MIB : 1000);
		struct decode_step step;
		unsigned char out[512];
		struct decoder *decoder;
		size_t used = 0;
		int r;

		assert_true(budget_take(others));
		assert_int_equal(decoder_new(formats[i].format, &decoder), 0);
		/* What it takes to see that, and then nothing. */
		for (unsigned again = 0; again < 5; again++) {
			step = (struct decode_step){.in = packed.data + used,
				.in_size = packed.n - used,
				.out = out,
				.out_size = sizeof(out)};
			r = decoder_run(decoder, &step);
			assert_int_equal(r, again == 0 && step.in_used > 0 ? 0 : -EAGAIN);
			assert_int_equal(step.out_used, 0);
			assert_true(step.in_used == 0 || again == 0);
			assert_true(budget_is_short());
			assert_false(decoder_may_end(decoder));
			used += step.in_used;
		}
		assert_true(used < 100);
		budget_give(others);
		feed(decoder, &outcome, packed.data + used, packed.n - used, 1 << 20, false);
		assert_int_equal(outcome.error, 0);
		assert_true(outcome.may_end);
		assert_memory_equal(outcome.out.data, content.data, content.n);
		decoder_free(decoder);
	}
	assert_int_equal(budget_used(), 0);
}

/* Blocks of any size, with threads and, where memory is short, without them. */
static void threads_make_no_difference(void **state)
{
	const size_t blocks[] = {content.n / 30, BLOCK, content.n / 2, 2 * content.n};

	for (size_t i = 0; i < 4; i++) {
		_cleanup_bytes_ struct bytes packed = pack_xz_blocks(content, blocks[i]);
		_cleanup_outcome_ struct outcome with =
			unpack(DECODE_XZ, packed, BLOCK, BLOCK, true);
		uint64_t others = BUDGET_SIZE - 8 * MIB;

		assert_true(with.may_end);
		assert_int_equal(with.out.n, content.n);
		assert_memory_equal(with.out.data, content.data, content.n);
		assert_unpacks(DECODE_XZ, packed, content);
		assert_true(budget_take(others));
		assert_unpacks(DECODE_XZ, packed, content);
		assert_false(budget_is_short());
		budget_give(others);
	}
}

/* The second block has a dictionary that is larger than all that the threads were given. */
static void threads_are_given_more_for_a_larger_dictionary(void **state)
{
	_cleanup_bytes_ struct bytes packed = pack_xz_blocks(content, BLOCK);
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	lzma_block block = {.version = 1, .check = LZMA_CHECK_SHA256, .filters = filters};
	unsigned char *header = packed.data + 12, *at;

	block.header_size = lzma_block_header_size_decode(*header);
	assert_int_equal(lzma_block_header_decode(&block, NULL, header), LZMA_OK);
	lzma_filters_free(filters, NULL);
	header += lzma_block_total_size(&block);
	block.header_size = lzma_block_header_size_decode(*header);
	at = memmem(header + 2, block.header_size, "\x21\x01", 2);
	assert_non_null(at);
	at[2] = 28;
	at = header + block.header_size - 4;
	put_le(&at, lzma_crc32(header, block.header_size - 4, 0), 4);

	assert_unpacks(DECODE_XZ, packed, content);
	assert_true(budget_take(BUDGET_SIZE - 32 * MIB));
	_cleanup_outcome_ struct outcome outcome = {.error = 0};
	struct decoder *decoder;
	assert_int_equal(decoder_new(DECODE_XZ, &decoder), 0);
	struct decode_step step = {.in = packed.data, .in_size = packed.n};
	outcome.out = bytes_new(content.n + 1);
	step.out = outcome.out.data;
	step.out_size = outcome.out.n;
	assert_int_equal(decoder_run(decoder, &step), 0);
	outcome.out.n = step.out_used;
	assert_int_equal(step.out_used, BLOCK);
	step.in += step.in_used;
	step.in_size -= step.in_used;
	assert_true(step.in_size > 0);
	assert_int_equal(decoder_run(decoder, &step), -EAGAIN);
	assert_int_equal(step.in_used, 0);
	budget_give(BUDGET_SIZE - 32 * MIB);
	feed(decoder, &outcome, step.in, step.in_size, content.n, false);
	assert_true(outcome.may_end);
	assert_memory_equal(outcome.out.data, content.data, content.n);
	decoder_free(decoder);
}

/* All that is whole comes out without a word more. */
static void whole_blocks_come_out_at_once(void **state)
{
	size_t block = BLOCK, first;
	_cleanup_bytes_ struct bytes packed = pack_xz_blocks(content, block);
	_cleanup_outcome_ struct outcome outcome = {.error = 0};
	struct decoder *decoder;

	assert_int_equal(decoder_new(DECODE_XZ, &decoder), 0);
	first = packed.n / 2;
	feed(decoder, &outcome, packed.data, first, 1 << 16, false);
	assert_int_equal(outcome.error, 0);
	assert_true(outcome.out.n >= (content.n / 2 / block - 1) * block);
	feed(decoder, &outcome, packed.data + first, packed.n - first, 1 << 16, false);
	assert_true(outcome.may_end);
	decoder_free(decoder);
}

/* A block in the middle is corrupt: what is before it comes out, nothing of it passes. */
static void threads_find_what_is_corrupt(void **state)
{
	_cleanup_bytes_ struct bytes packed = pack_xz_blocks(content, BLOCK);

	for (unsigned round = 0; round < 30; round++) {
		size_t at = packed.n / 4 + fixture_random() % (packed.n / 2);

		packed.data[at] ^= 0x10;
		_cleanup_outcome_ struct outcome outcome =
			unpack(DECODE_XZ, packed, BLOCK, 1 << 20, round % 2);
		assert_int_equal(outcome.error, -EBADMSG);
		assert_string_equal(outcome.text, "the xz stream is corrupt");
		assert_true(outcome.out.n < content.n);
		assert_memory_equal(outcome.out.data, content.data,
			outcome.out.n > BLOCK ? outcome.out.n - BLOCK : 0);
		packed.data[at] ^= 0x10;
	}
}

static void zstd_says_how_much_it_is_unless_there_is_more(void **state)
{
	_cleanup_bytes_ struct bytes told = pack_zst_as(content, 0, true),
				     untold = pack_zst_as(content, 0, false),
				     twice = join(told, told);
	_cleanup_outcome_ struct outcome outcome = {.error = 0};
	struct decoder *decoder;

	assert_unpacks(DECODE_ZST, told, content);
	assert_int_equal(decoder_new(DECODE_ZST, &decoder), 0);
	feed(decoder, &outcome, told.data, 20, 100, false);
	assert_int_equal(decoder_total(decoder), content.n);
	decoder_free(decoder);

	assert_int_equal(decoder_new(DECODE_ZST, &decoder), 0);
	feed(decoder, &outcome, untold.data, 20, 100, false);
	assert_int_equal(decoder_total(decoder), 0);
	decoder_free(decoder);

	assert_int_equal(decoder_new(DECODE_ZST, &decoder), 0);
	feed(decoder, &outcome, twice.data, told.n, content.n, false);
	assert_int_equal(decoder_total(decoder), content.n);
	feed(decoder, &outcome, twice.data + told.n, told.n, content.n, false);
	assert_int_equal(decoder_total(decoder), 0);
	decoder_free(decoder);
}

static void what_is_not_supported_is_said(void **state)
{
	static unsigned char legacy[] = "\x02\x21\x4c\x18\x10\0\0\0 and some data";
	static unsigned char dictionary[] = "\x28\xb5\x2f\xfd\x01\x58\x07 and some data";
	static unsigned char lz4_dictionary[] = "\x04\x22\x4d\x18\x61\x40 and some data";

	assert_fails(DECODE_LZ4, (struct bytes){legacy, sizeof(legacy)}, -EINVAL,
		"the lz4 stream is of the legacy format; compress it again, without -l");
	assert_fails(DECODE_ZST, (struct bytes){dictionary, sizeof(dictionary)}, -EINVAL,
		"the zstd stream was made with a dictionary, which is not here");
	assert_fails(DECODE_LZ4, (struct bytes){lz4_dictionary, sizeof(lz4_dictionary)}, -EINVAL,
		"the lz4 stream was made with a dictionary, which is not here");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_budget_is_what_it_is),
		cmocka_unit_test(no_more_is_allocated_than_was_taken),
		cmocka_unit_test(a_large_dictionary_is_taken_for_as_long_as_it_lasts),
		cmocka_unit_test(what_takes_more_than_there_is_is_refused),
		cmocka_unit_test(what_others_have_is_waited_for),
		cmocka_unit_test(threads_make_no_difference),
		cmocka_unit_test(threads_are_given_more_for_a_larger_dictionary),
		cmocka_unit_test(whole_blocks_come_out_at_once),
		cmocka_unit_test(threads_find_what_is_corrupt),
		cmocka_unit_test(zstd_says_how_much_it_is_unless_there_is_more),
		cmocka_unit_test(what_is_not_supported_is_said),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
