#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "image/rangemap.h"

struct bmap;
struct bmap_range;
struct cm4_image;
struct digest;
struct sums_wanted;

/*
 * What is reckoned from an image's bytes as they pass: the SHA-256 of the raw image and, where a bmap goes with it,
 * the checksums of its ranges. Both want the bytes in order; where they come otherwise, what is missing is read from
 * the disk when it is asked for, and the start from memory while it is held back.
 *
 * The bmap also says which blocks are written: the others' bytes are reckoned, and dropped.
 *
 * FLASH images only. Thread: all with the image's lock held. tally_check and tally_sum on the image's thread, which
 * give it up while the disk is read.
 */
#define TALLY_HASH 32

struct tally {
	struct digest *raw;
	uint64_t next; /* the bytes before are reckoned */
	uint64_t high; /* behind all that ever came */
	bool broken;   /* what came next was not what is next */

	bool has_hash; /* of all of the image as it is, at @hash_change of it */
	uint64_t hash_change;
	unsigned char hash[TALLY_HASH];

	struct bmap *bmap;	  /* with a reference; NULL: none */
	unsigned n_bmaps;	  /* how often there was another */
	struct rangemap mapped;	  /* what is written */
	struct rangemap left_out; /* blocks of which bytes other than zeros came, and were not */
	struct rangemap right;	  /* ranges of the bmap, by number, that have been found right */
	struct digest *range;	  /* of the one under way */
	const struct bmap_range *under_way;
	uint64_t range_next; /* where it goes on */
};

/*
 * From now on blocks are written as @bmap says, and its sums looked at; NULL: as before. Takes a reference. 0, -ENOMEM;
 * -EINVAL: libcrypto does not know its digest.
 */
int tally_set_bmap(struct cm4_image *image, struct bmap *bmap);

/*
 * Bytes of the image that have just been taken; @data NULL: zeros. Those that were leapt over are zeros, too. 0;
 * -EBADMSG: a range is not what the bmap says, and the image has failed by it; -ENOMEM.
 */
int tally_put(struct cm4_image *image, uint64_t offset, const unsigned char *data, uint64_t n);

/* [offset, end) has come, and is not in the bmap: it is not written. @data NULL: zeros. 0 or -ENOMEM. */
int tally_leave_out(
	struct cm4_image *image, uint64_t offset, uint64_t end, const unsigned char *data);

/* What had been reckoned of [offset, end of the file) is void: the size was cut, or a hole was made. */
void tally_void(struct cm4_image *image, uint64_t offset);

/* The next run of bytes from @offset on, no longer than @n, that are all written or all not. */
uint64_t tally_run(const struct cm4_image *image, uint64_t offset, uint64_t n, bool *ret_written);

/* The next run of blocks of [*first, *end) that are written; false: there is none. */
bool tally_next_written(const struct cm4_image *image, uint64_t *first, uint64_t *end);

/* How many bytes of the image's are on the disk, or will be. */
uint64_t tally_bytes_written(const struct cm4_image *image);

/* At a close(): is it what the bmap and the lists say? 0, -EBADMSG, and the image has failed by it; or -errno. */
int tally_check(struct cm4_image *image);

/* Of a whole image: what the lists say of it now. 0; -EBADMSG: it is not what one says; or -errno. */
int tally_check_sums(struct cm4_image *image);

/* Known without reading: then it is in @ret_hash. */
bool tally_hash(struct cm4_image *image, unsigned char ret_hash[TALLY_HASH]);

/* The same of the file as it was dropped, compressed or not. */
bool tally_hash_of_dropped(struct cm4_image *image, unsigned char ret_hash[TALLY_HASH]);

void tally_forget(struct cm4_image *image); /* the content begins anew */
void tally_fini(struct cm4_image *image);
