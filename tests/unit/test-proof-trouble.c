#include "proof-rig.h"

static void expect_read_back(const char *spec, size_t breaks_behind, const char *reason)
{
	struct rig *rig = rig_new(spec);
	struct prover_status status;

	rig->breaks_behind = breaks_behind;
	rig_start(rig, PROVER_MEDIUM);
	assert_int_equal(rig_flash(rig, 16 * MIB, MIB), 0);
	status = rig_status(rig);
	assert_int_equal(status.kind, PROVER_READBACK);
	assert_string_equal(prover_kind_to_string(status.kind), "readback");
	assert_string_equal(status.reason, reason);
	assert_int_equal(status.bytes_proved, 16 * MIB);
	assert_int_equal(status.bytes_left, 0);
	if (breaks_behind)
		assert_in_range(rig_bytes_read(rig), MIB, 15 * MIB);
	else
		assert_int_equal(rig_bytes_read(rig), 16 * MIB);
	rig_free(rig);
}

static void without_a_console_it_is_read_back(void **state)
{
	expect_read_back("emmc=16M:link=0:fault=adopt:fault=console@none", 0, "it has no console");
	expect_read_back("emmc=16M:link=0:model=cm3:fault=adopt", 0, "it has no console");
}

static void with_a_dead_console_it_is_read_back(void **state)
{
	expect_read_back("emmc=16M:link=0:fault=adopt:fault=console@dead", 0,
		"no shell answers on its console");
}

static void when_the_console_fails_midway_the_rest_is_read_back(void **state)
{
	expect_read_back("emmc=16M:link=0:fault=adopt", 1500, "its console fails");
}

static void a_noisy_console_proves_as_well(void **state)
{
	struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt:fault=console@noisy");

	rig_start(rig, PROVER_MEDIUM);
	assert_int_equal(rig_flash(rig, 16 * MIB, MIB), 0);
	assert_int_equal(rig_status(rig).kind, PROVER_MEDIUM);
	rig_free(rig);
}

static void a_shell_that_runs_something_else_is_interrupted(void **state)
{
	struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt");
	struct backend *backend = rig->host->backend;
	struct console *console;

	assert_int_equal(backend->ops->open_console(backend, "1-1.1", &console), 0);
	assert_int_equal(console->ops->write(console, "sleep 1000\n", 11, 5000), 11);
	console->ops->close(console);
	rig_start(rig, PROVER_MEDIUM);
	assert_int_equal(rig_flash(rig, 4 * MIB, MIB), 0);
	assert_int_equal(rig_status(rig).kind, PROVER_MEDIUM);
	rig_free(rig);
}

static void a_module_that_leaves_is_ENODEV(void **state)
{
	static const enum prover_kind kinds[] = {PROVER_MEDIUM, PROVER_READBACK};

	for (size_t i = 0; i < 2; i++) {
		struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt");

		rig_start(rig, kinds[i]);
		assert_int_equal(rig_flash(rig, 4 * MIB, MIB), 0);
		sim_inspect_unplug(rig->host->backend, 1);
		assert_int_equal(rig_add(rig, 0, MIB), 0);
		assert_int_equal(prover_wait(rig->prover, 0), -ENODEV);
		rig_free(rig);
	}
}

static void an_abort_ends_every_wait(void **state)
{
	static const char *const specs[] = {
		"emmc=64M:link=0:fault=adopt:fault=console@dead",
		"emmc=64M:link=1K:medium=1K:fault=adopt",
	};
	unsigned char hash[SHA256_SIZE] = {0};

	for (size_t i = 0; i < 4; i++) {
		struct rig *rig = rig_new(specs[i / 2]);

		rig_start(rig, i % 2 ? PROVER_READBACK : PROVER_MEDIUM);
		assert_int_equal(prover_add(rig->prover, 0, 32 * MIB, hash), 0);
		prover_abort(rig->prover);
		assert_int_equal(prover_wait(rig->prover, 0), -ECANCELED);
		assert_int_equal(rig_add(rig, 0, 4096), -ECANCELED);
		rig_free(rig);
	}
}

static void a_prover_that_has_nothing_to_do_is_freed_at_once(void **state)
{
	for (size_t i = 0; i < 4; i++) {
		struct rig *rig = rig_new("emmc=16M:link=0:fault=adopt");

		rig_start(rig, i % 2 ? PROVER_READBACK : PROVER_MEDIUM);
		if (i >= 2)
			assert_int_equal(prover_wait(rig->prover, 0), 0);
		rig_free(rig);
	}
	prover_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_console_it_is_read_back),
		cmocka_unit_test(with_a_dead_console_it_is_read_back),
		cmocka_unit_test(when_the_console_fails_midway_the_rest_is_read_back),
		cmocka_unit_test(a_noisy_console_proves_as_well),
		cmocka_unit_test(a_shell_that_runs_something_else_is_interrupted),
		cmocka_unit_test(a_module_that_leaves_is_ENODEV),
		cmocka_unit_test(an_abort_ends_every_wait),
		cmocka_unit_test(a_prover_that_has_nothing_to_do_is_freed_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
