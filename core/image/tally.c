#include "image/tally.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"
#include "sidecar/bmap.h"
#include "sidecar/digest.h"
#include "sidecar/sums.h"
#include "util/cleanup.h"

/* Zeros that are reckoned with the lock held: some ten milliseconds of them. */
#define LEAP_MAX  (64u << 20)
#define READ_SIZE (1u << 20)

static uint64_t range_start(const struct bmap *bmap, const struct bmap_range *range)
{
	return range->first * bmap->block_size;
}

static uint64_t range_end(const struct bmap *bmap, const struct bmap_range *range)
{
	return min64(range->end * bmap->block_size, bmap->image_size);
}

/* All blocks of which a part is in the bmap. */
static int map_ranges(const struct bmap *bmap, struct rangemap *map)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < bmap->n_ranges; i++)
		r = rangemap_add(map, FIRST_BLOCK(range_start(bmap, &bmap->ranges[i])),
			END_BLOCK(range_end(bmap, &bmap->ranges[i])));
	return r;
}

static void drop_bmap(struct tally *tally)
{
	bmap_unref(tally->bmap);
	digest_free(tally->range);
	rangemap_clear(&tally->mapped);
	rangemap_clear(&tally->right);
	tally->bmap = NULL;
	tally->range = NULL;
	tally->under_way = NULL;
}

int tally_set_bmap(struct cm4_image *image, struct bmap *bmap)
{
	struct tally *tally = &image->tally;
	struct rangemap mapped = {0};
	struct digest *digest = NULL;
	int r = 0;

	if (bmap && bmap->digest)
		r = digest_new(bmap->digest, &digest);
	if (r == 0 && bmap)
		r = map_ranges(bmap, &mapped);
	if (r < 0) {
		digest_free(digest);
		rangemap_clear(&mapped);
		return r;
	}
	drop_bmap(tally);
	tally->bmap = bmap ? bmap_ref(bmap) : NULL;
	tally->range = digest;
	tally->mapped = mapped;
	tally->n_bmaps++;
	return 0;
}

static bool is_right(const struct tally *tally, const struct bmap_range *range)
{
	return !range->has_sum ||
	       rangemap_has(&tally->right, (uint64_t)(range - tally->bmap->ranges));
}

static int set_right(struct tally *tally, const struct bmap_range *range, bool right)
{
	uint64_t number = (uint64_t)(range - tally->bmap->ranges);

	return right ? rangemap_add(&tally->right, number, number + 1)
		     : rangemap_remove(&tally->right, number, number + 1);
}

/* The range under way is complete. */
static int end_range(struct tally *tally)
{
	const struct bmap_range *range = tally->under_way;
	unsigned char sum[DIGEST_SIZE_MAX];
	int r = digest_final(tally->range, sum);

	tally->under_way = NULL;
	if (r < 0 || !range->has_sum)
		return r;
	if (memcmp(sum, range->sum, tally->bmap->sum_size) != 0)
		return -EBADMSG;
	return set_right(tally, range, true);
}

/* Bytes that follow those of the last call, or begin anew somewhere. */
static int reckon_ranges(struct tally *tally, uint64_t at, const unsigned char *data, uint64_t n)
{
	const struct bmap *bmap = tally->bmap;
	uint64_t end = at + n;
	int r = 0;

	while (r == 0 && at < end) {
		const struct bmap_range *range = tally->under_way;
		uint64_t stop;

		if (!range) {
			range = bmap_find(bmap, at / bmap->block_size);
			if (!range || range_start(bmap, range) >= end)
				return 0;
			if (range_start(bmap, range) >= at) {
				data += data ? range_start(bmap, range) - at : 0;
				at = range_start(bmap, range);
				tally->under_way = range;
				digest_reset(tally->range);
			}
		}
		stop = min64(range_end(bmap, range), end);
		if (stop <= at) /* behind the image's end */
			return 0;
		if (tally->under_way && data)
			digest_update(tally->range, data, stop - at);
		else if (tally->under_way)
			digest_zeros(tally->range, stop - at);
		data += data ? stop - at : 0;
		at = stop;
		if (tally->under_way && at == range_end(bmap, range))
			r = end_range(tally);
	}
	return r;
}

static void void_ranges(struct tally *tally, uint64_t start, uint64_t end)
{
	const struct bmap *bmap = tally->bmap;
	const struct bmap_range *range;

	if (!bmap)
		return;
	tally->under_way = NULL;
	for (range = bmap_find(bmap, start / bmap->block_size);
		range && range < bmap->ranges + bmap->n_ranges && range_start(bmap, range) < end;
		range++)
		set_right(tally, range, false);
}

static void reckon_raw(
	struct cm4_image *image, uint64_t offset, const unsigned char *data, uint64_t n)
{
	struct tally *tally = &image->tally;

	if (offset == 0) {
		digest_reset(tally->raw);
		tally->next = 0;
		tally->broken = false;
	}
	/* What is leapt over is zeros, unless something was there before. */
	if (offset > tally->next && tally->next >= tally->high &&
		offset - tally->next <= LEAP_MAX) {
		digest_zeros(tally->raw, offset - tally->next);
		tally->next = offset;
	}
	if (offset != tally->next)
		tally->broken = true;
	if (tally->broken)
		return;
	if (data)
		digest_update(tally->raw, data, n);
	else
		digest_zeros(tally->raw, n);
	tally->next += n;
}

static int fail_range(struct cm4_image *image, uint64_t start, uint64_t end)
{
	image_fail(image, -EBADMSG, true,
		"bytes %" PRIu64 " to %" PRIu64
		" of the image are not what the bmap's checksum is of",
		start, end - 1);
	return writer_verdict(image);
}

int tally_put(struct cm4_image *image, uint64_t offset, const unsigned char *data, uint64_t n)
{
	struct tally *tally = &image->tally;
	int r = tally->raw ? 0 : digest_new("SHA256", &tally->raw);

	if (r < 0)
		return r;
	reckon_raw(image, offset, data, n);
	if (tally->range) {
		if (offset < tally->high)
			void_ranges(tally, offset, offset + n);
		if (offset != tally->range_next)
			tally->under_way = NULL;
		r = reckon_ranges(tally, offset, data, n);
		tally->range_next = offset + n;
	}
	if (offset + n > tally->high)
		tally->high = offset + n;
	if (r != -EBADMSG)
		return r;
	/* qemu-img writes a block of zeros before all else, and another one there later: then the close tells. */
	if (!image->has_data && (!data || is_zeros(data, n)))
		return 0;
	return fail_range(image, offset, offset + n);
}

int tally_leave_out(
	struct cm4_image *image, uint64_t offset, uint64_t end, const unsigned char *data)
{
	if (!data || is_zeros(data, end - offset))
		return 0;
	return rangemap_add(&image->tally.left_out, FIRST_BLOCK(offset), END_BLOCK(end));
}

void tally_void(struct cm4_image *image, uint64_t offset)
{
	struct tally *tally = &image->tally;

	if (offset >= tally->high)
		return;
	tally->broken = true;
	void_ranges(tally, offset, UINT64_MAX);
}

uint64_t tally_run(const struct cm4_image *image, uint64_t offset, uint64_t n, bool *ret_written)
{
	const struct tally *tally = &image->tally;
	uint64_t stop;

	*ret_written = true;
	if (!tally->bmap)
		return n;
	*ret_written = rangemap_has(&tally->mapped, FIRST_BLOCK(offset));
	stop = rangemap_next(
		&tally->mapped, FIRST_BLOCK(offset), END_BLOCK(offset + n), !*ret_written);
	return min64(n, stop * RANGEMAP_BLOCK - offset);
}

bool tally_next_written(const struct cm4_image *image, uint64_t *first, uint64_t *end)
{
	const struct tally *tally = &image->tally;

	if (!tally->bmap)
		return *first < *end;
	return rangemap_next_run(&tally->mapped, *first, *end, true, first, end);
}

uint64_t tally_bytes_written(const struct cm4_image *image)
{
	uint64_t end = END_BLOCK(image->size), blocks = min64(end, HEAD_BLOCKS), first = blocks,
		 stop = end;

	while (first < end && tally_next_written(image, &first, &stop)) {
		blocks += stop - first;
		first = stop;
		stop = end;
	}
	return min64(blocks * RANGEMAP_BLOCK, image_end(image));
}

/* Lock held, given up in between. [start, end) of the image as it is, through @digest. */
static int digest_disk(struct cm4_image *image, struct digest *digest, uint64_t start, uint64_t end)
{
	_cleanup_free_ unsigned char *piece = malloc(READ_SIZE);
	int r = piece ? 0 : -ENOMEM;

	pthread_mutex_unlock(&image->lock);
	digest_reset(digest);
	while (r == 0 && start < end) {
		size_t n = (size_t)min64(READ_SIZE - start % READ_SIZE, end - start);

		r = judge_read(image, piece, n, start);
		if (r == 0)
			digest_update(digest, piece, n);
		start += n;
	}
	pthread_mutex_lock(&image->lock);
	if (r < 0)
		return writer_failed(image, r, "reading for a checksum", start);
	return writer_verdict(image);
}

/*
 * Lock held, given up in between. The ranges that did not come in order. With a digest of its own, for another bmap
 * may take the place of this one meanwhile; then, or where something is written, nothing is known: 0.
 */
static int check_ranges(struct cm4_image *image)
{
	struct tally *tally = &image->tally;
	struct bmap *bmap = bmap_ref(tally->bmap);
	uint64_t change = image->change;
	struct digest *digest = NULL;
	int r = digest_new(bmap->digest, &digest);

	for (size_t i = 0; r == 0 && i < bmap->n_ranges && tally->bmap == bmap; i++) {
		const struct bmap_range *range = &bmap->ranges[i];
		unsigned char sum[DIGEST_SIZE_MAX];

		if (is_right(tally, range))
			continue;
		r = digest_disk(image, digest, range_start(bmap, range), range_end(bmap, range));
		if (r == 0)
			r = digest_final(digest, sum);
		if (image->change != change || tally->bmap != bmap)
			break;
		if (r == 0 && memcmp(sum, range->sum, bmap->sum_size) != 0)
			r = fail_range(image, range_start(bmap, range), range_end(bmap, range));
	}
	digest_free(digest);
	bmap_unref(bmap);
	return r;
}

/* What one bmap left out is wanted where there is another by now, or none: it has gone. */
static int check_left_out(struct cm4_image *image)
{
	uint64_t first, end = 0, last = END_BLOCK(image->size);

	while (rangemap_next_run(&image->tally.left_out, end, last, true, &first, &end)) {
		if (!tally_next_written(image, &first, &end))
			continue;
		image_fail(image, -EBADMSG, true,
			"bytes %" PRIu64 " to %" PRIu64
			" of the image were left out, by a bmap that is no longer beside it; copy "
			"it again",
			first * RANGEMAP_BLOCK, end * RANGEMAP_BLOCK - 1);
		return writer_verdict(image);
	}
	return 0;
}

static int check_bmap(struct cm4_image *image)
{
	const struct bmap *bmap = image->tally.bmap;
	int r = check_left_out(image);

	if (!bmap || r < 0)
		return r;
	if (image->size < bmap->image_size)
		return -EBADMSG;
	if (image->size > bmap->image_size) {
		image_fail(image, -EBADMSG, true,
			"the bmap is of an image of %" PRIu64 " bytes, this one has %" PRIu64,
			bmap->image_size, image->size);
		return writer_verdict(image);
	}
	return image->tally.range ? check_ranges(image) : 0;
}

bool tally_hash(struct cm4_image *image, unsigned char ret_hash[TALLY_HASH])
{
	struct tally *tally = &image->tally;

	if (!tally->has_hash || tally->hash_change != image->change) {
		uint64_t tail = image->size - min64(tally->next, image->size);

		if (!tally->raw || tally->broken || tally->next > image->size ||
			(tail && tally->next < tally->high) || tail > LEAP_MAX)
			return false;
		digest_zeros(tally->raw, tail);
		tally->next += tail;
		if (digest_final(tally->raw, tally->hash) < 0)
			return false;
		tally->has_hash = true;
		tally->hash_change = image->change;
	}
	memcpy(ret_hash, tally->hash, TALLY_HASH);
	return true;
}

/* Lock held, given up in between. -ENODATA: not all of it is on the disk. */
static int hash_anyhow(struct cm4_image *image, unsigned char hash[TALLY_HASH])
{
	struct tally *tally = &image->tally;
	uint64_t change = image->change;
	struct digest *digest;
	int r;

	if (tally_hash(image, hash))
		return 0;
	if (tally->bmap || image->prove.overwritten)
		return -ENODATA;
	r = digest_new("SHA256", &digest);
	if (r < 0)
		return r;
	r = digest_disk(image, digest, 0, image->size);
	if (r == 0)
		r = digest_final(digest, hash);
	digest_free(digest);
	if (r == 0 && image->change == change) {
		memcpy(tally->hash, hash, TALLY_HASH);
		tally->has_hash = true;
		tally->hash_change = change;
	}
	return r;
}

bool tally_hash_of_dropped(struct cm4_image *image, unsigned char hash[TALLY_HASH])
{
	if (!image->stream)
		return tally_hash(image, hash);
	memcpy(hash, image->stream->hash, TALLY_HASH);
	return image->stream->has_hash;
}

static int compare(struct cm4_image *image, bool raw, const unsigned char *wanted)
{
	unsigned char hash[TALLY_HASH];
	int r = 0;

	if (raw || !image->stream)
		r = hash_anyhow(image, hash);
	else if (!tally_hash_of_dropped(image, hash))
		r = -ENODATA;
	if (r == -ENODATA)
		return 0; /* it does not lie about it: status.json has no sum then */
	if (r < 0 || memcmp(hash, wanted, TALLY_HASH) == 0)
		return r;
	return -EBADMSG;
}

/* Lock held, given up in between. */
static int compare_wanted(struct cm4_image *image)
{
	struct sums_wanted wanted = {0};
	char label[CM4_LABEL_MAX];
	int r = 0;

	memcpy(label, image->label, sizeof(label));
	pthread_mutex_unlock(&image->lock);
	if (image->owner.sums)
		image->owner.sums(image->owner.data, label, &wanted);
	pthread_mutex_lock(&image->lock);
	if (wanted.has_dropped)
		r = compare(image, false, wanted.dropped);
	if (r == 0 && wanted.has_raw)
		r = compare(image, true, wanted.raw);
	return r;
}

#define SUM_DIFFERS "its SHA-256 is not the one that the list beside it has"

int tally_check(struct cm4_image *image)
{
	uint64_t change = image->change;
	int r = check_bmap(image);

	if (r < 0 || image->change != change)
		return r;
	r = compare_wanted(image);
	if (r == -EBADMSG && image->change == change) {
		image_fail(image, r, true, SUM_DIFFERS);
		return writer_verdict(image);
	}
	return r == -EBADMSG ? 0 : r;
}

int tally_check_sums(struct cm4_image *image)
{
	uint64_t change = image->change;
	int r = compare_wanted(image);

	if (r != -EBADMSG || image->change != change)
		return r == -EBADMSG ? 0 : r;
	if (image->state == DISK_OPEN)
		image_fail(image, r, true, SUM_DIFFERS);
	return r;
}

void tally_forget(struct cm4_image *image)
{
	struct tally *tally = &image->tally;

	tally->next = tally->high = tally->range_next = 0;
	tally->broken = tally->has_hash = false;
	tally->under_way = NULL;
	rangemap_clear(&tally->right);
	rangemap_clear(&tally->left_out);
	if (tally->raw)
		digest_reset(tally->raw);
}

void tally_fini(struct cm4_image *image)
{
	drop_bmap(&image->tally);
	rangemap_clear(&image->tally.left_out);
	digest_free(image->tally.raw);
	image->tally.raw = NULL;
}
