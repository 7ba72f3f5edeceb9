#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sidecar/names.h"

static void a_sidecar_is_told_by_its_name(void **state)
{
	static const struct {
		const char *name;
		enum sidecar_kind kind;
	} names[] = {
		{"image.bmap", SIDECAR_BMAP},
		{"image.img.xz.bmap", SIDECAR_BMAP},
		{"IMAGE.BMAP", SIDECAR_BMAP},
		{"image.img.sha256", SIDECAR_SUMS},
		{"image.img.SHA256", SIDECAR_SUMS},
		{"image.img.xz.sha256sum", SIDECAR_SUMS},
		{"SHA256SUMS", SIDECAR_SUMS},
		{"sha256sums", SIDECAR_SUMS},
		{"SHA256SUMS.txt", SIDECAR_SUMS},
		{"raspios-2024-SHA256SUMS", SIDECAR_SUMS},
		{"image.img", SIDECAR_NONE},
		{"image.img.xz", SIDECAR_NONE},
		{"bmap", SIDECAR_NONE},
		{".bmap", SIDECAR_NONE},
		{".sha256", SIDECAR_NONE},
		{"-SHA256SUMS", SIDECAR_NONE},
		{"image.bmap.img", SIDECAR_NONE},
		{"image.img.sha512", SIDECAR_NONE},
		{"SHA512SUMS", SIDECAR_NONE},
		{"SHA256SUMS.gpg", SIDECAR_NONE},
		{"", SIDECAR_NONE},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(sidecar_kind(names[i].name), names[i].kind);
}

static void a_stem_is_without_one_compression(void **state)
{
	static const struct {
		const char *name, *stem;
	} names[] = {
		{"image.img", "image.img"},
		{"image.img.xz", "image.img"},
		{"image.img.XZ", "image.img"},
		{"image.img.gz", "image.img"},
		{"image.img.zst", "image.img"},
		{"image.img.zstd", "image.img"},
		{"image.img.bz2", "image.img"},
		{"image.img.lz4", "image.img"},
		{"image.zip", "image"},
		{"image.img.xz.gz", "image.img.xz"},
		{"image.img.tar", "image.img.tar"},
		{".xz", ".xz"},
		{"xz", "xz"},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(sidecar_stem(names[i].name), strlen(names[i].stem));
}

static void a_list_of_one_sum_has_the_name_of_what_it_is_of(void **state)
{
	assert_int_equal(sidecar_sum_stem("image.img.sha256"), strlen("image.img"));
	assert_int_equal(sidecar_sum_stem("image.img.xz.SHA256SUM"), strlen("image.img.xz"));
	assert_int_equal(sidecar_sum_stem("SHA256SUMS"), 0);
	assert_int_equal(sidecar_sum_stem(".sha256"), 0);
}

static void a_bmap_serves_the_image_it_is_named_after(void **state)
{
	static const struct {
		const char *name, *image;
	} pairs[] = {
		{"image.img.xz.bmap", "image.img.xz"},
		{"image.img.bmap", "image.img.xz"},
		{"image.bmap", "image.img.xz"},
		{"image.img.bmap", "image.img"},
		{"image.bmap", "image.img"},
		{"image.bmap", "image"},
		{"image.bmap", "image.zip"},
		{"image.BMAP", "image.img.GZ"},
		{"core.rootfs.wic.bmap", "core.rootfs.wic.bz2"},
		{"core.rootfs.bmap", "core.rootfs.wic.bz2"},
		{"v1.2.bmap", "v1.2"},
		{".img.bmap", ".img"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_true(sidecar_bmap_serves(pairs[i].name, pairs[i].image));
}

static void a_bmap_serves_no_other_image(void **state)
{
	static const struct {
		const char *name, *image;
	} pairs[] = {
		{"image.img.xz.bmap", "image.img"},
		{"image.img.gz.bmap", "image.img.xz"},
		{"imag.bmap", "image.img"},
		{"image.img.bmap", "image"},
		{"Image.bmap", "image.img"},
		{"other.bmap", "image.img"},
		{"v1.bmap", "v1.2"},
		{"core.bmap", "core.rootfs.wic.bz2"},
		{"image.bmap", "image.img."},
		{".bmap", ".img"},
		{".bmap", ""},
		{"image.img", "image.img"},
		{"image.img.sha256", "image.img"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_false(sidecar_bmap_serves(pairs[i].name, pairs[i].image));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sidecar_is_told_by_its_name),
		cmocka_unit_test(a_stem_is_without_one_compression),
		cmocka_unit_test(a_list_of_one_sum_has_the_name_of_what_it_is_of),
		cmocka_unit_test(a_bmap_serves_the_image_it_is_named_after),
		cmocka_unit_test(a_bmap_serves_no_other_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
