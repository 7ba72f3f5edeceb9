#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "decode-fixture.h"

#define CORRUPT "the zip is corrupt"

/* Of one member. */
static struct bytes make_zip(struct bytes content, unsigned odd)
{
	struct zip_maker maker = zip_begin();

	zip_add(&maker, "image.img", content, odd);
	return zip_end(&maker, odd & ZIP_WIDE, "");
}

static void each_way_to_say_a_size_is_understood(void **state)
{
	static const unsigned ways[] = {ZIP_PLAIN, ZIP_STORE, ZIP_WIDE, ZIP_STORE | ZIP_WIDE,
		ZIP_DESCRIBE, ZIP_DESCRIBE | ZIP_UNSIGNED, ZIP_DESCRIBE | ZIP_WIDE,
		ZIP_DESCRIBE | ZIP_UNSIGNED | ZIP_WIDE};
	static const size_t sizes[] = {0, 1, 5000, 200000};

	for (size_t s = 0; s < 4; s++) {
		_cleanup_bytes_ struct bytes content = make_content(sizes[s]);

		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			_cleanup_bytes_ struct bytes zip = make_zip(content, ways[i]);
			_cleanup_outcome_ struct outcome slowly =
				unpack(DECODE_ZIP, zip, 1 + s / 3, 1000, false);

			assert_unpacks(DECODE_ZIP, zip, content);
			assert_true(slowly.may_end);
			assert_int_equal(slowly.out.n, content.n);
		}
	}
}

static void what_is_cut_short_is_never_complete(void **state)
{
	static const unsigned ways[] = {ZIP_STORE, ZIP_DESCRIBE | ZIP_WIDE, ZIP_DESCRIBE};
	_cleanup_bytes_ struct bytes content = make_content(300);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct zip_maker maker = zip_begin();
		_cleanup_outcome_ struct outcome outcome = {.error = 0};
		struct bytes zip;
		struct decoder *decoder;

		zip_add(&maker, "image.img", content, ways[i]);
		zip = zip_end(&maker, true, "a comment PK\5\6");
		assert_int_equal(decoder_new(DECODE_ZIP, &decoder), 0);
		for (size_t at = 0; at < zip.n; at++) {
			feed(decoder, &outcome, zip.data + at, 1, 100, false);
			assert_int_equal(outcome.error, 0);
			assert_int_equal(outcome.may_end, at + 1 == zip.n);
		}
		decoder_free(decoder);
		bytes_free(&zip);
	}
}

static void directories_are_passed_over(void **state)
{
	struct bytes nothing = {(unsigned char *)"", 0};
	_cleanup_bytes_ struct bytes content = make_content(3000);
	struct zip_maker maker = zip_begin();
	_cleanup_bytes_ struct bytes zip = {NULL, 0};

	zip_add(&maker, "a/", nothing, ZIP_STORE);
	zip_add(&maker, "a/b/", nothing, ZIP_DESCRIBE);
	zip_add(&maker, "a/b/image.img", content, ZIP_DESCRIBE);
	zip_add(&maker, "c/", nothing, ZIP_STORE | ZIP_DESCRIBE);
	zip = zip_end(&maker, false, "and a comment");
	assert_unpacks(DECODE_ZIP, zip, content);
}

static void a_zip_is_of_one_file(void **state)
{
	_cleanup_bytes_ struct bytes content = make_content(3000), empty = bytes_new(0);
	struct zip_maker two = zip_begin(), none = zip_begin(), directory = zip_begin();

	zip_add(&two, "image.img", content, ZIP_PLAIN);
	zip_add(&two, "readme.txt", empty, ZIP_STORE);
	zip_add(&directory, "a/", empty, ZIP_STORE);
	_cleanup_bytes_ struct bytes zip = zip_end(&two, false, "");
	assert_fails(DECODE_ZIP, zip, -EINVAL, "this zip holds more than one file");
	_cleanup_bytes_ struct bytes zip_of_none = zip_end(&none, false, "");
	assert_fails(DECODE_ZIP, zip_of_none, -EINVAL, "this zip holds no file");
	_cleanup_bytes_ struct bytes zip_of_directory = zip_end(&directory, false, "");
	assert_fails(DECODE_ZIP, zip_of_directory, -EINVAL, "this zip holds no file");
}

static void what_cannot_be_read_is_refused(void **state)
{
	_cleanup_bytes_ struct bytes content = make_content(3000);
	_cleanup_bytes_ struct bytes encrypted = make_zip(content, ZIP_ENCRYPT);
	_cleanup_bytes_ struct bytes other = make_zip(content, ZIP_OTHER_METHOD);
	_cleanup_bytes_ struct bytes endless = make_zip(content, ZIP_STORE | ZIP_DESCRIBE);

	assert_fails(DECODE_ZIP, encrypted, -EINVAL, "this zip is encrypted");
	assert_fails(DECODE_ZIP, other, -EINVAL,
		"this zip is compressed by another method than deflate");
	assert_fails(DECODE_ZIP, endless, -EINVAL,
		"this zip does not say where its file ends; make it again, to a file and not into "
		"a "
		"pipe");
}

static void sizes_and_checksums_are_compared(void **state)
{
	static const unsigned ways[] = {ZIP_PLAIN, ZIP_STORE, ZIP_WIDE, ZIP_DESCRIBE,
		ZIP_DESCRIBE | ZIP_UNSIGNED, ZIP_DESCRIBE | ZIP_WIDE};
	_cleanup_bytes_ struct bytes content = make_content(3000);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		_cleanup_bytes_ struct bytes crc = make_zip(content, ways[i] | ZIP_WRONG_CRC);
		_cleanup_bytes_ struct bytes size = make_zip(content, ways[i] | ZIP_WRONG_SIZE);

		assert_fails(DECODE_ZIP, crc, -EBADMSG, CORRUPT);
		assert_fails(DECODE_ZIP, size, -EBADMSG, CORRUPT);
	}
}

static void the_directory_has_as_many_entries_as_there_are_members(void **state)
{
	_cleanup_bytes_ struct bytes content = make_content(300);
	struct zip_maker less = zip_begin(), more = zip_begin();

	zip_add(&less, "image.img", content, ZIP_PLAIN);
	less.members = 0;
	_cleanup_bytes_ struct bytes zip = zip_end(&less, false, "");
	assert_fails(DECODE_ZIP, zip, -EBADMSG, CORRUPT);
	zip_add(&more, "image.img", content, ZIP_PLAIN);
	more.members = 2;
	_cleanup_bytes_ struct bytes other = zip_end(&more, true, "");
	assert_fails(DECODE_ZIP, other, -EBADMSG, CORRUPT);
}

/* A flip of any bit: an error, or an end that does not come, or no matter. */
static void a_flip_of_any_bit_does_not_pass(void **state)
{
	static const unsigned ways[] = {ZIP_STORE, ZIP_PLAIN, ZIP_DESCRIBE | ZIP_WIDE};
	unsigned step = getenv("CM4FS_SHORT") ? 29 : 1;
	_cleanup_bytes_ struct bytes content = make_content(200);

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		_cleanup_bytes_ struct bytes zip = make_zip(content, ways[i]);

		for (size_t bit = 0; bit < zip.n * 8; bit += step) {
			zip.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
			_cleanup_outcome_ struct outcome outcome =
				unpack(DECODE_ZIP, zip, 100, 64, false);
			if (outcome.error == 0 && outcome.may_end) {
				assert_int_equal(outcome.out.n, content.n);
				assert_memory_equal(outcome.out.data, content.data, content.n);
			}
			zip.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
		}
	}
}

static void the_size_is_told_where_it_is_known(void **state)
{
	static const struct {
		unsigned odd;
		bool told;
	} ways[] = {{ZIP_PLAIN, true}, {ZIP_STORE | ZIP_WIDE, true}, {ZIP_DESCRIBE, false}};
	_cleanup_bytes_ struct bytes content = make_content(3000);

	for (size_t i = 0; i < 3; i++) {
		_cleanup_bytes_ struct bytes zip = make_zip(content, ways[i].odd);
		_cleanup_outcome_ struct outcome outcome = {.error = 0};
		struct decoder *decoder;

		assert_int_equal(decoder_new(DECODE_ZIP, &decoder), 0);
		assert_int_equal(decoder_total(decoder), 0);
		feed(decoder, &outcome, zip.data, 100, 4096, false);
		assert_int_equal(decoder_total(decoder), ways[i].told ? content.n : 0);
		decoder_free(decoder);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_to_say_a_size_is_understood),
		cmocka_unit_test(what_is_cut_short_is_never_complete),
		cmocka_unit_test(directories_are_passed_over),
		cmocka_unit_test(a_zip_is_of_one_file),
		cmocka_unit_test(what_cannot_be_read_is_refused),
		cmocka_unit_test(sizes_and_checksums_are_compared),
		cmocka_unit_test(the_directory_has_as_many_entries_as_there_are_members),
		cmocka_unit_test(a_flip_of_any_bit_does_not_pass),
		cmocka_unit_test(the_size_is_told_where_it_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
