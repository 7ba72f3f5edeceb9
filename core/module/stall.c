#include <stdlib.h>

#include "module/stall.h"
#include "util/clock.h"

struct timed {
	struct block base;
	struct block *inner;
	struct stall *stall;
};

static unsigned limit(const struct stall *stall)
{
	return stall->limit_ms ? stall->limit_ms : STALL_MS;
}

uint64_t stall_now_ms(struct stall *stall)
{
	uint64_t began = atomic_load(&stall->began_ms), now = clock_ms();

	return began && now > began + limit(stall) ? now - began : 0;
}

bool stall_happened(struct stall *stall)
{
	return atomic_load(&stall->stalled) || stall_now_ms(stall);
}

void stall_reset(struct stall *stall)
{
	atomic_store(&stall->stalled, false);
}

static int timed_writev(struct block *base, const struct iovec *iov, int n, uint64_t offset)
{
	struct timed *timed = (struct timed *)base;
	uint64_t began = clock_ms();
	int r;

	atomic_store(&timed->stall->began_ms, began);
	r = timed->inner->ops->writev(timed->inner, iov, n, offset);
	if (clock_ms() > began + limit(timed->stall))
		atomic_store(&timed->stall->stalled, true);
	atomic_store(&timed->stall->began_ms, 0);
	return r;
}

static int timed_read(struct block *base, void *buffer, size_t size, uint64_t offset)
{
	struct block *inner = ((struct timed *)base)->inner;

	return inner->ops->read(inner, buffer, size, offset);
}

static int timed_sync(struct block *base)
{
	struct block *inner = ((struct timed *)base)->inner;

	return inner->ops->sync(inner);
}

static void timed_abort(struct block *base)
{
	struct block *inner = ((struct timed *)base)->inner;

	inner->ops->abort(inner);
}

static void timed_close(struct block *base)
{
	struct block *inner = ((struct timed *)base)->inner;

	inner->ops->close(inner);
	free(base);
}

static const struct block_ops timed_ops = {
	.writev = timed_writev,
	.read = timed_read,
	.sync = timed_sync,
	.abort = timed_abort,
	.close = timed_close,
};

struct block *stall_watch(struct block *inner, struct stall *stall)
{
	struct timed *timed = malloc(sizeof(*timed));

	if (!timed)
		return inner;
	*timed = (struct timed){{&timed_ops, inner->bytes}, inner, stall};
	return &timed->base;
}
