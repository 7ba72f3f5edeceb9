#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mount.h"
#include "proc.h"
#include "verdict.h"

#define BIT(signal) (UINT64_C(1) << ((signal)-1))

/* As Linux 6.1 writes them, cut down to what surrounds the lines that count. */
static const char blocked_dd[] = "Name:\tdd\nUmask:\t0022\nState:\tD (disk sleep)\n"
				 "SigQ:\t1/7823\n"
				 "SigPnd:\t0000000000000100\n"
				 "ShdPnd:\t0000000000004000\n"
				 "SigBlk:\t0000000000000001\n"
				 "SigIgn:\t0000000000000000\n"
				 "SigCgt:\t0000000000000202\n"
				 "CapInh:\t0000000000000000\n";

static void pending_signals_are_the_threads_and_the_processs(void **state)
{
	struct fs_signals signals;

	assert_int_equal(fs_proc_parse_status(blocked_dd, &signals), 0);
	assert_true(signals.pending == (BIT(SIGKILL) | BIT(SIGTERM)));
	assert_true(signals.caught == (BIT(SIGINT) | BIT(SIGUSR1)));
	assert_true(signals.blocked == BIT(SIGHUP));
	assert_true(fs_signals_kill(&signals));
}

static void a_status_without_signals_is_refused(void **state)
{
	struct fs_signals signals = {.pending = 7};

	assert_int_equal(fs_proc_parse_status("", &signals), -EBADMSG);
	assert_int_equal(fs_proc_parse_status("Name:\tSigPnd:\nSigCgt:\tx\n", &signals), -EBADMSG);
	assert_int_equal(signals.pending, 7);
}

static void a_handled_signal_counts_unless_it_is_blocked(void **state)
{
	struct fs_signals signals = {.pending = BIT(SIGTSTP), .caught = BIT(SIGUSR1)};

	assert_false(fs_signals_handled(&signals));
	signals.pending |= BIT(SIGUSR1);
	assert_true(fs_signals_handled(&signals));
	signals.blocked = BIT(SIGUSR1);
	assert_false(fs_signals_handled(&signals));
}

static void a_close_by_a_dying_process_is_told_by_its_flags(void **state)
{
	/* 0x40050c and 0x400100: seen after SIGKILL, and on a plain close. */
	assert_true(fs_proc_parse_killed("71 (cp) R 1 71 1 0 -1 4195596 9 0 0 0 0\n"));
	assert_false(fs_proc_parse_killed("71 (cp) R 1 71 1 0 -1 4194560 9 0 0 0 0\n"));
	/* exiting, but of its own accord */
	assert_false(fs_proc_parse_killed("71 (cp) R 1 71 1 0 -1 4194316 9 0 0 0 0\n"));
}

static void a_programs_name_does_not_confuse(void **state)
{
	assert_true(fs_proc_parse_killed("71 (a) R 1 1 1 0 -1 0 (b) R 1 71 1 0 -1 4195596 9 0\n"));
	assert_false(
		fs_proc_parse_killed("71 (a) R 1 1 1 0 -1 4195596 (b) R 1 71 1 0 -1 4194560 9\n"));
	assert_false(fs_proc_parse_killed("nothing of the kind"));
	assert_false(fs_proc_parse_killed(""));
}

static void the_living_are_read_from_proc(void **state)
{
	struct fs_signals signals;

	assert_int_equal(fs_proc_signals(getpid(), &signals), 0);
	assert_false(fs_signals_kill(&signals));
	assert_false(fs_proc_killed(getpid()));
}

static void a_process_of_another_namespace_is_unknown(void **state)
{
	struct fs_signals signals;

	assert_int_equal(fs_proc_signals(0, &signals), -ESRCH);
	assert_false(fs_proc_killed(0));
}

static void a_deadly_signal_ends_every_wait_at_once(void **state)
{
	struct fs_signals signals = {.pending = BIT(SIGKILL)};

	assert_true(fs_verdict(true, 0, &signals));
	assert_true(fs_verdict(false, 0, &signals));
}

static void a_close_goes_on_through_any_other(void **state)
{
	struct fs_signals signals = {.pending = BIT(SIGUSR1), .caught = BIT(SIGUSR1)};

	assert_false(fs_verdict(true, 0, &signals));
	assert_false(fs_verdict(true, 1000000, &signals));
	assert_false(fs_verdict(true, 1000000, NULL));
}

static void a_write_gives_up_for_a_handler_after_a_moment(void **state)
{
	struct fs_signals signals = {.pending = BIT(SIGUSR1), .caught = BIT(SIGUSR1)};

	assert_false(fs_verdict(false, 0, &signals));
	assert_true(fs_verdict(false, 1000, &signals));
	assert_true(fs_verdict(false, 1000, NULL));
}

static void a_write_waits_through_a_stop(void **state)
{
	struct fs_signals signals = {.pending = BIT(SIGTSTP) | BIT(SIGCONT)};

	assert_false(fs_verdict(false, 1000000, &signals));
}

static void a_mounted_cm4fs_is_told_from_mountinfo(void **state)
{
	bool same;

	assert_true(fs_mount_line_is_cm4fs(
		"97 28 0:44 / /mnt/a\\040b rw,nosuid - fuse.cm4fs cm4fs rw,user_id=0\n", "/mnt/a b",
		&same));
	assert_true(same);
	assert_true(fs_mount_line_is_cm4fs(
		"97 28 0:44 / /mnt rw shared:1 master:2 - fuse.cm4fs none rw\n", "/mnt", &same));
	assert_false(fs_mount_line_is_cm4fs(
		"97 28 0:44 / /mnt rw - tmpfs fuse.cm4fs rw\n", "/mnt", &same));
	assert_true(same);
	assert_false(
		fs_mount_line_is_cm4fs("97 28 0:44 / /mnt2 rw - fuse.cm4fs x rw\n", "/mnt", &same));
	assert_false(same);
	assert_false(fs_mount_line_is_cm4fs("", "/mnt", &same));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pending_signals_are_the_threads_and_the_processs),
		cmocka_unit_test(a_status_without_signals_is_refused),
		cmocka_unit_test(a_handled_signal_counts_unless_it_is_blocked),
		cmocka_unit_test(a_close_by_a_dying_process_is_told_by_its_flags),
		cmocka_unit_test(a_programs_name_does_not_confuse),
		cmocka_unit_test(the_living_are_read_from_proc),
		cmocka_unit_test(a_process_of_another_namespace_is_unknown),
		cmocka_unit_test(a_deadly_signal_ends_every_wait_at_once),
		cmocka_unit_test(a_close_goes_on_through_any_other),
		cmocka_unit_test(a_write_gives_up_for_a_handler_after_a_moment),
		cmocka_unit_test(a_write_waits_through_a_stop),
		cmocka_unit_test(a_mounted_cm4fs_is_told_from_mountinfo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
