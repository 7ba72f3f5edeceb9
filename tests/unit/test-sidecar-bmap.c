#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bmap-fixture.h"

static const struct {
	uint64_t first, end;
	char content;
} mapped[] = {{0, 2, 'a'}, {5, 6, 'b'}, {18, 20, 'c'}};

static struct bmap *sample(const char *name)
{
	struct text text;
	struct bmap *bmap;
	char why[256];

	read_sample(name, &text);
	assert_int_equal(parse_bmap(text.bytes, text.size, &bmap, why), 0);
	return bmap;
}

static void assert_map(const struct bmap *bmap)
{
	assert_int_equal(bmap->image_size, SAMPLE_SIZE);
	assert_int_equal(bmap->block_size, SAMPLE_BLOCK);
	assert_int_equal(bmap->n_blocks, 20);
	assert_int_equal(bmap->n_mapped, 5);
	assert_int_equal(bmap->n_ranges, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(bmap->ranges[i].first, mapped[i].first);
		assert_int_equal(bmap->ranges[i].end, mapped[i].end);
	}
}

/* Of the image's bytes: the last block ends with it. */
static void assert_sums(const struct bmap *bmap, const char *name, size_t size)
{
	unsigned char hash[DIGEST_SIZE_MAX];
	struct digest *digest;

	assert_string_equal(bmap->digest, name);
	assert_int_equal(bmap->sum_size, size);
	assert_int_equal(digest_new(bmap->digest, &digest), 0);
	for (size_t i = 0; i < 3; i++) {
		uint64_t end = mapped[i].end * SAMPLE_BLOCK;

		digest_reset(digest);
		for (uint64_t at = mapped[i].first * SAMPLE_BLOCK; at < end && at < SAMPLE_SIZE;
			at++)
			digest_update(digest, &mapped[i].content, 1);
		assert_int_equal(digest_final(digest, hash), 0);
		assert_true(bmap->ranges[i].has_sum);
		assert_memory_equal(bmap->ranges[i].sum, hash, size);
	}
	digest_free(digest);
}

static void assert_no_sums(const struct bmap *bmap)
{
	for (size_t i = 0; i < bmap->n_ranges; i++)
		assert_false(bmap->ranges[i].has_sum);
}

static void a_bmap_of_bmaptool_is_understood(void **state)
{
	struct bmap *bmap = sample("2.0");

	assert_map(bmap);
	assert_sums(bmap, "SHA256", 32);
	bmap_unref(bmap);
}

static void a_bmap_may_have_no_sums_of_its_ranges(void **state)
{
	struct bmap *bmap = sample("2.0-without-sums");

	assert_map(bmap);
	assert_no_sums(bmap);
	assert_string_equal(bmap->digest, "SHA256");
	bmap_unref(bmap);
}

static void older_versions_are_understood(void **state)
{
	struct bmap *bmap = sample("1.4");

	assert_map(bmap);
	assert_sums(bmap, "SHA256", 32);
	bmap_unref(bmap);

	bmap = sample("1.3");
	assert_map(bmap);
	assert_sums(bmap, "SHA1", 20);
	bmap_unref(bmap);

	bmap = sample("1.2");
	assert_map(bmap);
	assert_no_sums(bmap);
	assert_null(bmap->digest);
	assert_int_equal(bmap->sum_size, 0);
	bmap_unref(bmap);
}

static void checksums_are_of_the_type_that_it_names(void **state)
{
	static const struct {
		const char *type, *evp;
		size_t size;
	} types[] = {
		{"sha512", "SHA512", 64},
		{"sha384", "SHA384", 48},
		{"SHA1", "SHA1", 20},
		{"md5", "MD5", 16},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct text text;
		struct bmap *bmap;
		char sum[65], zeros[129] = "", type[64], why[256];

		read_sample("2.0-without-sums", &text);
		snprintf(type, sizeof(type), "> %s <", types[i].type);
		replace(&text, "> sha256 <", type);
		snprintf(sum, sizeof(sum), "%s",
			strstr(text.bytes, "<BmapFile") + strlen("<BmapFileChecksum> "));
		memset(zeros, '0', 2 * types[i].size);
		replace(&text, sum, zeros);
		seal(&text, types[i].evp);
		assert_int_equal(parse_bmap(text.bytes, text.size, &bmap, why), 0);
		assert_string_equal(bmap->digest, types[i].evp);
		assert_int_equal(bmap->sum_size, types[i].size);
		bmap_unref(bmap);
	}
}

static struct bmap *changed(const char *name, const char *what, const char *with)
{
	struct text text;
	struct bmap *bmap;
	char why[256];

	read_sample(name, &text);
	replace(&text, what, with);
	if (strcmp(name, "1.2"))
		seal(&text, "SHA256");
	assert_int_equal(parse_bmap(text.bytes, text.size, &bmap, why), 0);
	return bmap;
}

static void what_a_later_version_adds_is_passed_over(void **state)
{
	struct bmap *bmap = changed("2.0", "<BlockMap>",
		"<New of=\"it\"> 1 <ImageSize>7</ImageSize><Range> 9 </Range></New><BlockMap "
		"new=\"\">");

	assert_map(bmap);
	assert_sums(bmap, "SHA256", 32);
	bmap_unref(bmap);

	bmap = changed("2.0", "<bmap version=\"2.0\">", "<bmap version=\"2.1\" new=\"\">");
	assert_map(bmap);
	bmap_unref(bmap);
}

static void an_image_may_be_all_holes_or_have_none(void **state)
{
	struct text text;
	struct bmap *bmap;
	char why[256];

	read_sample("1.2", &text);
	replace(&text, "<Range> 0-1 </Range>", "");
	replace(&text, "<Range> 5-5 </Range>", "");
	replace(&text, "<Range> 18-19 </Range>", "");
	replace(&text, "> 5    <", "> 0 <");
	assert_int_equal(parse_bmap(text.bytes, text.size, &bmap, why), 0);
	assert_int_equal(bmap->n_ranges, 0);
	assert_null(bmap_find(bmap, 0));
	bmap_unref(bmap);

	replace(&text, "<BlockMap>", "<BlockMap><Range>0-18</Range><Range>\n\t19 - 19\r\n</Range>");
	replace(&text, "> 0 <", "> 20 <");
	assert_int_equal(parse_bmap(text.bytes, text.size, &bmap, why), 0);
	assert_int_equal(bmap->n_ranges, 2);
	bmap_unref(bmap);
}

static void blocks_may_be_small_and_large(void **state)
{
	struct text text;
	struct bmap *bmap;
	char why[256];

	read_sample("1.2", &text);
	replace(&text, "> 4096 <", "> 512 <");
	replace(&text, "> 80920 <", "> 10240 <");
	assert_int_equal(parse_bmap(text.bytes, text.size, &bmap, why), 0);
	bmap_unref(bmap);

	replace(&text, "> 512 <", "> 1048576 <");
	replace(&text, "> 10240 <", "> 19922945 <");
	assert_int_equal(parse_bmap(text.bytes, text.size, &bmap, why), 0);
	assert_int_equal(bmap->block_size, 1 << 20);
	bmap_unref(bmap);
}

static void the_range_of_a_block_is_found(void **state)
{
	static const int expected[] = {
		0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, -1, -1};
	struct bmap *bmap = sample("2.0");

	for (size_t block = 0; block < sizeof(expected) / sizeof(expected[0]); block++)
		assert_ptr_equal(bmap_find(bmap, block),
			expected[block] < 0 ? NULL : &bmap->ranges[expected[block]]);
	assert_null(bmap_find(bmap, UINT64_MAX));
	bmap_unref(bmap);
	bmap_unref(NULL);
}

static void many_ranges_are_found_fast(void **state)
{
	enum { N = 100000 };
	char *text = malloc(64 * N);
	struct bmap *bmap;
	char why[256];
	int n;

	assert_non_null(text);
	n = sprintf(text,
		"<bmap version=\"1.2\"><ImageSize>%u</ImageSize><BlockSize>512</BlockSize>"
		"<BlocksCount>%u</BlocksCount><MappedBlocksCount>%u</MappedBlocksCount><BlockMap>",
		2 * N * 512, 2 * N, N);
	for (int i = 0; i < N; i++)
		n += sprintf(text + n, "<Range>%d</Range>", 2 * i);
	n += sprintf(text + n, "</BlockMap></bmap>");
	assert_int_equal(parse_bmap(text, (size_t)n, &bmap, why), 0);
	assert_int_equal(bmap->n_ranges, N);
	for (uint64_t block = 0; block < 2 * N - 1; block++)
		assert_int_equal(bmap_find(bmap, block)->first, (block + 1) / 2 * 2);
	assert_null(bmap_find(bmap, 2 * N - 1));
	bmap_unref(bmap);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bmap_of_bmaptool_is_understood),
		cmocka_unit_test(a_bmap_may_have_no_sums_of_its_ranges),
		cmocka_unit_test(older_versions_are_understood),
		cmocka_unit_test(checksums_are_of_the_type_that_it_names),
		cmocka_unit_test(what_a_later_version_adds_is_passed_over),
		cmocka_unit_test(an_image_may_be_all_holes_or_have_none),
		cmocka_unit_test(blocks_may_be_small_and_large),
		cmocka_unit_test(the_range_of_a_block_is_found),
		cmocka_unit_test(many_ranges_are_found_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
