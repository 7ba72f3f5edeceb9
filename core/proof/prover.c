#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cm4fs/log.h>

#include "proof/internal.h"
#include "seam/block.h"
#include "seam/console.h"
#include "util/cleanup.h"
#include "util/clock.h"

const char *prover_kind_to_string(enum prover_kind kind)
{
	return kind == PROVER_MEDIUM ? "medium" : "readback";
}

/* Everything that was not proved by the medium's own word has to be read back, and it is said. */
static void turn_to_readback(struct prover *prover, const char *reason)
{
	cm4_log(LOG_WARNING,
		"%s: the module cannot prove its own medium (%s): reading back instead",
		prover->disk, reason);
	queue_give_back(prover);
	LOCKED(&prover->lock);

	prover->status.kind = PROVER_READBACK;
	snprintf(prover->status.reason, sizeof(prover->status.reason), "%s", reason);
}

static void *prover_run(void *data)
{
	struct prover *prover = data;
	const char *reason = "";

	pthread_setname_np(pthread_self(), "cm4-proof");
	if (prover->wanted == PROVER_MEDIUM) {
		if (medium_run(prover, &reason) == 0)
			return NULL;
		turn_to_readback(prover, reason);
	}
	readback_run(prover);
	return NULL;
}

int prover_new(enum prover_kind kind, const char *disk, const struct prover_source *source,
	struct prover **ret_prover)
{
	struct prover *prover;
	int r;

	if (!*disk || strlen(disk) >= CM4_DISK_MAX)
		return -EINVAL;
	prover = calloc(1, sizeof(*prover));
	if (!prover)
		return -ENOMEM;
	snprintf(prover->disk, sizeof(prover->disk), "%s", disk);
	prover->wanted = prover->status.kind = kind;
	prover->source = *source;
	TAILQ_INIT(&prover->queued);
	TAILQ_INIT(&prover->taken);
	pthread_mutex_init(&prover->lock, NULL);
	cond_init(&prover->changed);
	r = pthread_create(&prover->thread, NULL, prover_run, prover);
	if (r) {
		pthread_cond_destroy(&prover->changed);
		pthread_mutex_destroy(&prover->lock);
		free(prover);
		return -r;
	}
	*ret_prover = prover;
	return 0;
}

void prover_free(struct prover *prover)
{
	if (!prover)
		return;
	prover_abort(prover);
	pthread_join(prover->thread, NULL);
	queue_clear(prover);
	pthread_cond_destroy(&prover->changed);
	pthread_mutex_destroy(&prover->lock);
	free(prover);
}

/* Lock held. One piece is always taken: how else should it be proved. */
static bool has_room(const struct prover *prover, uint64_t length)
{
	const struct prover_status *status = &prover->status;

	if (prover->n == 0)
		return true;
	return prover->n < PROVER_PIECES && length <= PROVER_BACKLOG &&
	       status->bytes_left <= PROVER_BACKLOG - length;
}

int prover_add(struct prover *prover, uint64_t offset, uint64_t length,
	const unsigned char hash[SHA256_SIZE])
{
	struct piece *piece;
	LOCKED(&prover->lock);

	if (prover->status.error)
		return prover->status.error;
	if (!has_room(prover, length))
		return -EAGAIN;
	piece = calloc(1, sizeof(*piece));
	if (!piece)
		return -ENOMEM;
	piece->offset = offset;
	piece->length = length;
	memcpy(piece->hash, hash, SHA256_SIZE);
	TAILQ_INSERT_TAIL(&prover->queued, piece, link);
	prover->n++;
	prover->status.bytes_left += length;
	pthread_cond_broadcast(&prover->changed);
	return 0;
}

int prover_wait(struct prover *prover, uint64_t most)
{
	const struct prover_status *status = &prover->status;
	LOCKED(&prover->lock);

	/* Room means room among the pieces, too. */
	while (!status->error && prover->n &&
		(status->bytes_left > most || prover->n == PROVER_PIECES))
		cond_wait_until(&prover->changed, &prover->lock, UINT64_MAX);
	return status->error;
}

static bool is_within(const struct piece *piece, uint64_t from, uint64_t to)
{
	return piece->offset >= from && piece->offset + piece->length <= to;
}

/* Lock held. */
static void forget(struct prover *prover, uint64_t from, uint64_t to)
{
	struct piece *piece, *next;

	for (piece = TAILQ_FIRST(&prover->queued); piece; piece = next) {
		next = TAILQ_NEXT(piece, link);
		if (!is_within(piece, from, to))
			continue;
		TAILQ_REMOVE(&prover->queued, piece, link);
		prover->n--;
		prover->status.bytes_left -= piece->length;
		free(piece);
	}
	TAILQ_FOREACH (piece, &prover->taken, link) {
		if (piece->forgotten || !is_within(piece, from, to))
			continue;
		piece->forgotten = true;
		prover->n--;
		prover->status.bytes_left -= piece->length;
	}
	pthread_cond_broadcast(&prover->changed);
}

static bool overlaps(const struct pieces *pieces, uint64_t from, uint64_t to)
{
	const struct piece *piece;

	TAILQ_FOREACH (piece, pieces, link) {
		if (!piece->forgotten && piece->offset < to && piece->offset + piece->length > from)
			return true;
	}
	return false;
}

int prover_yield(struct prover *prover, uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;
	LOCKED(&prover->lock);

	forget(prover, offset, end);
	while (!prover->status.error &&
		(overlaps(&prover->queued, offset, end) || overlaps(&prover->taken, offset, end)))
		cond_wait_until(&prover->changed, &prover->lock, UINT64_MAX);
	return prover->status.error;
}

void prover_abort(struct prover *prover)
{
	struct console *console;
	struct block *block;

	pthread_mutex_lock(&prover->lock);
	prover->aborted = true;
	queue_fail(prover, -ECANCELED, 0, "cancelled");
	console = prover->console;
	block = prover->block;
	prover->aborting++;
	pthread_mutex_unlock(&prover->lock);

	if (console)
		console->ops->abort(console);
	if (block)
		block->ops->abort(block);

	pthread_mutex_lock(&prover->lock);
	prover->aborting--;
	pthread_cond_broadcast(&prover->changed);
	pthread_mutex_unlock(&prover->lock);
}

bool prover_offer_console(struct prover *prover, struct console *console)
{
	LOCKED(&prover->lock);

	prover->console = console;
	return !prover->aborted;
}

bool prover_offer_block(struct prover *prover, struct block *block)
{
	LOCKED(&prover->lock);

	prover->block = block;
	return !prover->aborted;
}

void prover_withdraw(struct prover *prover)
{
	LOCKED(&prover->lock);

	prover->console = NULL;
	prover->block = NULL;
	while (prover->aborting)
		cond_wait_until(&prover->changed, &prover->lock, UINT64_MAX);
}

void prover_get_status(struct prover *prover, struct prover_status *ret_status)
{
	LOCKED(&prover->lock);

	*ret_status = prover->status;
}
