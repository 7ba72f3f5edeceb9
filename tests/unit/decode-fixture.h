#pragma once

#include <bzlib.h>
#include <errno.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "decode/budget.h"
#include "decode/decode.h"

/* Compressed files, by the libraries that made the formats, and a decoder that is fed with them in pieces. */

struct bytes {
	unsigned char *data;
	size_t n;
};

static inline struct bytes bytes_new(size_t n)
{
	struct bytes bytes = {malloc(n + 1), n};

	assert_non_null(bytes.data);
	return bytes;
}

static inline void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
}

#define _cleanup_bytes_ __attribute__((cleanup(bytes_free)))

static inline uint32_t fixture_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)(state * 0x2545f4914f6cdd1d >> 32);
}

/* Half of it can be compressed. */
static inline struct bytes make_content(size_t n)
{
	struct bytes content = bytes_new(n);

	for (size_t i = 0; i < n; i++)
		content.data[i] = (unsigned char)(fixture_random() & (i / 64 % 2 ? 0xff : 3));
	return content;
}

static inline struct bytes join(struct bytes a, struct bytes b)
{
	struct bytes both = bytes_new(a.n + b.n);

	memcpy(both.data, a.data, a.n);
	memcpy(both.data + a.n, b.data, b.n);
	return both;
}

/* One block, which does not say its size, as xz without threads makes it. */
static inline struct bytes pack_xz(struct bytes content)
{
	struct bytes packed = bytes_new(lzma_stream_buffer_bound(content.n));
	lzma_stream lib = LZMA_STREAM_INIT;

	assert_int_equal(lzma_easy_encoder(&lib, 0, LZMA_CHECK_CRC64), LZMA_OK);
	lib.next_in = content.data;
	lib.avail_in = content.n;
	lib.next_out = packed.data;
	lib.avail_out = packed.n;
	assert_int_equal(lzma_code(&lib, LZMA_FINISH), LZMA_STREAM_END);
	packed.n = lib.total_out;
	lzma_end(&lib);
	return packed;
}

/* Blocks that say their sizes, as xz -T makes them. */
static inline struct bytes pack_xz_blocks(struct bytes content, size_t block_size)
{
	lzma_mt options = {
		.threads = 1, .block_size = block_size, .preset = 0, .check = LZMA_CHECK_SHA256};
	struct bytes packed =
		bytes_new(content.n + content.n / 2 + 4096 + content.n / block_size * 256);
	lzma_stream lib = LZMA_STREAM_INIT;

	assert_int_equal(lzma_stream_encoder_mt(&lib, &options), LZMA_OK);
	lib.next_in = content.data;
	lib.avail_in = content.n;
	lib.next_out = packed.data;
	lib.avail_out = packed.n;
	assert_int_equal(lzma_code(&lib, LZMA_FINISH), LZMA_STREAM_END);
	packed.n = lib.total_out;
	lzma_end(&lib);
	return packed;
}

static inline struct bytes pack_zlib(struct bytes content, int bits)
{
	struct bytes packed = bytes_new(content.n + content.n / 2 + 4096);
	z_stream lib = {.next_in = content.data, .avail_in = (uInt)content.n};

	lib.next_out = packed.data;
	lib.avail_out = (uInt)packed.n;
	assert_int_equal(deflateInit2(&lib, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&lib, Z_FINISH), Z_STREAM_END);
	packed.n = lib.total_out;
	deflateEnd(&lib);
	return packed;
}

static inline struct bytes pack_gz(struct bytes content)
{
	return pack_zlib(content, 16 + MAX_WBITS);
}

/* @window_log: 0: as it comes. @told: the header says how long the content is. */
static inline struct bytes pack_zst_as(struct bytes content, int window_log, bool told)
{
	struct bytes packed = bytes_new(ZSTD_compressBound(content.n) + 64);
	ZSTD_CCtx *lib = ZSTD_createCCtx();
	ZSTD_inBuffer in = {content.data, content.n, 0};
	ZSTD_outBuffer out = {packed.data, packed.n, 0};

	ZSTD_CCtx_setParameter(lib, ZSTD_c_checksumFlag, 1);
	ZSTD_CCtx_setParameter(lib, ZSTD_c_windowLog, window_log);
	ZSTD_CCtx_setParameter(lib, ZSTD_c_contentSizeFlag, told);
	if (told)
		ZSTD_CCtx_setPledgedSrcSize(lib, content.n);
	else /* or the end that is known at once is taken for the size */
		ZSTD_compressStream2(lib, &out, &in, ZSTD_e_flush);
	assert_int_equal(ZSTD_compressStream2(lib, &out, &in, ZSTD_e_end), 0);
	packed.n = out.pos;
	ZSTD_freeCCtx(lib);
	return packed;
}

static inline struct bytes pack_zst(struct bytes content)
{
	return pack_zst_as(content, 0, false);
}

static inline struct bytes pack_bz2(struct bytes content)
{
	struct bytes packed = bytes_new(content.n + content.n / 2 + 4096);
	unsigned n = (unsigned)packed.n;

	assert_int_equal(BZ2_bzBuffToBuffCompress((char *)packed.data, &n, (char *)content.data,
				 (unsigned)content.n, 1, 0, 0),
		BZ_OK);
	packed.n = n;
	return packed;
}

static inline struct bytes pack_lz4(struct bytes content)
{
	LZ4F_preferences_t preferences = {
		.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled,
			.contentSize = content.n}};
	struct bytes packed = bytes_new(LZ4F_compressFrameBound(content.n, &preferences));

	packed.n = LZ4F_compressFrame(packed.data, packed.n, content.data, content.n, &preferences);
	assert_false(LZ4F_isError(packed.n));
	return packed;
}

static inline void put_le(unsigned char **at, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(*at)++ = (unsigned char)(value >> 8 * i);
}

/* A zip by hand: members, then one directory for all. */
struct zip_maker {
	struct bytes zip;
	unsigned char *at;
	unsigned members;
};

enum zip_oddity {
	ZIP_PLAIN = 0,
	ZIP_STORE = 1,	     /* else deflated */
	ZIP_DESCRIBE = 2,    /* with a descriptor */
	ZIP_UNSIGNED = 4,    /* which has no signature */
	ZIP_WIDE = 8,	     /* zip64 */
	ZIP_ENCRYPT = 16,    /* says so */
	ZIP_WRONG_CRC = 32,  /* or */
	ZIP_WRONG_SIZE = 64, /* or */
	ZIP_OTHER_METHOD = 128,
};

static inline struct zip_maker zip_begin(void)
{
	struct zip_maker maker = {.zip = bytes_new(16 << 20)};

	maker.at = maker.zip.data;
	return maker;
}

static inline void zip_add(
	struct zip_maker *maker, const char *name, struct bytes content, unsigned odd)
{
	_cleanup_bytes_ struct bytes packed =
		odd & ZIP_STORE ? join(content, (struct bytes){content.data, 0})
				: pack_zlib(content, -15);
	uint32_t crc = (uint32_t)crc32(0, content.data, (uInt)content.n) + !!(odd & ZIP_WRONG_CRC);
	uint64_t size = content.n + !!(odd & ZIP_WRONG_SIZE);
	bool described = odd & ZIP_DESCRIBE, wide = odd & ZIP_WIDE;
	size_t wide_size = wide ? 8 : 4;

	maker->members++;
	put_le(&maker->at, 0x04034b50, 4);
	put_le(&maker->at, 20, 2);
	put_le(&maker->at, (described ? 8 : 0) + (odd & ZIP_ENCRYPT ? 1 : 0), 2);
	put_le(&maker->at, odd & ZIP_OTHER_METHOD ? 9 : odd & ZIP_STORE ? 0 : 8, 2);
	put_le(&maker->at, 0x12345678, 4);
	put_le(&maker->at, described ? 0 : crc, 4);
	put_le(&maker->at, wide ? UINT32_MAX : described ? 0 : packed.n, 4);
	put_le(&maker->at, wide ? UINT32_MAX : described ? 0 : size, 4);
	put_le(&maker->at, strlen(name), 2);
	put_le(&maker->at, wide ? 26 : 6, 2);
	memcpy(maker->at, name, strlen(name));
	maker->at += strlen(name);
	put_le(&maker->at, 2ull << 16 | 0x5455, 4); /* a field of no interest */
	put_le(&maker->at, 0, 2);
	if (wide) {
		put_le(&maker->at, 16ull << 16 | 1, 4);
		put_le(&maker->at, described ? 0 : size, 8);
		put_le(&maker->at, described ? 0 : packed.n, 8);
	}
	memcpy(maker->at, packed.data, packed.n);
	maker->at += packed.n;
	if (!described)
		return;
	if (!(odd & ZIP_UNSIGNED))
		put_le(&maker->at, 0x08074b50, 4);
	put_le(&maker->at, crc, 4);
	put_le(&maker->at, packed.n, wide_size);
	put_le(&maker->at, size, wide_size);
}

static inline struct bytes zip_end(struct zip_maker *maker, bool wide, const char *comment)
{
	for (unsigned i = 0; i < maker->members; i++) {
		put_le(&maker->at, 0x02014b50, 4);
		memset(maker->at, 0, 46);
		maker->at += 24;
		put_le(&maker->at, 1, 2);
		put_le(&maker->at, 2, 2);
		put_le(&maker->at, 3, 2);
		maker->at += 12;
		memcpy(maker->at, "neeccc", 6);
		maker->at += 6;
	}
	if (wide) {
		put_le(&maker->at, 0x06064b50, 4);
		put_le(&maker->at, 44, 8);
		memset(maker->at, 0, 44);
		maker->at += 44;
		put_le(&maker->at, 0x07064b50, 4);
		memset(maker->at, 0, 16);
		maker->at += 16;
	}
	put_le(&maker->at, 0x06054b50, 4);
	put_le(&maker->at, 0, 4);
	put_le(&maker->at, maker->members, 2);
	put_le(&maker->at, maker->members, 2);
	put_le(&maker->at, 0, 8);
	put_le(&maker->at, strlen(comment), 2);
	memcpy(maker->at, comment, strlen(comment));
	maker->at += strlen(comment);
	maker->zip.n = (size_t)(maker->at - maker->zip.data);
	return maker->zip;
}

static inline struct bytes pack_zip(struct bytes content)
{
	struct zip_maker maker = zip_begin();

	zip_add(&maker, "image.img", content, ZIP_PLAIN);
	return zip_end(&maker, false, "");
}

/* What came of a file. */
struct outcome {
	int error;
	bool may_end;
	const char *text;
	struct bytes out;
	size_t capacity; /* of out */
	size_t used;	 /* of the input */
};

static inline void outcome_free(struct outcome *outcome)
{
	bytes_free(&outcome->out);
}

#define _cleanup_outcome_ __attribute__((cleanup(outcome_free)))

static inline void outcome_reserve(struct outcome *outcome, size_t n)
{
	if (n <= outcome->capacity)
		return;
	outcome->capacity = 2 * n;
	outcome->out.data = realloc(outcome->out.data, outcome->capacity);
	assert_non_null(outcome->out.data);
}

/*
 * One piece of input, and all that comes of it. Each step is checked for what every step has to keep to; there have to
 * be few of them.
 */
static inline void feed(struct decoder *decoder, struct outcome *outcome, const unsigned char *in,
	size_t n, size_t out_piece, bool more)
{
	size_t room = outcome->out.n, used = 0, steps = 0;
	struct decode_step step;

	do {
		outcome_reserve(outcome, room + out_piece);
		step = (struct decode_step){.in = in + used,
			.in_size = n - used,
			.out = outcome->out.data + room,
			.out_size = out_piece,
			.more = more};
		outcome->error = decoder_run(decoder, &step);
		assert_true(step.in_used <= step.in_size && step.out_used <= out_piece);
		used += step.in_used;
		room += step.out_used;
		assert_true(++steps <= 2 + n + room / out_piece);
		if (outcome->error)
			break;
		assert_true(step.out_used == out_piece || step.in_used == step.in_size);
	} while (step.out_used == out_piece);
	outcome->out.n = room;
	outcome->used += used;
	outcome->may_end = decoder_may_end(decoder);
}

/* The whole of a file, @in_piece by @in_piece. */
static inline struct outcome unpack(
	enum decode_format format, struct bytes in, size_t in_piece, size_t out_piece, bool more)
{
	struct outcome outcome = {.error = 0};
	struct decoder *decoder;

	assert_int_equal(decoder_new(format, &decoder), 0);
	for (size_t at = 0; at < in.n && !outcome.error; at += in_piece)
		feed(decoder, &outcome, in.data + at, in.n - at < in_piece ? in.n - at : in_piece,
			out_piece, more);
	if (more && !outcome.error)
		feed(decoder, &outcome, NULL, 0, out_piece, false);
	outcome.text = decoder_text(decoder); /* a constant */
	decoder_free(decoder);
	return outcome;
}

static inline void assert_unpacks(enum decode_format format, struct bytes in, struct bytes content)
{
	_cleanup_outcome_ struct outcome outcome = unpack(format, in, in.n, content.n + 1, false);

	assert_string_equal(outcome.text, "");
	assert_int_equal(outcome.error, 0);
	assert_true(outcome.may_end);
	assert_int_equal(outcome.out.n, content.n);
	assert_memory_equal(outcome.out.data, content.data, content.n);
}

static inline void assert_fails(
	enum decode_format format, struct bytes in, int error, const char *text)
{
	_cleanup_outcome_ struct outcome outcome = unpack(format, in, in.n, 4096, false);

	assert_string_equal(outcome.text, text);
	assert_int_equal(outcome.error, error);
	assert_false(outcome.may_end);
	assert_int_equal(budget_used(), 0);
}
