#include "image/prove.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "image/internal.h"
#include "proof/hasher.h"
#include "util/cleanup.h"

static int open_console(void *data, struct console **ret_console)
{
	struct cm4_image *image = data;

	return image->owner.open_console(image->owner.data, ret_console);
}

static int open_block(void *data, struct block **ret_block)
{
	struct cm4_image *image = data;

	return image->owner.open_block(image->owner.data, image->disk, ret_block);
}

int prove_begin(struct cm4_image *image)
{
	const struct prover_source source = {
		.open_console = open_console,
		.open_block = open_block,
		.data = image,
	};
	bool medium = image->policy.verify == CM4_VERIFY_MEDIUM;
	struct prove *prove = &image->prove;
	int r;

	if (image->policy.verify == CM4_VERIFY_OFF || prove->prover)
		return 0;
	r = hasher_new(&prove->hasher);
	if (r < 0)
		return r;
	r = prover_new(
		medium ? PROVER_MEDIUM : PROVER_READBACK, image->disk, &source, &prove->prover);
	if (r < 0) {
		hasher_free(prove->hasher);
		prove->hasher = NULL;
	}
	return r;
}

/* Lock held. Of the prover that is there, what is worth keeping. */
static void note(struct prove *prove)
{
	struct prover_status status;

	prover_get_status(prove->prover, &status);
	prove->bytes += status.bytes_proved - prove->base;
	/* What was read back in part was read back. */
	if (prove->kind == CM4_VERIFY_READBACK)
		return;
	prove->kind = status.kind == PROVER_MEDIUM ? CM4_VERIFY_MEDIUM : CM4_VERIFY_READBACK;
	snprintf(prove->reason, sizeof(prove->reason), "%s", status.reason);
}

void prove_end(struct cm4_image *image)
{
	struct prover *prover = image->prove.prover;
	struct hasher *hasher = image->prove.hasher;

	if (!prover)
		return;
	while (image->aborting)
		pthread_cond_wait(&image->wake, &image->lock);
	note(&image->prove);
	image->prove.base = 0;
	image->prove.prover = NULL;
	image->prove.hasher = NULL;
	pthread_mutex_unlock(&image->lock);
	prover_free(prover);
	hasher_free(hasher);
	pthread_mutex_lock(&image->lock);
}

static uint64_t bytes_of(const struct iovec *iov, int n)
{
	uint64_t bytes = 0;

	for (int i = 0; i < n; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

static int enter(struct cm4_image *image, uint64_t offset, uint64_t length,
	const unsigned char hash[SHA256_SIZE])
{
	LOCKED(&image->lock);

	return ledger_add(&image->prove.ledger, offset, length, hash);
}

/* As much as may be unproved beside @length more bytes. */
static uint64_t room_for(uint64_t length)
{
	return length < PROVER_BACKLOG ? PROVER_BACKLOG - length : 0;
}

/*
 * Nothing but zeros: holes, and what a dense image has in their place. Their hash is known from the last time. Here is
 * also the place for not writing them where the medium is known to hold zeros already.
 */
static bool are_zeros(const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++)
		if (!is_zeros(iov[i].iov_base, iov[i].iov_len))
			return false;
	return true;
}

/* Lock not held. Writes it; its hash is in @hash when this returns 0. */
static int write_and_hash(struct cm4_image *image, const struct iovec *iov, int n, uint64_t offset,
	unsigned char hash[SHA256_SIZE])
{
	struct hasher *hasher = image->prove.hasher;
	struct prove_zeros *known = &image->zeros;
	struct block *block = image->block;
	uint64_t length = bytes_of(iov, n);
	bool zeros = are_zeros(iov, n);
	int r, hashed;

	if (zeros && known->length == length) {
		memcpy(hash, known->hash, SHA256_SIZE);
		return block->ops->writev(block, iov, n, offset);
	}
	hasher_start(hasher, iov, n);
	r = block->ops->writev(block, iov, n, offset);
	hashed = hasher_finish(hasher, hash);
	if (zeros && hashed == 0) {
		known->length = length;
		memcpy(known->hash, hash, SHA256_SIZE);
	}
	return r < 0 ? r : hashed;
}

int prove_writev(struct cm4_image *image, const struct iovec *iov, int n, uint64_t offset)
{
	struct prover *prover = image->prove.prover;
	struct block *block = image->block;
	uint64_t length = bytes_of(iov, n);
	unsigned char hash[SHA256_SIZE];
	int r;

	if (!prover)
		return block->ops->writev(block, iov, n, offset);
	r = prover_yield(prover, offset, length);
	if (r == 0)
		r = prover_wait(prover, room_for(length));
	if (r < 0)
		return r;
	r = write_and_hash(image, iov, n, offset, hash);
	if (r == 0)
		r = enter(image, offset, length, hash);
	return r < 0 ? r : prover_add(prover, offset, length, hash);
}

int prove_wait(struct cm4_image *image)
{
	struct prover *prover = image->prove.prover;
	int r;

	if (!prover)
		return writer_verdict(image);
	pthread_mutex_unlock(&image->lock);
	r = prover_wait(prover, 0);
	pthread_mutex_lock(&image->lock);
	return r < 0 ? writer_failed(image, r, "proving", 0) : writer_verdict(image);
}

/* Lock held, given up in between. */
static int add_again(struct cm4_image *image, const struct ledger_entry *entry)
{
	struct prover *prover = image->prove.prover;
	int r;

	pthread_mutex_unlock(&image->lock);
	r = prover_wait(prover, room_for(entry->length));
	if (r == 0)
		r = prover_add(prover, entry->offset, entry->length, entry->hash);
	pthread_mutex_lock(&image->lock);
	return r;
}

int prove_can_again(const struct cm4_image *image)
{
	if (image->prove.overwritten || image->superseded)
		return -ESTALE;
	return ledger_covers(&image->prove.ledger, image_end(image)) < tally_bytes_written(image)
		       ? -ENODATA
		       : 0;
}

/* Lock held. As if nothing had been proved so far. */
static void forget_progress(struct prove *prove)
{
	struct prover_status status = {0};

	if (prove->prover)
		prover_get_status(prove->prover, &status);
	prove->base = status.bytes_proved;
	prove->bytes = 0;
	prove->kind = CM4_VERIFY_OFF;
	prove->reason[0] = '\0';
}

/* Lock held. The disk is still this image's, and that is what it was. */
static bool is_ours(const struct cm4_image *image, uint64_t change)
{
	return !image->superseded && !image->prove.overwritten && image->change == change;
}

int prove_again(struct cm4_image *image)
{
	struct prove *prove = &image->prove;
	uint64_t change = image->change, end = image_end(image);
	int r;

	forget_progress(prove);
	r = prove_begin(image);
	for (size_t i = 0; r == 0 && is_ours(image, change) && i < prove->ledger.n; i++) {
		const struct ledger_entry entry = prove->ledger.entries[i];

		if (entry.offset < end)
			r = add_again(image, &entry);
	}
	if (r == 0 && prove->prover) {
		pthread_mutex_unlock(&image->lock);
		r = prover_wait(prove->prover, 0);
		pthread_mutex_lock(&image->lock);
	}
	/* What differs then is no fault of the medium's. */
	return is_ours(image, change) ? r : -ESTALE;
}

bool prove_explains(struct cm4_image *image, int error, char *text, size_t size)
{
	struct prover_status status;

	if (!image->prove.prover || error == -ECANCELED)
		return false;
	prover_get_status(image->prove.prover, &status);
	if (status.error != error)
		return false;
	snprintf(text, size, "%s", status.error_text);
	return true;
}

void prove_status(struct cm4_image *image, struct cm4_image_status *status)
{
	struct prove copy = image->prove;

	if (copy.prover)
		note(&copy);
	status->verify = copy.kind == CM4_VERIFY_OFF ? image->policy.verify : copy.kind;
	status->bytes_proved = copy.bytes;
	snprintf(status->verify_reason, sizeof(status->verify_reason), "%s", copy.reason);
}

void prove_forget(struct cm4_image *image)
{
	ledger_clear(&image->prove.ledger);
	image->prove.overwritten = false;
	forget_progress(&image->prove);
}
