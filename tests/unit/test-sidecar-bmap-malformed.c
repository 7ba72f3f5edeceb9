#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bmap-fixture.h"

static void assert_refused_text(const char *bytes, size_t size, int error, const char *words)
{
	struct bmap *bmap;
	char why[256];

	assert_int_equal(parse_bmap(bytes, size, &bmap, why), error);
	if (!strstr(why, words))
		assert_string_equal(why, words);
}

/* The sample with one change, and a checksum that fits the change. */
static void assert_refused(const char *name, const char *what, const char *with, const char *words)
{
	struct text text;

	read_sample(name, &text);
	replace(&text, what, with);
	if (strstr(text.bytes, "<BmapFile"))
		seal(&text, strcmp(name, "1.3") ? "SHA256" : "SHA1");
	assert_refused_text(text.bytes, text.size, -EINVAL, words);
}

static bool is_same(const struct bmap *one, const struct bmap *other)
{
	if (one->image_size != other->image_size || one->block_size != other->block_size ||
		one->n_blocks != other->n_blocks || one->n_mapped != other->n_mapped ||
		one->digest != other->digest || one->n_ranges != other->n_ranges)
		return false;
	for (size_t i = 0; i < one->n_ranges; i++) {
		const struct bmap_range *a = &one->ranges[i], *b = &other->ranges[i];

		if (a->first != b->first || a->end != b->end || a->has_sum != b->has_sum ||
			memcmp(a->sum, b->sum, sizeof(a->sum)))
			return false;
	}
	return true;
}

static void one_changed_character_changes_nothing_unnoticed(void **state)
{
	static const char *const names[] = {"2.0", "2.0-without-sums", "1.4", "1.3"};
	static const unsigned char flips[] = {0x01, 0x02, 0x04, 0x10, 0x20, 0x80};
	const size_t n_flips = getenv("CM4FS_SHORT") ? 1 : sizeof(flips);
	struct bmap *original, *bmap;
	struct text text;
	char why[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		read_sample(names[i], &text);
		assert_int_equal(parse_bmap(text.bytes, text.size, &original, why), 0);
		for (size_t n = 0; n < text.size * n_flips; n++) {
			size_t at = n / n_flips;
			char flip = (char)flips[n % n_flips];

			text.bytes[at] ^= flip;
			/* A digit of its own checksum may be a capital. */
			if (parse_bmap(text.bytes, text.size, &bmap, why) == 0)
				assert_true(is_same(bmap, original));
			bmap_unref(bmap);
			text.bytes[at] ^= flip;
		}
		bmap_unref(original);
	}
}

static void no_truncated_bmap_is_accepted(void **state)
{
	static const char *const names[] = {"2.0", "2.0-without-sums", "1.4", "1.3"};
	struct text text;
	struct bmap *bmap;
	char why[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		read_sample(names[i], &text);
		for (size_t size = 0; size < text.size; size++)
			assert_true(parse_bmap(text.bytes, size, &bmap, why) < 0);
	}
	/* It has no checksum; what ends behind its last tag is whole. */
	read_sample("1.2", &text);
	for (size_t size = 0; size < text.size - 1; size++)
		assert_int_equal(parse_bmap(text.bytes, size, &bmap, why), -EINVAL);
}

static void its_own_checksum_has_to_be_right(void **state)
{
	struct text text;

	read_sample("2.0", &text);
	replace(&text, "Image size in bytes", "Image size in blocks");
	assert_refused_text(text.bytes, text.size, -EBADMSG, "its own checksum");
	read_sample("1.3", &text);
	replace(&text, "</bmap>\n", "</bmap>\n\n");
	assert_refused_text(text.bytes, text.size, -EBADMSG, "its own checksum");
	read_sample("2.0", &text);
	replace(&text, "<BmapFileChecksum> ", "<BmapFileChecksum> 0");
	assert_refused_text(text.bytes, text.size, -EINVAL, "none of SHA256");
	replace(&text, "<BmapFileChecksum> 0", "<BmapFileChecksum> x");
	assert_refused_text(text.bytes, text.size, -EINVAL, "its own checksum is none");
	replace(&text, "<BmapFileChecksum> x", "<BmapFileChecksum> <!-- --> ");
	assert_refused_text(text.bytes, text.size, -EINVAL, "its own checksum is none");
	replace(&text, "<BmapFileChecksum> ", "<BmapFileChecksum/><New>");
	replace(&text, "</BmapFileChecksum>", "</New>");
	assert_refused_text(text.bytes, text.size, -EINVAL, "its own checksum is none");
}

static void no_version_but_those_that_are_known(void **state)
{
	static const char *const versions[] = {"3.0", "0.9", "1.5", "18446744073709551617.0", NULL};
	static const char *const odd[] = {
		"2", "", ".", "2.", ".0", "2.0.0", "-2.0", "two", "2,0", NULL};
	char version[64];

	for (const char *const *v = versions; *v; v++) {
		snprintf(version, sizeof(version), "version=\"%s\"", *v);
		assert_refused("2.0", "version=\"2.0\"", version, "version");
	}
	for (const char *const *v = odd; *v; v++) {
		snprintf(version, sizeof(version), "version=\"%s\"", *v);
		assert_refused("2.0", "version=\"2.0\"", version, "it does not say which version");
	}
	assert_refused("2.0", "bmap version", "bmap vision", "it does not say which version");
}

/* Or its checksums could be taken away by one character. */
static void no_version_has_the_checksums_of_another(void **state)
{
	assert_refused(
		"2.0", "version=\"2.0\"", "version=\"1.2\"", "its version has no ChecksumType");
	assert_refused(
		"1.4", "version=\"1.4\"", "version=\"1.3\"", "its version has no ChecksumType");
	assert_refused(
		"1.3", "version=\"1.3\"", "version=\"1.2\"", "its version has no BmapFileSHA1");
	assert_refused(
		"1.3", "version=\"1.3\"", "version=\"1.4\"", "its version has no BmapFileSHA1");
	assert_refused("1.2", "<Range>", "<Range sha1=\"\">", "its version has no sha1");
	assert_refused("1.2", "<Range>", "<Range chksum=\"\">", "its version has no chksum");
	assert_refused("2.0", "chksum=", "sha1=", "its version has no sha1");
	assert_refused("1.3", "sha1=", "chksum=", "its version has no chksum");
}

static void every_element_is_there_once(void **state)
{
	static const char *const names[] = {
		"ImageSize", "BlockSize", "BlocksCount", "MappedBlocksCount", "BlockMap", NULL};

	for (const char *const *name = names; *name; name++) {
		char begin[64], end[64], other_begin[64], other_end[64], twice[128], words[64];
		struct text text;

		snprintf(begin, sizeof(begin), "<%s> ", *name);
		snprintf(end, sizeof(end), "</%s>", *name);
		snprintf(other_begin, sizeof(other_begin), "<Other> ");
		snprintf(other_end, sizeof(other_end), "</Other>");
		snprintf(words, sizeof(words), "it has no %s", *name);
		read_sample("1.2", &text);
		if (strcmp(*name, "BlockMap") == 0)
			replace(&text, "<BlockMap>", "<Other>");
		else
			replace(&text, begin, other_begin);
		replace(&text, end, other_end);
		assert_refused_text(text.bytes, text.size, -EINVAL, words);

		snprintf(twice, sizeof(twice), "</%s><%s>0</%s>", *name, *name, *name);
		snprintf(words, sizeof(words), "it has more than one %s", *name);
		read_sample("2.0", &text);
		replace(&text, end, twice);
		seal(&text, "SHA256");
		assert_refused_text(text.bytes, text.size, -EINVAL, words);
	}
	assert_refused("2.0", "<ChecksumType> sha256 </ChecksumType>", "", "no ChecksumType");
	assert_refused("2.0", "<ChecksumType>", "<ChecksumType>sha1</ChecksumType><ChecksumType>",
		"more than one ChecksumType");
}

static void a_checksum_is_of_a_known_type_and_its_length(void **state)
{
	assert_refused("2.0", "> sha256 <", "> sha257 <", "ChecksumType is not known");
	assert_refused("2.0", "> sha256 <", "> <", "ChecksumType is not known");
	assert_refused("2.0", "> sha256 <", "> sha256 sha1 <", "ChecksumType is not known");
	assert_refused("2.0", "> sha256 <", "> sha512 <", "is none of SHA512");
	assert_refused("2.0", "chksum=\"", "chksum=\"0", "the checksum of range 1 is none");
	assert_refused("2.0", "chksum=\"d", "chksum=\"", "the checksum of range 1 is none");
	assert_refused("2.0", "chksum=\"d", "chksum=\"x", "the checksum of range 1 is none");
	assert_refused("2.0", "chksum=\"d", "chksum=\" ", "the checksum of range 1 is none");
	assert_refused(
		"2.0", "chksum=\"d", "chksum=\"\" other=\"", "the checksum of range 1 is none");
}

static void numbers_are_numbers(void **state)
{
	static const char *const odd[] = {"", " ", "-4096", "+4096", "0x1000", "4096.0", "4_096",
		"4 096", "18446744073709551616", "99999999999999999999999999",
		"9223372036854775808", "4096k", "<!-- -->4096", "<x/>4096", "&#52;096",
		"<![CDATA[4096]]>", "\xc2\xb2", NULL};
	char with[128];

	for (const char *const *number = odd; *number; number++) {
		snprintf(with, sizeof(with), ">%s<", *number);
		assert_refused("2.0", "> 4096 <", with, "its BlockSize is not a number");
		assert_refused("2.0", "> 80920 <", with, "its ImageSize is not a number");
		assert_refused("2.0", "> 20 <", with, "its BlocksCount is not a number");
		assert_refused("2.0", "> 5  <", with, "its MappedBlocksCount is not a number");
	}
}

static void numbers_agree(void **state)
{
	static const char *const sizes[] = {
		"0", "1", "256", "511", "513", "4095", "2097152", "4294967296", "4294971392", NULL};
	char with[64];

	for (const char *const *size = sizes; *size; size++) {
		snprintf(with, sizeof(with), ">%s<", *size);
		assert_refused("2.0", "> 4096 <", with, "impossible size");
	}
	assert_refused("2.0", "> 4096 <", ">8192<", "its BlocksCount");
	assert_refused("2.0", "> 80920 <", ">77824<", "its BlocksCount");
	assert_refused("2.0", "> 80920 <", ">81921<", "its BlocksCount");
	assert_refused("2.0", "> 80920 <", ">9223372036854775807<", "larger than any disk");
	assert_refused("2.0", "> 80920 <", ">70368744177665<", "larger than any disk");
	assert_refused("2.0", "> 80920 <", ">0<", "an image of no bytes");
	assert_refused("2.0", "> 20 <", ">21<", "its BlocksCount");
	assert_refused("2.0", "> 20 <", ">0<", "its BlocksCount");
	assert_refused("2.0", "> 5  <", ">4<", "its MappedBlocksCount");
	assert_refused("2.0", "> 5  <", ">0<", "its MappedBlocksCount");
}

static void ranges_ascend_within_the_image(void **state)
{
	static const char *const odd[] = {"", "-", "5-", "-5", "5--5", "5-6-7", "five", "5,6",
		"5 6", "0x5", "5-18446744073709551616", "18446744073709551616", "<x/>", "<x>5</x>",
		NULL};
	char with[64];

	for (const char *const *range = odd; *range; range++) {
		snprintf(with, sizeof(with), ">%s</Range>", *range);
		assert_refused("2.0", "> 5 </Range>", with, "range 2 is none");
	}
	assert_refused("2.0", "> 5 <", ">1<", "range 2 does not lie behind");
	assert_refused("2.0", "> 5 <", ">0-1<", "range 2 does not lie behind");
	assert_refused("2.0", "> 5 <", ">5-18<", "range 3 does not lie behind");
	assert_refused("2.0", "> 5 <", ">19<", "range 3 does not lie behind");
	assert_refused("2.0", "> 5 <", ">6-5<", "range 2 ends before it begins");
	assert_refused("2.0", "> 18-19 <", ">18-18446744073709551615<", "too far out");
	assert_refused("2.0", "> 18-19 <", ">18-18446744073709551614<", "ends behind the image");
	assert_refused("2.0", "> 18-19 <", ">19-20<", "ends behind the image");
	assert_refused("2.0", "> 18-19 <", ">20-21<", "ends behind the image");
	assert_refused("2.0", "> 18-19 <", ">19<", "its MappedBlocksCount");
	assert_refused("2.0", "</BlockMap>", "<Block/></BlockMap>", "more than ranges");
}

/* Refused where it begins, before one of its entities is. */
static void a_document_type_is_refused(void **state)
{
	static const char *const types[] = {"<!DOCTYPE bmap>",
		"<!DOCTYPE bmap SYSTEM \"/etc/passwd\">",
		"<!DOCTYPE bmap PUBLIC \"-//x\" \"http://localhost/bmap.dtd\">",
		"<!DOCTYPE bmap [<!ENTITY size SYSTEM \"file:///etc/passwd\">]>",
		"<!DOCTYPE bmap [<!ENTITY % all SYSTEM \"http://localhost/\"> %all;]>",
		"<!DOCTYPE bmap [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
		"<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d "
		"\"&c;&c;&c;&c;&c;&c;&c;&c;\">]>",
		"<!DOCTYPE bmap [<!ATTLIST Range chksum CDATA \"00\">]>", NULL};
	char with[1024];

	for (const char *const *type = types; *type; type++) {
		snprintf(with, sizeof(with), "%s<bmap", *type);
		assert_refused("2.0", "<bmap", with, "it declares a document type");
	}
	assert_refused("2.0", "> 4096 <", "> &size; <", "undefined entity");
}

static void hostile_xml_is_refused(void **state)
{
	enum { DEPTH = 100000 };
	char *deep = malloc(3 * DEPTH + 64);
	size_t n = (size_t)sprintf(deep, "<bmap version=\"2.0\">");

	for (size_t i = 0; i < DEPTH; i++)
		n += (size_t)sprintf(deep + n, "<a>");
	assert_refused_text(deep, n, -EINVAL, "nested too deep");
	free(deep);

	assert_refused_text("", 0, -EINVAL, "line 1: ");
	assert_refused_text("\0\0\0\0", 4, -EINVAL, "not text");
	assert_refused_text("image", 5, -EINVAL, "line 1: ");
	assert_refused_text("<html></html>", 13, -EINVAL, "not of a bmap");
	assert_refused("2.0", "</bmap>\n", "</bmap><bmap/>", "line ");
	assert_refused(
		"2.0", "<bmap version", "<bmap version=\"2.0\" version", "duplicate attribute");
	assert_refused("2.0", "<BlockSize>", "<BlockSize\x01>", "line ");
	assert_refused("2.0", "Size of a block", "Size of a bl\xffock", "line ");
	/* What it says of its encoding is not asked: this is no UTF-8. */
	assert_refused("2.0", "<?xml version=\"1.0\" ?>",
		"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><!-- \xe4 -->", "line ");
	assert_refused_text("\xff\xfe<\0b\0/\0>\0", 10, -EINVAL, "not text");
}

static void there_is_a_limit_to_all_of_it(void **state)
{
	size_t n, size = BMAP_TEXT_MAX + 1;
	char *text = malloc(size);

	assert_non_null(text);
	memset(text, ' ', size);
	assert_refused_text(text, size, -EFBIG, "larger than any bmap");

	if (!getenv("CM4FS_SHORT")) {
		n = (size_t)sprintf(text, "<bmap version=\"1.2\"><BlockMap>");
		for (size_t i = 0; i <= BMAP_RANGES_MAX; i++)
			n += (size_t)sprintf(text + n, "<Range>%zu</Range>", i);
		assert_refused_text(text, n, -EFBIG, "ranges");
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_changed_character_changes_nothing_unnoticed),
		cmocka_unit_test(no_truncated_bmap_is_accepted),
		cmocka_unit_test(its_own_checksum_has_to_be_right),
		cmocka_unit_test(no_version_but_those_that_are_known),
		cmocka_unit_test(no_version_has_the_checksums_of_another),
		cmocka_unit_test(every_element_is_there_once),
		cmocka_unit_test(a_checksum_is_of_a_known_type_and_its_length),
		cmocka_unit_test(numbers_are_numbers),
		cmocka_unit_test(numbers_agree),
		cmocka_unit_test(ranges_ascend_within_the_image),
		cmocka_unit_test(a_document_type_is_refused),
		cmocka_unit_test(hostile_xml_is_refused),
		cmocka_unit_test(there_is_a_limit_to_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
