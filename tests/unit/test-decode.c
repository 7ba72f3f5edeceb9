#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "decode-fixture.h"

static struct bytes pack_two_blocks(struct bytes content)
{
	return pack_xz_blocks(content, content.n / 2 + 1);
}

static const struct {
	enum decode_format format;
	struct bytes (*pack)(struct bytes content);
	bool many;	/* files, one behind the other, are one */
	unsigned zeros; /* of which any number that this divides may follow; 0: none may */
	const char *garbage;
} formats[] = {
	{DECODE_XZ, pack_xz, true, 4,
		"bytes follow the end of the xz stream that are no xz stream"},
	{DECODE_XZ, pack_two_blocks, true, 4,
		"bytes follow the end of the xz stream that are no xz stream"},
	{DECODE_GZ, pack_gz, true, 1,
		"bytes follow the end of the gzip stream that are no gzip stream"},
	{DECODE_ZST, pack_zst, true, 0,
		"bytes follow the end of the zstd stream that are no zstd stream"},
	{DECODE_BZ2, pack_bz2, true, 0,
		"bytes follow the end of the bzip2 stream that are no bzip2 stream"},
	{DECODE_LZ4, pack_lz4, true, 0,
		"bytes follow the end of the lz4 stream that are no lz4 stream"},
	{DECODE_ZIP, pack_zip, false, 0, "bytes follow the end of the zip"},
};

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

static void formats_are_known_by_content(void **state)
{
	_cleanup_bytes_ struct bytes content = make_content(1000);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content);

		assert_int_equal(decode_sniff(packed.data, packed.n), formats[i].format);
		assert_int_equal(decode_sniff(packed.data, DECODE_SNIFF), formats[i].format);
		assert_int_equal(decode_sniff(packed.data, 2), DECODE_RAW);
	}
	assert_int_equal(decode_sniff(content.data, content.n), DECODE_RAW);
	assert_int_equal(decode_sniff("", 0), DECODE_RAW);
	assert_int_equal(decode_sniff("\x1f\x8b\x08", 3), DECODE_GZ);
	assert_int_equal(decode_sniff("BZh91AY&S", 9), DECODE_RAW);
	assert_int_equal(decode_sniff("BZh91AY&SY", 10), DECODE_BZ2);
	assert_int_equal(decode_sniff("BZh9 this is text", 17), DECODE_RAW);
	assert_int_equal(decode_sniff("\x5f\x2a\x4d\x18", 4), DECODE_ZST);
	assert_int_equal(decode_sniff("\x02\x21\x4c\x18", 4), DECODE_LZ4);
	assert_int_equal(decode_sniff("PK\5\6", 4), DECODE_ZIP);
}

static void formats_have_names(void **state)
{
	assert_string_equal(decode_format_to_string(DECODE_RAW), "raw");
	assert_string_equal(decode_format_to_string(DECODE_ZST), "zst");
}

static void a_file_may_come_and_go_in_pieces_of_any_size(void **state)
{
	static const size_t pieces[] = {1, 7, 4096, SIZE_MAX / 2};
	_cleanup_bytes_ struct bytes content = make_content(getenv("CM4FS_SHORT") ? 10000 : 50000);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content);

		for (size_t p = 0; p < 16; p++) {
			size_t in = pieces[p / 4], out = pieces[p % 4];
			_cleanup_outcome_ struct outcome outcome =
				unpack(formats[i].format, packed, in < packed.n ? in : packed.n,
					out < content.n ? out : content.n + 1, p % 3 == 0);

			assert_int_equal(outcome.error, 0);
			assert_true(outcome.may_end);
			assert_int_equal(outcome.out.n, content.n);
			assert_memory_equal(outcome.out.data, content.data, content.n);
			if (p > 4 && getenv("CM4FS_SHORT"))
				break;
		}
	}
	assert_int_equal(budget_used(), 0);
}

static void nothing_is_a_file_as_well(void **state)
{
	_cleanup_bytes_ struct bytes nothing = bytes_new(0);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(nothing);

		assert_unpacks(formats[i].format, packed, nothing);
	}
}

static void files_behind_each_other_are_one(void **state)
{
	_cleanup_bytes_ struct bytes content = make_content(2000), twice = join(content, content);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content),
					     both = join(packed, packed);

		if (formats[i].many)
			assert_unpacks(formats[i].format, both, twice);
		else
			assert_fails(formats[i].format, both, -EBADMSG, formats[i].garbage);
	}
}

/* To have come so far is to be cut short there. */
static void what_is_cut_short_is_never_complete(void **state)
{
	_cleanup_bytes_ struct bytes content = make_content(1500);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content),
					     both = join(packed, packed);
		size_t n = formats[i].many ? both.n : packed.n;
		_cleanup_outcome_ struct outcome outcome = {.error = 0};
		struct decoder *decoder;

		assert_int_equal(decoder_new(formats[i].format, &decoder), 0);
		assert_false(decoder_may_end(decoder));
		for (size_t at = 0; at < n; at++) {
			bool whole = at + 1 == packed.n || at + 1 == both.n;

			feed(decoder, &outcome, both.data + at, 1, 4096, false);
			assert_int_equal(outcome.error, 0);
			assert_int_equal(outcome.may_end, whole);
			assert_int_equal(*decoder_text(decoder) == '\0', whole);
		}
		decoder_free(decoder);
	}
}

static void what_is_corrupt_never_passes(void **state)
{
	unsigned rounds = getenv("CM4FS_SHORT") ? 60 : 600, caught = 0, all = 0;
	_cleanup_bytes_ struct bytes content = make_content(3000);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content);

		for (unsigned round = 0; round < rounds; round++) {
			size_t at = fixture_random() % packed.n;
			unsigned char flip = (unsigned char)(1u << fixture_random() % 8);

			packed.data[at] ^= flip;
			_cleanup_outcome_ struct outcome outcome =
				unpack(formats[i].format, packed, 500, 700, false);
			if (outcome.error == 0 && outcome.may_end) {
				/* A date, or a name. */
				assert_int_equal(outcome.out.n, content.n);
				assert_memory_equal(outcome.out.data, content.data, content.n);
			} else {
				assert_string_not_equal(outcome.text, "");
				caught++;
			}
			all++;
			packed.data[at] ^= flip;
		}
	}
	assert_true(caught > all * 8 / 10);
	assert_int_equal(budget_used(), 0);
}

static void an_error_sticks(void **state)
{
	_cleanup_bytes_ struct bytes content = make_content(3000);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content);
		_cleanup_outcome_ struct outcome outcome = {.error = 0};
		struct decoder *decoder;

		memset(packed.data + packed.n / 2, 0xa5, 40);
		assert_int_equal(decoder_new(formats[i].format, &decoder), 0);
		feed(decoder, &outcome, packed.data, packed.n, 4096, false);
		assert_int_equal(outcome.error, -EBADMSG);
		for (unsigned again = 0; again < 3; again++) {
			feed(decoder, &outcome, packed.data, packed.n, 4096, false);
			assert_int_equal(outcome.error, -EBADMSG);
			assert_false(outcome.may_end);
		}
		assert_int_equal(budget_used(), 0);
		decoder_free(decoder);
	}
}

static void nothing_else_may_follow(void **state)
{
	static unsigned char text[] = "something else that follows";
	_cleanup_bytes_ struct bytes content = make_content(1000);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content);

		for (size_t n = 1; n < sizeof(text); n++) {
			_cleanup_bytes_ struct bytes more = join(packed, (struct bytes){text, n});

			assert_fails(formats[i].format, more, -EBADMSG, formats[i].garbage);
		}
		/* What begins as another does. */
		_cleanup_bytes_ struct bytes half = join(packed, (struct bytes){packed.data, 1}),
					     other = join(half, (struct bytes){text, 26});
		assert_fails(formats[i].format, other, -EBADMSG, formats[i].garbage);
	}
}

static void zeros_may_follow_where_the_format_has_them(void **state)
{
	static unsigned char zeros[64];
	_cleanup_bytes_ struct bytes content = make_content(1000);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content);

		for (unsigned n = 1; n <= sizeof(zeros); n++) {
			_cleanup_bytes_ struct bytes more = join(packed, (struct bytes){zeros, n});
			_cleanup_outcome_ struct outcome outcome =
				unpack(formats[i].format, more, more.n, 4096, false);

			if (formats[i].zeros == 0)
				assert_string_equal(outcome.text, formats[i].garbage);
			else
				assert_int_equal(outcome.may_end, n % formats[i].zeros == 0);
			assert_int_equal(outcome.error, formats[i].zeros ? 0 : -EBADMSG);
		}
	}
}

static void an_xz_may_go_on_behind_zeros_and_a_gz_may_not(void **state)
{
	static unsigned char zeros[8];
	_cleanup_bytes_ struct bytes content = make_content(500), twice = join(content, content),
				     xz = pack_xz(content), gz = pack_gz(content),
				     xz8 = join(xz, (struct bytes){zeros, 8}),
				     xz6 = join(xz, (struct bytes){zeros, 6}),
				     gz8 = join(gz, (struct bytes){zeros, 8}), good = join(xz8, xz),
				     odd = join(xz6, xz), tape = join(gz8, gz);

	assert_unpacks(DECODE_XZ, good, twice);
	assert_fails(DECODE_XZ, odd, -EBADMSG, formats[0].garbage);
	assert_fails(DECODE_GZ, tape, -EBADMSG, formats[2].garbage);
}

static void frames_to_be_skipped_are_skipped(void **state)
{
	static unsigned char skippable[] = "\x53\x2a\x4d\x18\x04\0\0\0abcd\x50\x2a\x4d\x18\0\0\0";
	struct bytes skip = {skippable, sizeof(skippable)}; /* and a zero that counts */
	_cleanup_bytes_ struct bytes content = make_content(5000), twice = join(content, content);

	for (size_t i = 0; i < N_FORMATS; i++) {
		if (formats[i].format != DECODE_ZST && formats[i].format != DECODE_LZ4)
			continue;
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content),
					     a = join(skip, packed), b = join(a, a),
					     c = join(b, skip);
		assert_unpacks(formats[i].format, c, twice);
		for (size_t piece = 1; piece < 9; piece++) {
			_cleanup_outcome_ struct outcome outcome =
				unpack(formats[i].format, c, piece, 100, false);
			assert_true(outcome.may_end);
			assert_int_equal(outcome.out.n, twice.n);
		}
	}
}

static void a_call_with_nothing_does_nothing(void **state)
{
	_cleanup_bytes_ struct bytes content = make_content(5000);

	for (size_t i = 0; i < N_FORMATS; i++) {
		_cleanup_bytes_ struct bytes packed = formats[i].pack(content);
		_cleanup_outcome_ struct outcome outcome = {.error = 0};
		struct decoder *decoder;

		assert_int_equal(decoder_new(formats[i].format, &decoder), 0);
		for (size_t at = 0; at < packed.n; at += 100) {
			for (unsigned idle = 0; idle < 40; idle++)
				feed(decoder, &outcome, NULL, 0, 4096, idle % 2);
			feed(decoder, &outcome, packed.data + at,
				packed.n - at < 100 ? packed.n - at : 100, 4096, false);
			assert_int_equal(outcome.error, 0);
		}
		for (unsigned idle = 0; idle < 40; idle++)
			feed(decoder, &outcome, NULL, 0, 4096, false);
		assert_true(outcome.may_end);
		assert_int_equal(outcome.out.n, content.n);
		decoder_free(decoder);
	}
	decoder_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_are_known_by_content),
		cmocka_unit_test(formats_have_names),
		cmocka_unit_test(a_file_may_come_and_go_in_pieces_of_any_size),
		cmocka_unit_test(nothing_is_a_file_as_well),
		cmocka_unit_test(files_behind_each_other_are_one),
		cmocka_unit_test(what_is_cut_short_is_never_complete),
		cmocka_unit_test(what_is_corrupt_never_passes),
		cmocka_unit_test(an_error_sticks),
		cmocka_unit_test(nothing_else_may_follow),
		cmocka_unit_test(zeros_may_follow_where_the_format_has_them),
		cmocka_unit_test(an_xz_may_go_on_behind_zeros_and_a_gz_may_not),
		cmocka_unit_test(frames_to_be_skipped_are_skipped),
		cmocka_unit_test(a_call_with_nothing_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
