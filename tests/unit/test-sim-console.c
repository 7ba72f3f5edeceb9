#include "sim-host.h"

/*
 * A conversation with the module's shell. After `stty -echo` the terminal is quiet, and what comes back between
 * one prompt and the next is what the command said.
 */
static struct console *host_console(struct host *host)
{
	struct console *console = NULL;

	assert_int_equal(host->backend->ops->open_console(host->backend, "1-1.1", &console), 0);
	return console;
}

static void say(struct console *console, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(console->ops->write(console, text, n, 5000), (ssize_t)n);
}

/* Everything up to and with @end, which must come. */
static const char *hear(struct console *console, const char *end)
{
	static char heard[65536];
	uint64_t deadline = clock_ns() + HOST_PATIENCE_MS * NS_PER_MS;
	size_t n = 0;

	heard[0] = '\0';
	while (!strstr(heard, end)) {
		ssize_t r = console->ops->read(console, heard + n, 1, 1000);

		if (clock_ns() > deadline)
			fail_msg("waited for '%s', heard '%s'", end, heard);
		if (r == -ETIMEDOUT)
			continue;
		assert_int_equal(r, 1);
		heard[++n] = '\0';
		assert_true(n + 1 < sizeof(heard));
	}
	return heard;
}

static struct console *quiet_console(struct host *host)
{
	struct console *console = host_console(host);

	hear(console, "# \x1b[6n");
	say(console, "stty -echo\r");
	hear(console, "stty -echo\r\n# ");
	return console;
}

/* What @command says, up to the next prompt. */
static const char *ask(struct console *console, const char *command)
{
	say(console, command);
	say(console, "\n");
	return hear(console, "# ");
}

static struct host *disk_host(const char *spec)
{
	struct host *host = host_new(spec);

	host_expect(host, "usb+ 1-1.1 0104/3");
	host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
	return host;
}

static void the_shell_echoes_wraps_and_asks_for_the_cursor(void **state)
{
	struct host *host = disk_host("emmc=4M:fault=adopt");
	struct console *console = host_console(host);
	char line[101];

	hear(console, "# \x1b[6n");
	say(console, "\x1b[12;34R"); /* the answer is no part of the line */
	memset(line, 'x', 100);
	line[100] = '\0';
	say(console, "echo ");
	say(console, line);
	say(console, "\r");
	/* 80 columns: the prompt's 2 and the sequence's 4 count as the terminal sees them. */
	assert_non_null(strstr(hear(console, "x\r\nx"), "echo xxx"));
	hear(console, line);
	hear(console, "# \x1b[6n");
	console->ops->close(console);
	host_free(host);
}

static void without_echo_only_answers_come_back(void **state)
{
	struct host *host = disk_host("emmc=4M:fault=adopt");
	struct console *console = quiet_console(host);

	assert_string_equal(ask(console, "echo one two"), "one two\r\n# ");
	assert_string_equal(ask(console, "printf '%s-%s\\n' a \"b c\""), "a-b c\r\n# ");
	assert_string_equal(
		ask(console, "frobnicate; echo $?"), "sh: frobnicate: not found\r\n127\r\n# ");
	assert_string_equal(ask(console, "true && echo yes || echo no"), "yes\r\n# ");
	assert_string_equal(ask(console, "false && echo yes || echo no"), "no\r\n# ");
	assert_string_equal(ask(console, "x=5; echo \"<$x>\" '$x' $(echo in; echo side)"),
		"<5> $x in side\r\n# ");
	assert_string_equal(ask(console, "(echo a; frobnicate) 2>/dev/null"), "a\r\n# ");
	assert_string_equal(
		ask(console, "(echo a; echo b) | sha256sum > /dev/null && echo c"), "c\r\n# ");
	assert_string_equal(ask(console, "echo $(echo '(;)' | cat; false) $?"), "(;) 1\r\n# ");
	assert_string_equal(ask(console, "{ echo a; echo b; }"), "a\r\nb\r\n# ");
	assert_string_equal(ask(console, "echo 'open"), "sh: syntax error\r\n# ");
	assert_string_equal(ask(console, ""), "# ");
	console->ops->close(console);
	host_free(host);
}

static void hashes_agree_with_sha256sum(void **state)
{
	struct host *host = disk_host("emmc=4M:fault=adopt");
	struct console *console = quiet_console(host);

	/* sha256sum of "abc\n", and of a MiB of zeros. */
	assert_string_equal(ask(console, "echo abc | busybox sha256sum"),
		"edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb  -\r\n# ");
	assert_string_equal(ask(console, "busybox dd if=/dev/mmcblk0 bs=64K skip=3 count=16 "
					 "iflag=direct 2>/dev/null "
					 "| busybox sha256sum"),
		"30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58  -\r\n# ");
	assert_string_equal(ask(console, "dd if=/dev/mmcblk0 bs=1M count=9 | cat > /dev/null"),
		"4+0 records in\r\n4+0 records out\r\n# ");
	assert_string_equal(ask(console, "dd if=/dev/sda bs=1M"),
		"dd: can't open '/dev/sda': No such file or directory\r\n# ");
	console->ops->close(console);
	host_free(host);
}

static void jobs_in_the_background_run_and_are_waited_for(void **state)
{
	struct host *host = disk_host("emmc=4M:fault=adopt");
	struct console *console = quiet_console(host);
	const char *said = ask(console,
		"dd if=/dev/mmcblk0 bs=1M count=1 2>/dev/null | sha256sum & "
		"dd if=/dev/mmcblk0 bs=1M count=2 2>/dev/null | sha256sum & wait; echo end");

	assert_non_null(strstr(
		said, "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58  -\r\n"));
	assert_non_null(strstr(
		said, "5647f05ec18958947d32874eeb788fa396a05d0bab7c1b71f112ceb7e9b31eee  -\r\n"));
	assert_non_null(strstr(said, "end\r\n# "));
	console->ops->close(console);
	host_free(host);
}

/* One byte on the medium is not what the cache shows. */
static void only_a_direct_read_or_a_dropped_cache_shows_the_medium(void **state)
{
	struct host *host = disk_host("emmc=4M:link=0:fault=adopt:fault=corrupt@5000");
	struct console *console = quiet_console(host);
	struct block *block = host_disk(host, true);
	static const char zeros[8192] __attribute__((aligned(4096)));
	struct iovec iov = {(void *)zeros, sizeof(zeros)};
	const char *hash = "dd if=/dev/mmcblk0 bs=8192 count=1 2>/dev/null | sha256sum";
	const char *good =
		"9f1dcbc35c350d6027f98be0f5c8b43b42ca52b7604459c0c42be3aa88913d47  -\r\n# ";

	assert_int_equal(block->ops->writev(block, &iov, 1, 0), 0);
	assert_int_equal(block->ops->sync(block), 0);
	assert_string_equal(ask(console, hash), good);
	assert_string_not_equal(
		ask(console,
			"dd if=/dev/mmcblk0 bs=8192 count=1 iflag=direct 2>/dev/null | sha256sum"),
		good);
	assert_string_equal(ask(console, hash), good);
	assert_string_equal(ask(console, "sync; echo 3 > /proc/sys/vm/drop_caches"), "# ");
	assert_string_not_equal(ask(console, hash), good);
	block->ops->close(block);
	console->ops->close(console);
	host_free(host);
}

static void a_shell_goes_on_when_the_host_lets_go_of_it(void **state)
{
	struct host *host = disk_host("emmc=4M:fault=adopt");
	struct console *console = quiet_console(host), *second = NULL;

	assert_int_equal(host->backend->ops->open_console(host->backend, "1-1.1", &second), -EBUSY);
	say(console, "sleep 1000\n");
	console->ops->close(console);
	console = host_console(host);
	say(console, "\x03");
	hear(console, "^C");
	say(console, "echo still here\n");
	assert_null(strstr(hear(console, "still here\r\n# "), "echo"));
	console->ops->close(console);
	host_free(host);
}

static void an_unplug_ends_the_conversation(void **state)
{
	struct host *host = disk_host("emmc=4M:fault=adopt");
	struct console *console = quiet_console(host);
	char byte;

	say(console, "sleep 1000\n");
	sim_inspect_unplug(host->backend, 1);
	assert_int_equal(console->ops->read(console, &byte, 1, 5000), -ENODEV);
	assert_int_equal(console->ops->write(console, "x", 1, 5000), -ENODEV);
	console->ops->close(console);
	host_free(host);
}

static void an_abort_ends_a_read(void **state)
{
	struct host *host = disk_host("emmc=4M:fault=adopt");
	struct console *console = quiet_console(host);
	char byte;

	assert_int_equal(console->ops->read(console, &byte, 1, 10), -ETIMEDOUT);
	console->ops->abort(console);
	assert_int_equal(console->ops->read(console, &byte, 1, 5000), -ECANCELED);
	console->ops->close(console);
	host_free(host);
}

static void consoles_are_absent_dead_or_noisy_on_order(void **state)
{
	struct host *host = disk_host("emmc=4M:fault=adopt:fault=console@none");
	struct console *console = NULL;
	char byte;

	assert_int_equal(
		host->backend->ops->open_console(host->backend, "1-1.1", &console), -ENXIO);
	host_free(host);

	host = disk_host("emmc=4M:fault=adopt:fault=console@dead");
	console = host_console(host);
	assert_int_equal(console->ops->write(console, "x", 1, 10), -ETIMEDOUT);
	assert_int_equal(console->ops->read(console, &byte, 1, 10), -ETIMEDOUT);
	console->ops->close(console);
	host_free(host);

	host = disk_host("emmc=4M:fault=adopt:fault=console@noisy");
	console = host_console(host);
	say(console, "stty -echo\r");
	hear(console, "HOST MAC");
	say(console, "echo here\n");
	hear(console, "HOST MAC");
	hear(console, "here\r\n");
	console->ops->close(console);
	host_free(host);
}

static void a_cm3_has_no_console(void **state)
{
	struct host *host = host_new("emmc=4M:model=cm3:fault=adopt");
	struct console *console;

	assert_int_equal(
		host->backend->ops->open_console(host->backend, "1-1.1", &console), -ENXIO);
	assert_int_equal(
		host->backend->ops->open_console(host->backend, "1-1.2", &console), -ENODEV);
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shell_echoes_wraps_and_asks_for_the_cursor),
		cmocka_unit_test(without_echo_only_answers_come_back),
		cmocka_unit_test(hashes_agree_with_sha256sum),
		cmocka_unit_test(jobs_in_the_background_run_and_are_waited_for),
		cmocka_unit_test(only_a_direct_read_or_a_dropped_cache_shows_the_medium),
		cmocka_unit_test(a_shell_goes_on_when_the_host_lets_go_of_it),
		cmocka_unit_test(an_unplug_ends_the_conversation),
		cmocka_unit_test(an_abort_ends_a_read),
		cmocka_unit_test(consoles_are_absent_dead_or_noisy_on_order),
		cmocka_unit_test(a_cm3_has_no_console),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
