#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proof/hasher.h"

/* As sha256sum prints it. */
static const char *to_text(const unsigned char hash[SHA256_SIZE])
{
	static char text[2 * SHA256_SIZE + 1];

	for (size_t i = 0; i < SHA256_SIZE; i++)
		sprintf(text + 2 * i, "%02x", hash[i]);
	return text;
}

/* FIPS 180-2's examples, and one of nothing. */
static const struct {
	const char *text, *hash;
} known[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static void hashes_are_what_they_should_be(void **state)
{
	unsigned char hash[SHA256_SIZE];
	struct sha256 *sha;

	assert_int_equal(sha256_new(&sha), 0);
	for (size_t i = 0; i < N_KNOWN; i++) {
		sha256_begin(sha);
		for (const char *c = known[i].text; *c; c++)
			sha256_add(sha, c, 1);
		assert_int_equal(sha256_end(sha, hash), 0);
		assert_string_equal(to_text(hash), known[i].hash);
	}
	sha256_free(sha);
	sha256_free(NULL);
}

static void a_hash_that_was_not_begun_is_none(void **state)
{
	unsigned char hash[SHA256_SIZE];
	struct sha256 *sha;

	assert_int_equal(sha256_new(&sha), 0);
	sha256_add(sha, "abc", 3);
	assert_true(sha256_end(sha, hash) < 0);
	sha256_begin(sha);
	assert_int_equal(sha256_end(sha, hash), 0);
	assert_true(sha256_end(sha, hash) < 0);
	sha256_free(sha);
}

static void a_hasher_hashes_one_vector_after_the_other(void **state)
{
	unsigned char hash[SHA256_SIZE];
	struct hasher *hasher;

	assert_int_equal(hasher_new(&hasher), 0);
	for (size_t round = 0; round < 100; round++) {
		const char *text = known[round % N_KNOWN].text;
		size_t n = strlen(text);
		struct iovec iov[2] = {{(void *)text, n / 2}, {(void *)(text + n / 2), n - n / 2}};

		hasher_start(hasher, iov, 2);
		assert_int_equal(hasher_finish(hasher, hash), 0);
		assert_string_equal(to_text(hash), known[round % N_KNOWN].hash);
	}
	hasher_free(hasher);
}

static void a_hasher_is_freed_idle_and_busy(void **state)
{
	static char bytes[1 << 20];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct hasher *hasher;

	assert_int_equal(hasher_new(&hasher), 0);
	hasher_free(hasher);
	assert_int_equal(hasher_new(&hasher), 0);
	hasher_start(hasher, &iov, 1);
	hasher_free(hasher);
	hasher_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_what_they_should_be),
		cmocka_unit_test(a_hash_that_was_not_begun_is_none),
		cmocka_unit_test(a_hasher_hashes_one_vector_after_the_other),
		cmocka_unit_test(a_hasher_is_freed_idle_and_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
