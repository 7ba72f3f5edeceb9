#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sidecar/sums.h"
#include "util/hex.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static struct sums *parse(const char *file_name, const char *text)
{
	struct sums *sums = NULL;
	char why[128] = "";
	int r = sums_parse(file_name, text, strlen(text), &sums, why, sizeof(why));

	if (r < 0) {
		assert_int_equal(r, -EINVAL);
		assert_true(*why && why[strlen(why) - 1] != '.');
		assert_null(sums);
	}
	return sums;
}

static void assert_sum(const unsigned char *hash, const char *expected)
{
	char text[2 * SUMS_SIZE + 1];

	assert_non_null(hash);
	hex_encode(hash, SUMS_SIZE, text);
	assert_string_equal(text, expected);
}

/* @expected NULL: nothing is known of it. */
static void assert_says(
	const char *file_name, const char *text, const char *name, const char *expected)
{
	struct sums *sums = parse(file_name, text);

	assert_non_null(sums);
	if (expected)
		assert_sum(sums_find(sums, name), expected);
	else
		assert_null(sums_find(sums, name));
	sums_free(sums);
}

static void a_line_is_understood_in_every_form(void **state)
{
	static const char *const lines[] = {A "  image.img\n", A " *image.img\n", A " image.img\n",
		A "\timage.img\n", A "  image.img", A "  image.img\r\n",
		"\xef\xbb\xbf" A "  image.img\n", "  " A "  image.img\n", A "  ./image.img\n",
		A "  some/where/image.img\n", A "  /some/where/image.img\n",
		"SHA256 (image.img) = " A "\n", "SHA256 (image.img) = " A "\r\n",
		"SHA256(image.img)= " A "\n", "SHA2-256(image.img)= " A "\n",
		"SHA256 (some/where/image.img) = " A "\n",
		"# a comment\n\n" A "  image.img\n# another\n", "\\" A "  image.img\n",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA  image.img\n",
		"not a line at all\n" A "  image.img\n", NULL};

	for (const char *const *line = lines; *line; line++)
		assert_says("SHA256SUMS", *line, "image.img", A);
}

static void each_name_has_its_own_sum(void **state)
{
	static const char text[] = A "  one.img\n" B " *two.img\nSHA256 (three.img) = " C "\n";

	assert_says("SHA256SUMS", text, "one.img", A);
	assert_says("SHA256SUMS", text, "two.img", B);
	assert_says("SHA256SUMS", text, "three.img", C);
	assert_says("SHA256SUMS", text, "four.img", NULL);
	assert_says("SHA256SUMS", text, "ONE.img", NULL);
	assert_says("SHA256SUMS", text, "one", NULL);
	assert_says("SHA256SUMS", text, "", NULL);
}

static void names_may_be_odd(void **state)
{
	assert_says("SHA256SUMS", A "  with blanks.img\n", "with blanks.img", A);
	assert_says("SHA256SUMS", A "   begins with one\n", " begins with one", A);
	assert_says("SHA256SUMS", A "  *asterisk\n", "*asterisk", A);
	assert_says("SHA256SUMS", A "  back\\slash\n", "back\\slash", A);
	assert_says("SHA256SUMS", "\\" A "  back\\\\slash\n", "back\\slash", A);
	assert_says("SHA256SUMS", "\\" A "  new\\nline\\r\n", "new\nline\r", A);
	assert_says("SHA256SUMS", "\\SHA256 (new\\nline) = " A "\n", "new\nline", A);
	assert_says("SHA256SUMS", "SHA256 (a) = (b) = " A "\n", "a) = (b", A);
	assert_says("SHA256SUMS", A "  \xc3\xbc\xff.img\n", "\xc3\xbc\xff.img", A);
}

static void what_is_no_line_of_a_sum_is_passed_over(void **state)
{
	static const char *const texts[] = {"", "\n", "\r\n", "# " A "  image.img\n", "image.img\n",
		A "image.img\n", A A "  image.img\n", A "a  image.img\n", "0x" A "  image.img\n",
		"da39a3ee5e6b4b0d3255bfef95601890afd80709  image.img\n",
		"SHA512 (image.img) = " A A "\n", "SHA1 (image.img) = " A "\n",
		"SHA512/256 (image.img) = " A "\n", "SHA256 image.img = " A "\n",
		"SHA256 (image.img) " A "\n", "SHA256 (image.img) = " A "a\n",
		"SHA256 (image.img) = " A " more\n", "SHA256 (image.img = " A "\n",
		"SHA256 image.img) = " A "\n", "SHA256 (image.img) =\n", "SHA256\n", "SHA256SUMS\n",
		A "  directory/\n", A "  /\n", A "  ./\n", "\\" A "  bad\\escape\n",
		"\\" A "  image.img\\\n", A "\n", A "  \n", "<html>404</html>\n", NULL};

	for (const char *const *text = texts; *text; text++)
		assert_null(parse("SHA256SUMS", *text));
}

static void a_line_with_a_nul_is_none(void **state)
{
	static const char text[] = A "  image.img\0.xz\n" B "  other.img\n";
	struct sums *sums;
	char why[128];

	assert_int_equal(
		sums_parse("SHA256SUMS", text, sizeof(text) - 1, &sums, why, sizeof(why)), 0);
	assert_null(sums_find(sums, "image.img"));
	assert_sum(sums_find(sums, "other.img"), B);
	sums_free(sums);
}

static void a_signed_list_is_read_without_its_armour(void **state)
{
	static const char text[] = "-----BEGIN PGP SIGNED MESSAGE-----\n"
				   "Hash: SHA256\n"
				   "\n" A "  image.img\n"
				   "- -----BEGIN PGP SIGNATURE-----\n"
				   "- " B " *-dashes.img\n"
				   "-----BEGIN PGP SIGNATURE-----\n"
				   "\n" C "  signature.img\n"
				   "-----END PGP SIGNATURE-----\n" C "  behind.img\n";

	assert_says("SHA256SUMS", text, "image.img", A);
	assert_says("SHA256SUMS", text, "-dashes.img", B);
	assert_says("SHA256SUMS", text, "signature.img", NULL);
	assert_says("SHA256SUMS", text, "behind.img", C);
}

static void a_sum_alone_is_of_the_file_that_the_list_is_named_after(void **state)
{
	assert_says("image.img.xz.sha256", A "\n", "image.img.xz", A);
	assert_says("image.img.sha256sum", A, "image.img", A);
	assert_says("image.img.SHA256", "# of it\n  " A "  \r\n\r\n", "image.img", A);
	assert_says("image.img.sha256", A "  -\n", "image.img", A);
	assert_says("image.img.sha256", A " *-\n", "image.img", A);
	assert_says("image.img.sha256", A "\n", "image.img.sha256", NULL);
	/* It is not alone. */
	assert_says("image.img.sha256", A "\n" B "  other.img\n", "image.img", NULL);
	assert_null(parse("image.img.sha256", A "\n" B "\n"));
	assert_null(parse("SHA256SUMS", A "\n"));
}

static void a_line_with_a_name_is_of_that_name(void **state)
{
	assert_says("renamed.img.sha256", A "  image.img\n", "image.img", A);
	assert_says("renamed.img.sha256", A "  image.img\n", "renamed.img", NULL);
}

static void of_two_lines_of_one_name_one_counts(void **state)
{
	/* The later one, as after sha256sum >> SHA256SUMS. */
	assert_says("SHA256SUMS", A "  image.img\n" B "  image.img\n", "image.img", B);
	assert_says("SHA256SUMS", A "  image.img\n" B "  ./image.img\n", "image.img", B);
	/* The one without a directory. */
	assert_says("SHA256SUMS", A "  image.img\n" B "  old/image.img\n", "image.img", A);
	assert_says("SHA256SUMS", B "  old/image.img\n" A "  image.img\n", "image.img", A);
	/* None, as in Debian's list of mini.iso, of which there are several. */
	assert_says(
		"SHA256SUMS", A "  ./new/image.img\n" B "  ./old/image.img\n", "image.img", NULL);
	assert_says("SHA256SUMS", A "  ./new/image.img\n" A "  ./old/image.img\n", "image.img", A);
}

static void a_list_is_no_larger_than_its_limit(void **state)
{
	char *text = malloc(SUMS_TEXT_MAX + 1);
	struct sums *sums = NULL;
	char why[128] = "";

	assert_non_null(text);
	memset(text, '\n', SUMS_TEXT_MAX + 1);
	memcpy(text + SUMS_TEXT_MAX - 67, A "  x", 67);
	assert_int_equal(
		sums_parse("SHA256SUMS", text, SUMS_TEXT_MAX + 1, &sums, why, sizeof(why)), -EFBIG);
	assert_true(*why);
	assert_null(sums);
	assert_int_equal(sums_parse("SHA256SUMS", text, SUMS_TEXT_MAX, &sums, why, sizeof(why)), 0);
	assert_sum(sums_find(sums, "x"), A);
	sums_free(sums);
	free(text);
	sums_free(NULL);
}

static void many_names_and_long_ones(void **state)
{
	static char text[1 << 17], name[300];
	struct sums *sums;
	size_t n = 0;

	for (unsigned i = 0; i < 1000; i++)
		n += (size_t)sprintf(text + n, "%064x  image-%u.img\n", i, i);
	memset(name, 'x', sizeof(name) - 1);
	sprintf(text + n, A "  %s\n" A "  %s\n", name, name + 44);
	sums = parse("SHA256SUMS", text);
	assert_non_null(sums);
	assert_int_equal(sums_find(sums, "image-999.img")[SUMS_SIZE - 1], 999 & 255);
	assert_null(sums_find(sums, name)); /* 299 characters */
	assert_sum(sums_find(sums, name + 44), A);
	sums_free(sums);
}

/* @dropped, @raw: NULL: nothing is asked. */
static void assert_wants(const char *file_name, const char *text, const char *image,
	const char *dropped, const char *raw)
{
	struct sums *sums = parse(file_name, text);
	struct sums_wanted wanted;

	assert_non_null(sums);
	sums_wanted(sums, image, &wanted);
	assert_int_equal(wanted.has_dropped, dropped != NULL);
	assert_int_equal(wanted.has_raw, raw != NULL);
	if (dropped)
		assert_sum(wanted.dropped, dropped);
	if (raw)
		assert_sum(wanted.raw, raw);
	sums_free(sums);
}

static void what_is_asked_of_an_image_is_told_by_its_name(void **state)
{
	static const char list[] = A "  image.img\n" B "  image.img.xz\n" C "  other.img.gz\n";
	static char name[400];

	assert_wants("SHA256SUMS", list, "image.img.xz", B, A);
	assert_wants("SHA256SUMS", list, "image.img", A, A);
	assert_wants("SHA256SUMS", list, "image.img.gz", NULL, A);
	assert_wants("SHA256SUMS", list, "other.img.gz", C, NULL);
	assert_wants("SHA256SUMS", list, "other.img", NULL, NULL);
	assert_wants("SHA256SUMS", list, "image", NULL, NULL);
	assert_wants("image.img.sha256", A, "image.img.xz", NULL, A);
	assert_wants("image.img.xz.sha256", A, "image.img.xz", A, NULL);
	assert_wants("image.img.sha256", A, "image.img", A, A);
	memset(name, 'x', sizeof(name) - 1);
	assert_wants("SHA256SUMS", list, name, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_understood_in_every_form),
		cmocka_unit_test(each_name_has_its_own_sum),
		cmocka_unit_test(names_may_be_odd),
		cmocka_unit_test(what_is_no_line_of_a_sum_is_passed_over),
		cmocka_unit_test(a_line_with_a_nul_is_none),
		cmocka_unit_test(a_signed_list_is_read_without_its_armour),
		cmocka_unit_test(a_sum_alone_is_of_the_file_that_the_list_is_named_after),
		cmocka_unit_test(a_line_with_a_name_is_of_that_name),
		cmocka_unit_test(of_two_lines_of_one_name_one_counts),
		cmocka_unit_test(a_list_is_no_larger_than_its_limit),
		cmocka_unit_test(many_names_and_long_ones),
		cmocka_unit_test(what_is_asked_of_an_image_is_told_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
