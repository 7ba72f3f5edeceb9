#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* What is told about an image: its attributes, its progress, its name; and its beginning anew. */

void image_clock_start(struct cm4_image *image)
{
	if (image->started.tv_sec == 0)
		clock_gettime(CLOCK_REALTIME, &image->started);
	image->ended = (struct timespec){0};
	if (!image->active_since)
		image->active_since = clock_ns();
}

void image_clock_stop(struct cm4_image *image)
{
	if (!image->active_since)
		return;
	image->active_ns += clock_ns() - image->active_since;
	image->active_since = 0;
	clock_gettime(CLOCK_REALTIME, &image->ended);
}

void image_forget(struct cm4_image *image)
{
	stream_retire(image);
	tally_forget(image);
	content_clear(image);
	judge_forget(image);
	prove_forget(image);
	/* What is in flight still reaches the disk; what comes next is written after it. */
	chunk_erase(&image->pool, 0, UINT64_MAX);
	head_erase(image, 0, UINT64_MAX);
	image->restart = true;
	image->bytes_in = 0;
	image->bytes_written = 0;
	image->active_ns = 0;
	image->active_since = 0;
	image->started = (struct timespec){0};
	image->ended = (struct timespec){0};
}

void cm4_image_restart(struct cm4_image *image)
{
	if (image->mode == CM4_IMAGE_RAW)
		return;
	{
		LOCKED(&image->lock);
		image_forget(image);
		image->touched = false;
		image->error = 0;
		image->superseded = false;
	}
	stream_reap(image);
}

bool cm4_image_is_being_written(struct cm4_image *image)
{
	LOCKED(&image->lock);

	/* The first byte may still wait for the module's boot. */
	return image->mode == CM4_IMAGE_FLASH && (image->began || image_has_changers(image)) &&
	       image->opens_writable > 0 && !image->killed && !image->error &&
	       !(image->stream && image->stream->killed);
}

int cm4_image_rename(struct cm4_image *image, const char *label)
{
	LOCKED(&image->lock);

	snprintf(image->label, sizeof(image->label), "%s", label);
	/* A close() that refused it has the last word until the last one has: that comes when nobody waits for it. */
	if (!image->error && image->judge.refused)
		return -EINVAL;
	return image->error;
}

void cm4_image_getattr(struct cm4_image *image, struct cm4_image_attr *ret_attr)
{
	bool flash = image->mode == CM4_IMAGE_FLASH;
	LOCKED(&image->lock);

	*ret_attr = (struct cm4_image_attr){
		.size = image->stream ? image->stream->size : image->size,
		.blocks = flash ? rangemap_total(&image->data) * (RANGEMAP_BLOCK / 512)
				: image->size / 512,
		.superseded = image->superseded,
		.writing = flash && !image->whole,
	};
}

static uint64_t rate(const struct cm4_image *image)
{
	uint64_t ns = image->active_ns;

	if (image->active_since)
		ns += clock_ns() - image->active_since;
	/* In milliseconds, for bytes times nanoseconds do not fit. */
	return ns < NS_PER_MS ? 0 : image->bytes_written * 1000 / (ns / NS_PER_MS);
}

/* As its writer or its own layout has it; 0: nobody knows. */
static uint64_t bytes_total(const struct cm4_image *image)
{
	uint64_t said = image->whole || image->ahead ? image->size : 0;
	uint64_t reaches = image->judge.layout.reaches;

	if (image->whole || image->policy.raw || said >= reaches || reaches == UINT64_MAX)
		return said;
	return reaches < image->size ? image->size : reaches;
}

void image_status(struct cm4_image *image, struct cm4_image_status *ret_status)
{
	LOCKED(&image->lock);

	*ret_status = (struct cm4_image_status){
		.format = image->stream ? decode_format_to_string(image->stream->format) : "raw",
		.bytes_in = image->bytes_in,
		.bytes_total = bytes_total(image),
		.bytes_written = image->bytes_written,
		.bytes_per_second = rate(image),
		.whole = image->whole,
		.started = image->started,
		.ended = image->ended,
	};
	memcpy(ret_status->name, image->label, sizeof(image->label));
	ret_status->has_sha256_raw = image->whole && tally_hash(image, ret_status->sha256_raw);
	ret_status->has_sha256_dropped =
		image->whole && tally_hash_of_dropped(image, ret_status->sha256_dropped);
	prove_status(image, ret_status);
}
