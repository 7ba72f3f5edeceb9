#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "image/internal.h"
#include "image/whole.h"
#include "sidecar/bmap.h"

/*
 * close(): from a writer who is through to an image that is whole, or not. Everything is on the disk, it reaches as
 * far as it says itself, what nobody wrote is zeros, all of it is synced and proved, and then its start follows.
 *
 * What other writers do in the meantime their own close() will judge: this one has done its part then.
 */

static void tell_verifying(struct cm4_image *image)
{
	if (image->prove.prover)
		image_tell(image, IMAGE_VERIFYING, 0, NULL);
}

/* It is no disk image so far. More may come; if nothing does, the last close says so for good. */
static int refuse_for_the_moment(struct cm4_image *image)
{
	image->judge.refused = true;
	return -EINVAL;
}

/* All but the start. */
static int finish_rest(struct cm4_image *image)
{
	uint64_t change = image->change;
	int r = 0;

	if (judge_is_held(image))
		r = judge_look(image, false);
	if (r < 0 || image->change != change)
		return r;
	if (judge_is_held(image))
		return refuse_for_the_moment(image);
	r = writer_drain(image);
	if (r == 0)
		r = judge_whole(image);
	if (r == 0)
		r = writer_fill_holes(image);
	if (r == 0)
		r = tally_check(image);
	return r < 0 ? r : writer_sync(image);
}

static int finish_start(struct cm4_image *image)
{
	int r;

	image->committing = true;
	r = head_commit(image);
	image->committing = false;
	return r;
}

/* ... on the medium and proved. A bmap that comes meanwhile has been dropped during the flash, and counts. */
static int finish_before_start(struct cm4_image *image)
{
	uint64_t change = image->change;
	unsigned bmap;
	int r;

	do {
		bmap = image->tally.n_bmaps;
		r = finish_rest(image);
		if (r < 0 || image->change != change)
			return r;
		tell_verifying(image);
		r = prove_wait(image);
	} while (r == 0 && image->change == change && image->tally.n_bmaps != bmap);
	return r;
}

int finish_flash(struct cm4_image *image)
{
	uint64_t change = image->change;
	int r = finish_before_start(image);

	if (r == 0 && image->change == change)
		r = finish_start(image);
	if (r < 0)
		return r;
	if (image->change != change) {
		image_tell(image, IMAGE_BEGAN, 0, NULL);
		return 0;
	}
	image->whole = true;
	image->began = false;
	image_clock_stop(image);
	image_tell(image, IMAGE_WHOLE, 0, NULL);
	return 0;
}

/* What says nothing of the disk (no memory, a disk that cannot be opened) is no failure of the image's. */
static bool is_damning(int error)
{
	return error == -EIO || error == -ENODEV;
}

int finish_verify(struct cm4_image *image)
{
	int r = prove_can_again(image);

	if (r < 0)
		return r;
	image_tell(image, IMAGE_VERIFYING, 0, NULL);
	r = prove_again(image);
	if (is_damning(r) && image->state == DISK_OPEN) {
		image->whole = false;
		return writer_failed(image, r, "proving", 0);
	}
	prove_end(image);
	image_tell(image, IMAGE_VERIFIED, image->superseded ? -ESTALE : 0, NULL);
	return r;
}

/* The last close: what is left of a flash that came to no end. */
void finish_incomplete(struct cm4_image *image)
{
	const struct judge *judge = &image->judge;
	const struct bmap *bmap = image->tally.bmap;
	struct whole_facts facts;

	if (judge->refused) {
		judge_refuse(image);
		return;
	}
	content_facts(image, &facts);
	whole_explain(whole_judge(&facts), &facts, image->text, sizeof(image->text));
	if (image->stream && image->stream->lacks[0] && !facts.killed)
		snprintf(image->text, sizeof(image->text), "%s", image->stream->lacks);
	else if (bmap && image->size < bmap->image_size && !facts.killed)
		snprintf(image->text, sizeof(image->text),
			"the bmap is of an image of %" PRIu64 " bytes, and only %" PRIu64 " came",
			bmap->image_size, image->size);
	else if (judge->lacking && !facts.killed)
		layout_explain(&judge->layout, image->size, image->text, sizeof(image->text));
	image->say_incomplete = true;
	image->began = false;
	image_clock_stop(image);
	image->state = DISK_CLOSING;
}
