#include "proof-rig.h"

#include "proof/internal.h"

static void the_medium_is_proved_and_the_link_stays_free(void **state)
{
	struct rig *rig = rig_new("emmc=64M:link=0:fault=adopt");
	struct prover_status status;

	rig_start(rig, PROVER_MEDIUM);
	assert_int_equal(rig_flash(rig, 48 * MIB, 4 * MIB), 0);
	status = rig_status(rig);
	assert_int_equal(status.kind, PROVER_MEDIUM);
	assert_string_equal(prover_kind_to_string(status.kind), "medium");
	assert_string_equal(status.reason, "");
	assert_int_equal(status.bytes_proved, 48 * MIB);
	assert_int_equal(status.bytes_left, 0);
	assert_int_equal(rig_bytes_read(rig), 0);
	rig_free(rig);
}

static void read_back_is_every_byte_over_the_link(void **state)
{
	struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt");

	rig_start(rig, PROVER_READBACK);
	assert_int_equal(rig_flash(rig, 16 * MIB, 4 * MIB), 0);
	assert_int_equal(rig_status(rig).kind, PROVER_READBACK);
	assert_string_equal(rig_status(rig).reason, "");
	assert_int_equal(rig_status(rig).bytes_proved, 16 * MIB);
	assert_int_equal(rig_bytes_read(rig), 16 * MIB);
	rig_free(rig);
}

static void expect_found(const char *spec, enum prover_kind kind, const char *words)
{
	struct rig *rig = rig_new(spec);
	struct prover_status status;

	rig_start(rig, kind);
	assert_int_equal(rig_flash(rig, 16 * MIB, 1 * MIB), -EIO);
	status = rig_status(rig);
	assert_int_equal(status.error, -EIO);
	assert_int_equal(status.error_offset, 9 * MIB);
	assert_string_equal(status.error_text, words);
	assert_int_equal(rig_add(rig, 0, 4096), -EIO);
	assert_int_equal(prover_yield(rig->prover, 0, 4096), -EIO);
	rig_free(rig);
}

static void a_corrupted_byte_on_the_medium_is_found(void **state)
{
	expect_found("emmc=16M:link=0:fault=adopt:fault=corrupt@10000000", PROVER_MEDIUM,
		"the medium does not hold what was written, within bytes 9437184 to "
		"10485759 of mmcblk0");
}

static void a_write_that_was_dropped_is_found(void **state)
{
	expect_found("emmc=16M:link=0:fault=adopt:fault=drop-write@10000000", PROVER_MEDIUM,
		"the medium does not hold what was written, within bytes 9437184 to "
		"10485759 of mmcblk0");
}

static void a_place_that_cannot_be_read_back_is_said(void **state)
{
	expect_found("emmc=16M:link=0:fault=adopt:fault=read-error@10000000", PROVER_READBACK,
		"bytes 9437184 to 10485759 of mmcblk0 cannot be read: No data available");
}

/* What a person, or another system, would do on the module. */
static void drop_caches(struct rig *rig)
{
	struct backend *backend = rig->host->backend;
	static const char line[] =
		"\nsync;echo 3 >/proc/sys/vm/drop_caches;stty -echo;echo \"<do\"ne\">\"\n";
	char heard[65536] = "";
	struct console *console;
	size_t n = 0;

	assert_int_equal(backend->ops->open_console(backend, "1-1.1", &console), 0);
	assert_int_equal(
		console->ops->write(console, line, sizeof(line) - 1, 5000), sizeof(line) - 1);
	while (!strstr(heard, "<done>")) {
		ssize_t r = console->ops->read(
			console, heard + n, sizeof(heard) - 1 - n, HOST_PATIENCE_MS);

		assert_in_range(r, 1, sizeof(heard));
		n += (size_t)r;
		heard[n] = '\0';
	}
	console->ops->close(console);
}

/* The difference between the two, at the same fault. */
static void an_intact_cache_hides_from_read_back_what_the_medium_lost(void **state)
{
	static const char *const faults[] = {"corrupt@10000000", "drop-write@10000000"};

	for (size_t i = 0; i < 2; i++) {
		char spec[128];
		struct rig *rig;

		snprintf(spec, sizeof(spec), "emmc=16M:link=0:fault=adopt:fault=%s", faults[i]);
		rig = rig_new(spec);
		rig_start(rig, PROVER_READBACK);
		assert_int_equal(rig_flash(rig, 16 * MIB, MIB), 0);
		assert_int_equal(rig->block->ops->sync(rig->block), 0);

		assert_int_equal(rig_add(rig, 9 * MIB, MIB), 0);
		assert_int_equal(prover_wait(rig->prover, 0), 0);
		drop_caches(rig);
		assert_int_equal(rig_add(rig, 9 * MIB, MIB), 0);
		assert_int_equal(prover_wait(rig->prover, 0), -EIO);
		assert_int_equal(rig_status(rig).error_offset, 9 * MIB);
		rig_free(rig);
	}
}

static void small_pieces_and_ragged_ends_are_proved(void **state)
{
	struct rig *rig = rig_new("emmc=4M:link=0:fault=adopt");
	uint64_t at = 0;

	rig_start(rig, PROVER_MEDIUM);
	for (size_t blocks = 1; blocks < 40; blocks++) {
		rig_write(rig, at, blocks * 4096);
		assert_int_equal(rig_add(rig, at, blocks * 4096), 0);
		at += blocks * 4096;
	}
	assert_int_equal(prover_wait(rig->prover, 0), 0);
	assert_int_equal(rig_status(rig).bytes_proved, at);
	assert_int_equal(rig_status(rig).kind, PROVER_MEDIUM);
	rig_free(rig);
}

static void no_more_than_the_backlog_is_taken(void **state)
{
	struct rig *rig = rig_new("emmc=64M:link=0:fault=adopt");

	rig->held = true;
	rig_start(rig, PROVER_MEDIUM);
	for (uint64_t at = 0; at < PROVER_BACKLOG; at += 2 * MIB) {
		rig_write(rig, at, 2 * MIB);
		assert_int_equal(rig_add(rig, at, 2 * MIB), 0);
	}
	assert_int_equal(rig_add(rig, PROVER_BACKLOG, 4096), -EAGAIN);
	assert_int_equal(rig_status(rig).bytes_left, PROVER_BACKLOG);
	assert_int_equal(prover_wait(rig->prover, PROVER_BACKLOG), 0);
	rig_let_go(rig);
	assert_int_equal(prover_wait(rig->prover, PROVER_BACKLOG - 4096), 0);
	rig_write(rig, PROVER_BACKLOG, 4096);
	assert_int_equal(rig_add(rig, PROVER_BACKLOG, 4096), 0);
	assert_int_equal(prover_wait(rig->prover, 0), 0);
	assert_int_equal(rig_status(rig).bytes_proved, PROVER_BACKLOG + 4096);
	rig_free(rig);
}

/* The thread being held up, its part is played here. */
static void two_hashes_in_a_row_have_to_differ(void **state)
{
	struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt");
	struct piece *piece;

	rig->held = true;
	rig_start(rig, PROVER_MEDIUM);
	assert_int_equal(rig_add(rig, 0, 4096), 0);
	assert_int_equal(rig_add(rig, 8192, 4096), 0);

	piece = queue_take(rig->prover);
	queue_differs(rig->prover, piece);
	assert_int_equal(rig_status(rig).error, 0);
	assert_int_equal(rig_status(rig).bytes_left, 8192);
	assert_ptr_equal(queue_take(rig->prover), piece);
	queue_proved(rig->prover, piece);
	assert_int_equal(rig_status(rig).bytes_proved, 4096);

	piece = queue_take(rig->prover);
	queue_differs(rig->prover, piece);
	assert_ptr_equal(queue_take(rig->prover), piece);
	queue_differs(rig->prover, piece);
	assert_int_equal(rig_status(rig).error, -EIO);
	assert_int_equal(rig_status(rig).error_offset, 8192);
	rig_free(rig);
}

static void what_is_forgotten_while_it_is_asked_for_may_differ(void **state)
{
	struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt");
	struct piece *pieces[3];

	rig->held = true;
	rig_start(rig, PROVER_MEDIUM);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(rig_add(rig, i * 4096, 4096), 0);
		pieces[i] = queue_take(rig->prover);
	}
	assert_int_equal(prover_yield(rig->prover, 0, 3 * 4096), 0);
	assert_int_equal(rig_status(rig).bytes_left, 0);
	assert_int_equal(prover_wait(rig->prover, 0), 0);
	queue_differs(rig->prover, pieces[0]);
	queue_unreadable(rig->prover, pieces[1], "it is gone");
	queue_give_back(rig->prover);
	assert_null(queue_take(rig->prover));
	assert_int_equal(rig_status(rig).error, 0);
	assert_int_equal(rig_status(rig).bytes_left, 0);
	rig_free(rig);
}

static void what_is_written_again_is_forgotten(void **state)
{
	struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt");

	rig->held = true;
	rig_start(rig, PROVER_MEDIUM);
	rig_write(rig, 0, 8192);
	assert_int_equal(rig_add(rig, 0, 4096), 0);
	assert_int_equal(rig_add(rig, 4096, 4096), 0);
	assert_int_equal(prover_yield(rig->prover, 0, 4096), 0);
	assert_int_equal(rig_status(rig).bytes_left, 4096);

	/* Other bytes than those that were added first. */
	rig->bytes[7] ^= 0xff;
	rig_write(rig, 0, 4096);
	assert_int_equal(rig_add(rig, 0, 4096), 0);
	rig_let_go(rig);
	assert_int_equal(prover_wait(rig->prover, 0), 0);
	assert_int_equal(rig_status(rig).bytes_proved, 8192);
	rig_free(rig);
}

static void what_reaches_beyond_is_waited_for(void **state)
{
	struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt");

	rig_start(rig, PROVER_MEDIUM);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(prover_yield(rig->prover, 8192 * i, 16384), 0);
		rig->bytes[i] ^= 0xff;
		rig_write(rig, 8192 * i, 16384);
		assert_int_equal(rig_add(rig, 8192 * i, 16384), 0);
	}
	assert_int_equal(prover_wait(rig->prover, 0), 0);
	assert_int_equal(rig_status(rig).bytes_proved, 20 * 16384);
	rig_free(rig);
}

static void rewriting_under_the_hash_is_no_failure(void **state)
{
	struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt");

	rig_start(rig, PROVER_MEDIUM);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(prover_yield(rig->prover, 0, MIB), 0);
		rig->bytes[0] = (unsigned char)i;
		rig_write(rig, 0, MIB);
		assert_int_equal(rig_add(rig, 0, MIB), 0);
	}
	assert_int_equal(prover_wait(rig->prover, 0), 0);
	rig_free(rig);
}

static void a_name_that_is_none_is_refused(void **state)
{
	struct prover_source source = {rig_open_console, rig_open_block, NULL};
	struct prover *prover;

	assert_int_equal(prover_new(PROVER_MEDIUM, "", &source, &prover), -EINVAL);
	assert_int_equal(prover_new(PROVER_MEDIUM, "mmcblk0123456789", &source, &prover), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_medium_is_proved_and_the_link_stays_free),
		cmocka_unit_test(read_back_is_every_byte_over_the_link),
		cmocka_unit_test(a_corrupted_byte_on_the_medium_is_found),
		cmocka_unit_test(a_write_that_was_dropped_is_found),
		cmocka_unit_test(a_place_that_cannot_be_read_back_is_said),
		cmocka_unit_test(an_intact_cache_hides_from_read_back_what_the_medium_lost),
		cmocka_unit_test(small_pieces_and_ragged_ends_are_proved),
		cmocka_unit_test(no_more_than_the_backlog_is_taken),
		cmocka_unit_test(two_hashes_in_a_row_have_to_differ),
		cmocka_unit_test(what_is_forgotten_while_it_is_asked_for_may_differ),
		cmocka_unit_test(what_is_written_again_is_forgotten),
		cmocka_unit_test(what_reaches_beyond_is_waited_for),
		cmocka_unit_test(rewriting_under_the_hash_is_no_failure),
		cmocka_unit_test(a_name_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
