#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <cmocka.h>

#include "module/stall.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* A disk whose writes end when they are let go. */
struct slow {
	struct block base;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool writing, let_go, closed, aborted;
};

static int slow_writev(struct block *base, const struct iovec *iov, int n, uint64_t offset)
{
	struct slow *slow = (struct slow *)base;
	LOCKED(&slow->lock);

	slow->writing = true;
	pthread_cond_broadcast(&slow->changed);
	while (!slow->let_go)
		pthread_cond_wait(&slow->changed, &slow->lock);
	slow->writing = slow->let_go = false;
	return -EIO;
}

static int slow_read(struct block *base, void *buffer, size_t size, uint64_t offset)
{
	return (int)offset;
}

static int slow_sync(struct block *base)
{
	return -ENODEV;
}

static void slow_abort(struct block *base)
{
	((struct slow *)base)->aborted = true;
}

static void slow_close(struct block *base)
{
	((struct slow *)base)->closed = true;
}

static const struct block_ops slow_ops = {
	slow_writev, slow_read, slow_sync, slow_abort, slow_close};

static void *write_once(void *data)
{
	struct block *block = data;

	assert_int_equal(block->ops->writev(block, NULL, 0, 0), -EIO);
	return NULL;
}

static void let_go(struct slow *slow, unsigned after_ms)
{
	uint64_t until = clock_ns() + after_ms * NS_PER_MS;
	LOCKED(&slow->lock);

	while (!slow->writing || clock_ns() < until)
		cond_wait_until(&slow->changed, &slow->lock, clock_ns() + NS_PER_MS);
	slow->let_go = true;
	pthread_cond_broadcast(&slow->changed);
}

static void begin(struct slow *slow)
{
	*slow = (struct slow){.base = {&slow_ops, 4096}};
	pthread_mutex_init(&slow->lock, NULL);
	cond_init(&slow->changed);
}

static void a_write_that_stands_still_is_seen_while_it_does_and_afterwards(void **state)
{
	struct stall stall = {.limit_ms = 30};
	struct slow slow;
	struct block *block;
	pthread_t writer;

	begin(&slow);
	block = stall_watch(&slow.base, &stall);
	assert_ptr_not_equal(block, &slow.base);
	assert_int_equal(block->bytes, 4096);
	assert_false(stall_happened(&stall));
	assert_int_equal(pthread_create(&writer, NULL, write_once, block), 0);
	{
		LOCKED(&slow.lock);
		while (!stall_now_ms(&stall))
			cond_wait_until(&slow.changed, &slow.lock, clock_ns() + NS_PER_MS);
	}
	assert_true(stall_happened(&stall));
	let_go(&slow, 0);
	pthread_join(writer, NULL);
	assert_int_equal(stall_now_ms(&stall), 0);
	assert_true(stall_happened(&stall));
	stall_reset(&stall);
	assert_false(stall_happened(&stall));
	block->ops->close(block);
	assert_true(slow.closed);
}

static void a_write_within_the_limit_is_none(void **state)
{
	struct stall stall = {.limit_ms = 60000};
	struct slow slow;
	struct block *block;
	pthread_t writer;

	begin(&slow);
	block = stall_watch(&slow.base, &stall);
	assert_int_equal(pthread_create(&writer, NULL, write_once, block), 0);
	let_go(&slow, 20);
	pthread_join(writer, NULL);
	assert_false(stall_happened(&stall));
	/* The rest goes through as it is. */
	assert_int_equal(block->ops->read(block, NULL, 0, 7), 7);
	assert_int_equal(block->ops->sync(block), -ENODEV);
	block->ops->abort(block);
	assert_true(slow.aborted);
	block->ops->close(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_that_stands_still_is_seen_while_it_does_and_afterwards),
		cmocka_unit_test(a_write_within_the_limit_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
