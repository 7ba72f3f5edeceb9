#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sidecar/digest.h"
#include "util/hex.h"

/* FIPS 180-2's examples, and RFC 1321's. */
static const struct {
	const char *name, *hash;
} of_abc[] = {
	{"MD5", "900150983cd24fb0d6963f7d28e17f72"},
	{"SHA1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
	{"SHA256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"SHA512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		   "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
};

static void assert_is(struct digest *digest, const char *expected)
{
	unsigned char hash[DIGEST_SIZE_MAX];
	char text[2 * DIGEST_SIZE_MAX + 1];

	assert_int_equal(digest_final(digest, hash), 0);
	hex_encode(hash, digest_size(digest), text);
	assert_string_equal(text, expected);
}

static void digests_are_what_they_should_be(void **state)
{
	for (size_t i = 0; i < sizeof(of_abc) / sizeof(of_abc[0]); i++) {
		struct digest *digest;

		assert_int_equal(digest_new(of_abc[i].name, &digest), 0);
		assert_int_equal(digest_size(digest), strlen(of_abc[i].hash) / 2);
		digest_update(digest, "a", 1);
		digest_update(digest, "", 0);
		digest_update(digest, "bc", 2);
		assert_is(digest, of_abc[i].hash);
		digest_free(digest);
	}
}

static void a_digest_is_asked_in_the_middle_and_goes_on(void **state)
{
	struct digest *digest;

	assert_int_equal(digest_new("SHA256", &digest), 0);
	assert_is(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_update(digest, "abc", 3);
	assert_is(digest, of_abc[2].hash);
	assert_is(digest, of_abc[2].hash);
	digest_update(digest, "dbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 53);
	assert_is(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	digest_reset(digest);
	digest_update(digest, "abc", 3);
	assert_is(digest, of_abc[2].hash);
	digest_free(digest);
}

static void zeros_are_bytes_like_any_other(void **state)
{
	static const char zeros[100001];
	unsigned char hash[DIGEST_SIZE_MAX], expected[DIGEST_SIZE_MAX];
	struct digest *digest;

	assert_int_equal(digest_new("SHA256", &digest), 0);
	digest_update(digest, zeros, sizeof(zeros));
	assert_int_equal(digest_final(digest, expected), 0);
	digest_reset(digest);
	digest_zeros(digest, 0);
	digest_zeros(digest, 1);
	digest_zeros(digest, sizeof(zeros) - 1);
	assert_int_equal(digest_final(digest, hash), 0);
	assert_memory_equal(hash, expected, digest_size(digest));
	digest_free(digest);
}

static void there_is_none_of_an_unknown_name(void **state)
{
	struct digest *digest = NULL;

	assert_int_equal(digest_new("SHA257", &digest), -EINVAL);
	assert_int_equal(digest_new("", &digest), -EINVAL);
	assert_null(digest);
	digest_free(NULL);
}

static void hex_goes_there_and_back(void **state)
{
	unsigned char bytes[256], back[256];
	char text[513];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	hex_encode(bytes, sizeof(bytes), text);
	assert_int_equal(strlen(text), 512);
	assert_memory_equal(text, "000102", 6);
	assert_true(hex_decode(text, sizeof(back), back));
	assert_memory_equal(back, bytes, sizeof(bytes));
	assert_true(hex_decode("DeadBEEF", 4, back));
	assert_memory_equal(back, "\xde\xad\xbe\xef", 4);
}

static void what_is_no_hex_is_not_decoded(void **state)
{
	unsigned char bytes[4];

	assert_int_equal(hex_span("09afAFg", 7), 6);
	assert_int_equal(hex_span("09af", 2), 2);
	for (const char *const *text = (const char *const[]){"0g", "g0", " 0", "0x", "0", "", "-1",
		     "\xb0\xb0", NULL};
		*text; text++)
		assert_false(hex_decode(*text, 1, bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_are_what_they_should_be),
		cmocka_unit_test(a_digest_is_asked_in_the_middle_and_goes_on),
		cmocka_unit_test(zeros_are_bytes_like_any_other),
		cmocka_unit_test(there_is_none_of_an_unknown_name),
		cmocka_unit_test(hex_goes_there_and_back),
		cmocka_unit_test(what_is_no_hex_is_not_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
