#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "sidecar/sums.h"
#include "fuzz.h"

/* A list of checksums, as one of many and as one of one file. What an image is asked for is what the list says. */

static void check(const struct sums *sums, const char *image, const char *raw)
{
	const unsigned char *of_image = sums_find(sums, image), *of_raw = sums_find(sums, raw);
	struct sums_wanted wanted;

	sums_wanted(sums, image, &wanted);
	CHECK(wanted.has_dropped == (of_image != NULL) && wanted.has_raw == (of_raw != NULL));
	if (of_image)
		CHECK(memcmp(of_image, wanted.dropped, SUMS_SIZE) == 0);
	if (of_raw)
		CHECK(memcmp(of_raw, wanted.raw, SUMS_SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char *const names[] = {"SHA256SUMS", "image.img.sha256"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct sums *sums = NULL;
		char why[256] = "";
		int r = sums_parse(names[i], bytes, size, &sums, why, sizeof(why));

		CHECK(r == 0 || r == -EINVAL);
		CHECK(!sums == (r < 0) && !*why == (r == 0));
		if (!sums)
			continue;
		check(sums, "image.img.xz", "image.img");
		check(sums, "image.img", "image.img");
		CHECK(!sums_find(sums, "") && !sums_find(sums, "some/image.img"));
		sums_free(sums);
	}
	return 0;
}
