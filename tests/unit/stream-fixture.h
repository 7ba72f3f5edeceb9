#pragma once

#include "image-fixture.h"

#include "decode-fixture.h"

/* A compressed file, its writer, and the image that comes out of it. */

#define SIZE (6 * MIB + 700)

struct story {
	struct fixture f;
	struct bytes raw, packed;
};

/* The image is always the same, and so is what is packed of it: that takes its time under valgrind. A copy. */
static inline struct bytes packed_once(
	struct bytes (*pack)(struct bytes content), struct bytes content)
{
	static struct {
		struct bytes (*pack)(struct bytes content);
		struct bytes packed;
	} known[8];
	struct bytes nothing = {content.data, 0};
	size_t i = 0;

	while (known[i].pack && known[i].pack != pack)
		assert_true(++i < 8);
	if (!known[i].pack) {
		known[i].packed = pack(content);
		known[i].pack = pack;
	}
	return join(known[i].packed, nothing);
}

static inline void begin(struct story *s, struct bytes (*pack)(struct bytes content))
{
	const struct image_policy policy = {.verify = CM4_VERIFY_OFF};

	fixture_begin_with(&s->f, CM4_IMAGE_FLASH, 16 * MIB, &policy);
	fixture_make_image(&s->f, SIZE / 512 * 512);
	s->raw = (struct bytes){s->f.data, SIZE};
	s->packed = packed_once(pack, s->raw);
}

/* What was not compressed stands in it as it is. */
static inline struct bytes pack_stored(struct bytes content)
{
	struct bytes packed = bytes_new(content.n + content.n / 8 + 4096);
	z_stream lib = {.next_in = content.data, .avail_in = (uInt)content.n};

	lib.next_out = packed.data;
	lib.avail_out = (uInt)packed.n;
	assert_int_equal(
		deflateInit2(&lib, 0, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&lib, Z_FINISH), Z_STREAM_END);
	packed.n = lib.total_out;
	deflateEnd(&lib);
	return packed;
}

static inline void end(struct story *s)
{
	bytes_free(&s->packed);
	fixture_end(&s->f);
}

static inline struct cm4_image_status status_of(struct story *s)
{
	struct cm4_image_status status;

	image_status(s->f.image, &status);
	return status;
}

static inline ssize_t put(struct story *s, size_t offset, size_t n)
{
	return do_write(s->f.image, offset, s->packed.data + offset, n);
}

static inline void is_whole(struct story *s)
{
	assert_true(status_of(s).whole);
	assert_memory_equal(s->f.disk->medium, s->raw.data, SIZE);
}

static inline void has_no_start(struct story *s)
{
	assert_filled(s->f.disk->medium, MIB, 0);
}
