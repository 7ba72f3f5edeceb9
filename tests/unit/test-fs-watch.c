#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "op.h"
#include "watch.h"

/* A request of this very process, which nobody kills; its submitter and the core refer to it. */
static void begin(struct fs_op *op)
{
	memset(op, 0, sizeof(*op));
	op->pid = getpid();
	atomic_init(&op->refs, 2);
}

static void one_reference_is_taken_and_given_back(void **state)
{
	struct fs_watch *watch;
	struct fs_op op;

	begin(&op);
	assert_int_equal(fs_watch_new(&watch), 0);
	fs_watch_submitted(watch, &op);
	assert_int_equal(atomic_load(&op.refs), 2);
	fs_watch_interrupted(watch, &op);
	assert_int_equal(atomic_load(&op.refs), 3);
	fs_watch_interrupted(watch, &op);
	assert_int_equal(atomic_load(&op.refs), 3);
	fs_watch_free(watch);
	assert_int_equal(atomic_load(&op.refs), 2);
}

static void an_interrupt_that_comes_first_waits_for_the_request(void **state)
{
	struct fs_watch *watch;
	struct fs_op op;

	begin(&op);
	assert_int_equal(fs_watch_new(&watch), 0);
	fs_watch_interrupted(watch, &op);
	assert_int_equal(atomic_load(&op.refs), 2);
	fs_watch_submitted(watch, &op);
	assert_int_equal(atomic_load(&op.refs), 3);
	fs_watch_free(watch);
	assert_int_equal(atomic_load(&op.refs), 2);
}

static void what_has_been_answered_is_not_watched(void **state)
{
	struct fs_watch *watch;
	struct fs_op op;

	begin(&op);
	assert_int_equal(fs_watch_new(&watch), 0);
	atomic_store(&op.replied, true);
	fs_watch_submitted(watch, &op);
	fs_watch_interrupted(watch, &op);
	assert_int_equal(atomic_load(&op.refs), 2);
	fs_watch_free(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_reference_is_taken_and_given_back),
		cmocka_unit_test(an_interrupt_that_comes_first_waits_for_the_request),
		cmocka_unit_test(what_has_been_answered_is_not_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
