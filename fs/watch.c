#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "op.h"
#include "proc.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "verdict.h"
#include "watch.h"

#define LOOK_AGAIN_MS 100

struct fs_watch {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct fs_op_list inbox; /* under the lock; each with a reference */
	bool stop;

	struct fs_op_list watched; /* the thread's own */
};

static bool is_closing(const struct fs_op *op)
{
	return op->image && (op->io.kind == CM4_IO_FLUSH || op->io.kind == CM4_IO_SYNC);
}

static bool look_at(const struct fs_op *op)
{
	struct fs_signals signals;
	bool known = fs_proc_signals(op->pid, &signals) == 0;
	/* Of events nothing is lost by an EINTR, and none may come for hours: no patience is worth it. */
	uint64_t waited = op->reader ? UINT64_MAX : clock_ms() - op->interrupted_ms;

	return fs_verdict(is_closing(op), waited, known ? &signals : NULL);
}

static void look_at_all(struct fs_watch *watch)
{
	struct fs_op *op, *next;

	for (op = TAILQ_FIRST(&watch->watched); op; op = next) {
		bool done = atomic_load(&op->replied);

		next = TAILQ_NEXT(op, link);
		if (!done && look_at(op)) {
			fs_op_give_up(op);
			done = true;
		}
		if (done) {
			TAILQ_REMOVE(&watch->watched, op, link);
			fs_op_unref(op);
		}
	}
}

static void *run(void *data)
{
	struct fs_watch *watch = data;

	for (;;) {
		uint64_t deadline = TAILQ_EMPTY(&watch->watched)
					    ? UINT64_MAX
					    : clock_ns() + LOOK_AGAIN_MS * NS_PER_MS;

		{
			LOCKED(&watch->lock);
			while (TAILQ_EMPTY(&watch->inbox) && !watch->stop)
				if (cond_wait_until(&watch->cond, &watch->lock, deadline) ==
					ETIMEDOUT)
					break;
			if (watch->stop)
				return NULL;
			TAILQ_CONCAT(&watch->watched, &watch->inbox, link);
		}
		look_at_all(watch);
	}
}

int fs_watch_new(struct fs_watch **ret_watch)
{
	struct fs_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	TAILQ_INIT(&watch->inbox);
	TAILQ_INIT(&watch->watched);
	pthread_mutex_init(&watch->lock, NULL);
	cond_init(&watch->cond);
	r = -pthread_create(&watch->thread, NULL, run, watch);
	if (r < 0) {
		pthread_cond_destroy(&watch->cond);
		pthread_mutex_destroy(&watch->lock);
		free(watch);
		return r;
	}
	*ret_watch = watch;
	return 0;
}

static void drop_all(struct fs_op_list *list)
{
	struct fs_op *op;

	while ((op = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, op, link);
		fs_op_unref(op);
	}
}

void fs_watch_stop(struct fs_watch *watch)
{
	{
		LOCKED(&watch->lock);
		if (watch->stop)
			return;
		watch->stop = true;
		pthread_cond_signal(&watch->cond);
	}
	pthread_join(watch->thread, NULL);
}

void fs_watch_free(struct fs_watch *watch)
{
	if (!watch)
		return;
	fs_watch_stop(watch);
	drop_all(&watch->inbox);
	drop_all(&watch->watched);
	pthread_cond_destroy(&watch->cond);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

/* The core must have a request before it can be told to give it up. Under the lock. */
static void take_if_due(struct fs_watch *watch, struct fs_op *op)
{
	if (!op->submitted || !op->interrupted || atomic_load(&op->replied))
		return;
	op->interrupted_ms = clock_ms();
	fs_op_ref(op); /* not below: the macro takes its arguments several times */
	TAILQ_INSERT_TAIL(&watch->inbox, op, link);
	pthread_cond_signal(&watch->cond);
}

void fs_watch_interrupted(struct fs_watch *watch, struct fs_op *op)
{
	LOCKED(&watch->lock);
	if (op->interrupted)
		return;
	op->interrupted = true;
	take_if_due(watch, op);
}

void fs_watch_submitted(struct fs_watch *watch, struct fs_op *op)
{
	LOCKED(&watch->lock);
	op->submitted = true;
	take_if_due(watch, op);
}
