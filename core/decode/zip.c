#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "decode/internal.h"
#include "decode/zip-record.h"
#include "util/bytes.h"

/*
 * A zip of one file, read from front to end, as it arrives. (Its directory is at the end, which is when it would be
 * of no use.) Directories beside the file are passed over.
 */
#define END64_REST_MAX (1u << 20) /* some say more of themselves there; it is not much */

enum zip_state {
	ZIP_SIGNATURE,
	ZIP_RECORD, /* gathering the fixed part of one */
	ZIP_HEADER, /* gathering the rest of a local header */
	ZIP_DATA,
	ZIP_DESCRIPTOR,
	ZIP_REST, /* of another record; not looked at */
	ZIP_OVER,
};

struct zip {
	struct decoder decoder;
	enum zip_state state;
	enum zip_kind kind; /* of the last record; they come in the order of these */
	unsigned files, members, entries;
	uint8_t *record; /* ZIP_LOCAL_MAX */
	size_t n;
	uint64_t rest;

	struct zip_member member; /* what its header says */
	struct zip_member found;  /* and what it is */
	z_stream zlib;
};

static int zip_init(struct decoder *decoder)
{
	struct zip *zip = (struct zip *)decoder;

	zip->record = malloc(ZIP_LOCAL_MAX);
	if (!zip->record || inflateInit2(&zip->zlib, -MAX_WBITS) != Z_OK)
		return -ENOMEM;
	return 0;
}

static void zip_fini(struct decoder *decoder)
{
	struct zip *zip = (struct zip *)decoder;

	inflateEnd(&zip->zlib);
	free(zip->record);
}

static int refuse(struct zip *zip, const char *text)
{
	return decoder_fail(&zip->decoder, -EINVAL, text);
}

static int next_record(struct zip *zip)
{
	zip->state = ZIP_SIGNATURE;
	zip->n = 0;
	return 1;
}

/* What cannot be read, and what would be read and not be the one file. */
static int check_member(struct zip *zip)
{
	const struct zip_member *member = &zip->member;

	if (member->encrypted)
		return refuse(zip, "this zip is encrypted");
	if (member->patched || (member->method != ZIP_STORED && member->method != ZIP_DEFLATED))
		return refuse(zip, "this zip is compressed by another method than deflate");
	if (!member->directory && ++zip->files > 1)
		return refuse(zip, "this zip holds more than one file");
	if (member->method == ZIP_STORED && member->described && !member->directory)
		return refuse(zip, "this zip does not say where its file ends; make it again, "
				   "to a file and not into a pipe");
	if (member->method == ZIP_STORED && !member->described && member->packed != member->size)
		return decoder_fail_corrupt(&zip->decoder);
	return 0;
}

static int begin_member(struct zip *zip)
{
	int r;

	zip->member = zip_member_read(zip->record);
	zip->members++;
	r = check_member(zip);
	if (r < 0)
		return r;
	if (zip->member.described)
		zip->member.packed = zip->member.size = 0;
	else if (!zip->member.directory)
		zip->decoder.total = zip->member.size;
	zip->found = (struct zip_member){.crc = (uint32_t)crc32(0, NULL, 0)};
	zip->state = ZIP_DATA;
	return inflateReset(&zip->zlib) == Z_OK ? 1 : decoder_fail_memory(&zip->decoder);
}

static int end_member(struct zip *zip)
{
	const struct zip_member *member = &zip->member, *found = &zip->found;

	if (member->directory && found->size > 0)
		return decoder_fail_corrupt(&zip->decoder);
	if (member->described) {
		zip->state = ZIP_DESCRIPTOR;
		zip->n = 0;
		return 1;
	}
	if (found->crc != member->crc || found->size != member->size ||
		found->packed != member->packed)
		return decoder_fail_corrupt(&zip->decoder);
	return next_record(zip);
}

/* So many bytes were taken and put out. */
static void note(struct zip *zip, struct decode_step *step, size_t n_in, size_t n_out)
{
	if (n_out > 0)
		zip->found.crc = (uint32_t)crc32(zip->found.crc, step_out(step), (unsigned)n_out);
	zip->found.packed += n_in;
	zip->found.size += n_out;
	step->in_used += n_in;
	step->out_used += n_out;
}

/* Of the member's own bytes; their end is not always known. */
static size_t data_left(const struct zip *zip, const struct decode_step *step)
{
	size_t left = step_in_left(step);

	return zip->member.described && zip->member.method == ZIP_DEFLATED
		       ? left
		       : min64(left, zip->member.packed - zip->found.packed);
}

static int run_stored(struct zip *zip, struct decode_step *step)
{
	size_t n = min64(data_left(zip, step), step_out_left(step));

	if (n > 0)
		memcpy(step_out(step), step_in(step), n);
	note(zip, step, n, n);
	return zip->found.packed == zip->member.packed ? end_member(zip) : n > 0;
}

static int run_deflated(struct zip *zip, struct decode_step *step)
{
	size_t n_in = data_left(zip, step), n_out = step_out_left(step);
	z_stream *zlib = &zip->zlib;
	int r;

	zlib->next_in = (unsigned char *)step_in(step);
	zlib->avail_in = (uInt)n_in;
	zlib->next_out = step_out(step);
	zlib->avail_out = (uInt)n_out;
	r = inflate(zlib, Z_NO_FLUSH);
	n_in -= zlib->avail_in;
	n_out -= zlib->avail_out;
	note(zip, step, n_in, n_out);

	if (r == Z_MEM_ERROR)
		return decoder_fail_memory(&zip->decoder);
	if (r == Z_STREAM_END)
		return end_member(zip);
	if ((r != Z_OK && r != Z_BUF_ERROR) ||
		(!zip->member.described && zip->found.size > zip->member.size))
		return decoder_fail_corrupt(&zip->decoder);
	if (n_in > 0 || n_out > 0)
		return 1;
	/* All of the data is there, and it has no end. */
	if (!zip->member.described && zip->found.packed == zip->member.packed)
		return decoder_fail_corrupt(&zip->decoder);
	return 0;
}

static int run_descriptor(struct zip *zip, struct decode_step *step)
{
	size_t size, want;

	while (!zip_descriptor_match(zip->record, zip->n, &zip->found, &size, &want)) {
		if (want == 0)
			return decoder_fail_corrupt(&zip->decoder);
		if (!step_gather(step, zip->record, &zip->n, want))
			return 0;
	}
	/* The next signature may have been needed to know. */
	zip->n -= size;
	memmove(zip->record, zip->record + size, zip->n);
	zip->state = ZIP_SIGNATURE;
	return 1;
}

/* Members, then as many entries, then each of the ends at most once, and what points to the first right behind it. */
static int check_order(struct zip *zip, enum zip_kind kind)
{
	if (kind == ZIP_UNKNOWN || kind < zip->kind ||
		(kind == zip->kind && kind != ZIP_LOCAL && kind != ZIP_CENTRAL) ||
		(kind == ZIP_LOCATOR) != (zip->kind == ZIP_END64))
		return decoder_fail_corrupt(&zip->decoder);
	if (kind > ZIP_LOCAL && zip->files == 0)
		return refuse(zip, "this zip holds no file");
	if (kind > ZIP_CENTRAL && zip->entries != zip->members)
		return decoder_fail_corrupt(&zip->decoder);
	return 0;
}

/* A record's fixed part is there. */
static int begin_rest(struct zip *zip)
{
	zip->rest = zip_rest_size(zip->kind, zip->record);
	zip->state = zip->kind == ZIP_LOCAL ? ZIP_HEADER : ZIP_REST;
	zip->entries += zip->kind == ZIP_CENTRAL;
	if (zip->kind == ZIP_END64 && zip->rest > END64_REST_MAX)
		return decoder_fail_corrupt(&zip->decoder);
	if (zip->kind == ZIP_END && zip_end_entries(zip->record) != UINT16_MAX &&
		zip_end_entries(zip->record) != zip->entries)
		return decoder_fail_corrupt(&zip->decoder);
	return 1;
}

static int run_signature(struct zip *zip, struct decode_step *step)
{
	enum zip_kind kind;
	int r;

	if (!step_gather(step, zip->record, &zip->n, ZIP_SIGNATURE_SIZE))
		return 0;
	kind = zip_kind(zip->record);
	r = check_order(zip, kind);
	if (r < 0)
		return r;
	zip->kind = kind;
	zip->state = ZIP_RECORD;
	return 1;
}

static int run_rest(struct zip *zip, struct decode_step *step)
{
	if (!step_skip(step, &zip->rest))
		return step_in_left(step) > 0;
	if (zip->kind != ZIP_END)
		return next_record(zip);
	zip->state = ZIP_OVER;
	zip->decoder.complete = true;
	return 1;
}

static int zip_run(struct decoder *decoder, struct decode_step *step)
{
	struct zip *zip = (struct zip *)decoder;

	switch (zip->state) {
	case ZIP_SIGNATURE:
		return run_signature(zip, step);
	case ZIP_RECORD:
		return step_gather(step, zip->record, &zip->n, zip_fixed_size(zip->kind))
			       ? begin_rest(zip)
			       : 0;
	case ZIP_HEADER:
		return step_gather(step, zip->record, &zip->n, ZIP_LOCAL_SIZE + zip->rest)
			       ? begin_member(zip)
			       : 0;
	case ZIP_DATA:
		return zip->member.method == ZIP_STORED ? run_stored(zip, step)
							: run_deflated(zip, step);
	case ZIP_DESCRIPTOR:
		return run_descriptor(zip, step);
	case ZIP_REST:
		return run_rest(zip, step);
	case ZIP_OVER:
		return step_in_left(step) > 0 ? decoder_fail_garbage(decoder) : 0;
	}
	return 0;
}

const struct decode_ops decode_zip = {
	.size = sizeof(struct zip),
	.memory = 256 << 10, /* as gzip, and the longest header */
	.corrupt = "the zip is corrupt",
	.cut = "the zip ends early",
	.garbage = "bytes follow the end of the zip",
	.init = zip_init,
	.fini = zip_fini,
	.run = zip_run,
};
