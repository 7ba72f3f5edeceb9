#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cm4fs/log.h>

#include "proof/internal.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct piece *queue_take(struct prover *prover)
{
	struct piece *piece;
	LOCKED(&prover->lock);

	piece = TAILQ_FIRST(&prover->queued);
	if (!piece)
		return NULL;
	TAILQ_REMOVE(&prover->queued, piece, link);
	TAILQ_INSERT_TAIL(&prover->taken, piece, link);
	return piece;
}

/* Lock held. */
static void drop(struct prover *prover, struct piece *piece)
{
	TAILQ_REMOVE(&prover->taken, piece, link);
	if (!piece->forgotten) {
		prover->n--;
		prover->status.bytes_left -= piece->length;
	}
	free(piece);
	pthread_cond_broadcast(&prover->changed);
}

void queue_proved(struct prover *prover, struct piece *piece)
{
	LOCKED(&prover->lock);

	if (!piece->forgotten)
		prover->status.bytes_proved += piece->length;
	if (piece->doubted)
		cm4_log(LOG_WARNING,
			"%s: at byte %" PRIu64 " a proof failed once and then went well",
			prover->disk, piece->offset);
	drop(prover, piece);
}

/*
 * Two in a row have to say so. The first may not be the medium's fault: a module that was short of memory, a
 * program that could not be started, leave a hash of something else.
 */
void queue_differs(struct prover *prover, struct piece *piece)
{
	bool medium;
	LOCKED(&prover->lock);

	if (!piece->doubted && !piece->forgotten) {
		piece->doubted = true;
		TAILQ_REMOVE(&prover->taken, piece, link);
		TAILQ_INSERT_HEAD(&prover->queued, piece, link);
		return;
	}
	medium = prover->status.kind == PROVER_MEDIUM;
	if (!piece->forgotten)
		queue_fail(prover, -EIO, piece->offset,
			"%s does not hold what was written, within bytes %" PRIu64 " to %" PRIu64
			" of %s",
			medium ? "the medium" : "the disk", piece->offset,
			piece->offset + piece->length - 1, prover->disk);
	drop(prover, piece);
}

void queue_unreadable(struct prover *prover, struct piece *piece, const char *why)
{
	LOCKED(&prover->lock);

	if (!piece->forgotten)
		queue_fail(prover, -EIO, piece->offset,
			"bytes %" PRIu64 " to %" PRIu64 " of %s cannot be read: %s", piece->offset,
			piece->offset + piece->length - 1, prover->disk, why);
	drop(prover, piece);
}

void queue_give_back(struct prover *prover)
{
	struct piece *piece;
	LOCKED(&prover->lock);

	while ((piece = TAILQ_LAST(&prover->taken, pieces))) {
		if (piece->forgotten) {
			drop(prover, piece);
			continue;
		}
		TAILQ_REMOVE(&prover->taken, piece, link);
		TAILQ_INSERT_HEAD(&prover->queued, piece, link);
	}
}

void queue_clear(struct prover *prover)
{
	struct piece *piece;

	while ((piece = TAILQ_FIRST(&prover->queued))) {
		TAILQ_REMOVE(&prover->queued, piece, link);
		free(piece);
	}
	while ((piece = TAILQ_FIRST(&prover->taken))) {
		TAILQ_REMOVE(&prover->taken, piece, link);
		free(piece);
	}
}

void queue_fail(struct prover *prover, int error, uint64_t offset, const char *format, ...)
{
	struct prover_status *status = &prover->status;
	va_list args;

	if (status->error)
		return;
	status->error = error;
	status->error_offset = offset;
	va_start(args, format);
	vsnprintf(status->error_text, sizeof(status->error_text), format, args);
	va_end(args);
	pthread_cond_broadcast(&prover->changed);
}

bool queue_wait(struct prover *prover)
{
	LOCKED(&prover->lock);

	while (!prover->status.error && TAILQ_EMPTY(&prover->queued))
		cond_wait_until(&prover->changed, &prover->lock, UINT64_MAX);
	return !prover->status.error;
}

bool queue_is_over(struct prover *prover)
{
	LOCKED(&prover->lock);

	return prover->status.error;
}

bool queue_pause(struct prover *prover, unsigned ms)
{
	uint64_t deadline = clock_ns() + ms * NS_PER_MS;
	LOCKED(&prover->lock);

	while (!prover->status.error && clock_ns() < deadline)
		cond_wait_until(&prover->changed, &prover->lock, deadline);
	return !prover->status.error;
}
