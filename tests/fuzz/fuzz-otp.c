#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "payload/otp.h"
#include "fuzz.h"

/* The guard on any bytes, as a text and as an image; what is found must be there, however the bytes arrive. */

#define SMALL 120 /* within a sector, and no longer than a value may be */

static void check_key(const uint8_t *bytes, size_t size, const struct otp_finding *finding)
{
	size_t n = strlen(finding->key);

	CHECK(finding->offset <= size && n <= size - finding->offset);
	CHECK(strncasecmp((const char *)bytes + finding->offset, finding->key, n) == 0);
	CHECK(memchr(finding->value, '\0', sizeof(finding->value)));
}

static bool scan_in_pieces(
	const uint8_t *bytes, size_t size, size_t piece, struct otp_finding *ret_finding)
{
	struct otp_image *image;
	bool found;

	CHECK(otp_image_new(&image) == 0);
	for (size_t done = 0; done < size; done += piece)
		otp_image_add(image, bytes + done, piece < size - done ? piece : size - done);
	found = otp_image_end(image, ret_finding);
	otp_image_free(image);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct otp_finding text, image, pieces;
	bool in_text = otp_scan(bytes, size, &text);
	int in_image = otp_scan_image(bytes, size, &image);

	CHECK(in_image == 0 || in_image == 1);
	if (in_text) {
		check_key(bytes, size, &text);
		CHECK(text.line > 0 && text.value[0]);
	}
	CHECK(scan_in_pieces(bytes, size, 1 + size % 777, &pieces) == in_image);
	if (in_image) {
		CHECK(image.line == 0 && image.offset < size);
		CHECK(image.offset == pieces.offset && image.key == pieces.key);
	}

	/* A text that lies in one piece is no better hidden in an image. */
	if (in_text && size <= SMALL && !memchr(bytes, '\0', size) && !memchr(bytes, '%', size))
		CHECK(in_image);
	return 0;
}
