#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proof/prover.h"
#include "seam/console.h"

/*
 * The prover against the real thing: busybox's ash with its line editor, its dd and its sha256sum, on a terminal. The
 * disk is a file that allows direct reads, and a link in /dev/shm gives it a name below /dev.
 */
#define BUSYBOX	  "/bin/busybox"
#define DISK_SIZE ((6u << 20) + 4096 + 512)
#define SKIP	  77
#define NOISE_EVERY                                                                                \
	260 /* bytes; more than an answer and its twin, so that one of them comes through */

struct shell {
	int master;
	pid_t pid;
	bool noisy;
	size_t quiet; /* bytes since the last noise */
};

struct pty_console {
	struct console base;
	struct shell *shell;
};

static char file_path[] = "/var/tmp/cm4fs-proof-XXXXXX";
static char disk_name[CM4_DISK_MAX], link_path[32];
static unsigned char disk_bytes[DISK_SIZE];

static ssize_t pty_read(struct console *base, void *buffer, size_t size, unsigned timeout_ms)
{
	struct shell *shell = ((struct pty_console *)base)->shell;
	static const char noise[] = "\r\n[   12.345678] usb 1-1: new high-speed device 0123\r\n";
	struct pollfd fd = {.fd = shell->master, .events = POLLIN};
	ssize_t n;

	if (shell->noisy && shell->quiet > NOISE_EVERY) {
		shell->quiet = 0;
		memcpy(buffer, noise, sizeof(noise) - 1);
		return sizeof(noise) - 1;
	}
	if (poll(&fd, 1, (int)timeout_ms) <= 0)
		return -ETIMEDOUT;
	/* By small pieces, so that noise falls anywhere. */
	n = read(shell->master, buffer, shell->noisy ? 13 : size);
	if (n <= 0)
		return -ENODEV;
	shell->quiet += (size_t)n;
	return n;
}

static ssize_t pty_write(struct console *base, const void *buffer, size_t size, unsigned timeout_ms)
{
	struct shell *shell = ((struct pty_console *)base)->shell;
	ssize_t n = write(shell->master, buffer, size);

	return n < 0 ? -ENODEV : n;
}

static void pty_abort(struct console *base)
{
}

static void pty_close(struct console *base)
{
	free(base);
}

static const struct console_ops pty_ops = {pty_read, pty_write, pty_abort, pty_close};

static int open_pty_console(void *data, struct console **ret_console)
{
	struct pty_console *console = calloc(1, sizeof(*console));

	assert_non_null(console);
	*console = (struct pty_console){{&pty_ops}, data};
	*ret_console = &console->base;
	return 0;
}

/* The shell must do: there is nothing to read back from. */
static int open_no_block(void *data, struct block **ret_block)
{
	return -ENXIO;
}

static void shell_start(struct shell *shell)
{
	*shell = (struct shell){0};
	shell->pid = forkpty(&shell->master, NULL, NULL, NULL);
	assert_true(shell->pid >= 0);
	if (shell->pid == 0) {
		setenv("TERM", "vt100", 1);
		execl(BUSYBOX, "busybox", "sh", "-i", (char *)NULL);
		_exit(127);
	}
}

static void shell_stop(struct shell *shell)
{
	kill(shell->pid, SIGKILL);
	close(shell->master);
	waitpid(shell->pid, NULL, 0);
}

static void shell_type(struct shell *shell, const char *text)
{
	assert_int_equal(write(shell->master, text, strlen(text)), strlen(text));
}

static struct prover *prover_start(struct shell *shell)
{
	struct prover_source source = {open_pty_console, open_no_block, shell};
	struct prover *prover;

	assert_int_equal(prover_new(PROVER_MEDIUM, disk_name, &source, &prover), 0);
	return prover;
}

static int add(struct prover *prover, size_t offset, size_t length)
{
	unsigned char hash[SHA256_SIZE];
	struct sha256 *sha;

	assert_int_equal(sha256_new(&sha), 0);
	sha256_begin(sha);
	sha256_add(sha, disk_bytes + offset, length);
	assert_int_equal(sha256_end(sha, hash), 0);
	sha256_free(sha);
	return prover_add(prover, offset, length, hash);
}

/* All of the disk, in pieces, and ranges that begin and end where it is most awkward. */
static void prove_everything(struct prover *prover)
{
	struct prover_status status;

	for (size_t at = 0; at < DISK_SIZE; at += 1 << 20)
		add(prover, at, DISK_SIZE - at < 1 << 20 ? DISK_SIZE - at : 1 << 20);
	add(prover, 4096, DISK_SIZE - 4096);
	add(prover, (1 << 20) - 4096, 8192);
	add(prover, 12288, 4096);
	prover_wait(prover, 0);
	prover_get_status(prover, &status);
	assert_string_equal(status.error_text, "");
	assert_int_equal(status.kind, PROVER_MEDIUM);
	assert_int_equal(status.bytes_proved, 2 * DISK_SIZE - 4096 + 8192 + 4096);
}

static void a_real_shell_proves_a_disk(void **state)
{
	struct shell shell;
	struct prover *prover;

	shell_start(&shell);
	prover = prover_start(&shell);
	prove_everything(prover);
	prover_free(prover);
	shell_stop(&shell);
}

static void noise_between_and_within_the_lines_does_not_matter(void **state)
{
	struct shell shell;
	struct prover *prover;

	shell_start(&shell);
	shell.noisy = true;
	prover = prover_start(&shell);
	prove_everything(prover);
	prover_free(prover);
	shell_stop(&shell);
}

static void a_byte_that_differs_is_found(void **state)
{
	struct prover_status status;
	struct shell shell;
	struct prover *prover;

	shell_start(&shell);
	prover = prover_start(&shell);
	assert_int_equal(add(prover, 0, 1 << 20), 0);
	assert_int_equal(prover_wait(prover, 0), 0);
	disk_bytes[(3 << 20) + 77] ^= 0x10;
	assert_int_equal(add(prover, 3 << 20, 1 << 20), 0);
	assert_int_equal(prover_wait(prover, 0), -EIO);
	disk_bytes[(3 << 20) + 77] ^= 0x10;
	prover_get_status(prover, &status);
	assert_int_equal(status.error_offset, 3 << 20);
	prover_free(prover);
	shell_stop(&shell);
}

static void a_range_behind_the_end_is_unlike_what_was_written(void **state)
{
	unsigned char hash[SHA256_SIZE] = {1};
	struct shell shell;
	struct prover *prover;

	shell_start(&shell);
	prover = prover_start(&shell);
	assert_int_equal(prover_add(prover, 64 << 20, 1 << 20, hash), 0);
	assert_int_equal(prover_wait(prover, 0), -EIO);
	prover_free(prover);
	shell_stop(&shell);
}

static void a_line_that_was_half_typed_is_not_run(void **state)
{
	char command[64], flag[sizeof(file_path) + 8];
	struct shell shell;
	struct prover *prover;

	snprintf(flag, sizeof(flag), "%s.flag", file_path);
	snprintf(command, sizeof(command), "echo >%s", flag);
	shell_start(&shell);
	shell_type(&shell, command);
	prover = prover_start(&shell);
	prove_everything(prover);
	assert_int_equal(access(flag, F_OK), -1);
	prover_free(prover);
	shell_stop(&shell);
}

static void a_program_that_runs_is_interrupted(void **state)
{
	struct shell shell;
	struct prover *prover;

	shell_start(&shell);
	shell_type(&shell, "sleep 1000\n");
	prover = prover_start(&shell);
	prove_everything(prover);
	prover_free(prover);
	shell_stop(&shell);
}

/* As whoever used the terminal before may have left it. Jobs that end must not be its end. */
static void a_shell_without_echo_survives(void **state)
{
	struct shell shell;
	struct prover *prover;

	shell_start(&shell);
	shell_type(&shell, "stty -echo\n");
	prover = prover_start(&shell);
	prove_everything(prover);
	prover_free(prover);
	assert_int_equal(waitpid(shell.pid, NULL, WNOHANG), 0);
	shell_stop(&shell);
}

static void one_conversation_follows_another(void **state)
{
	struct shell shell;

	shell_start(&shell);
	for (size_t i = 0; i < 3; i++) {
		struct prover *prover = prover_start(&shell);

		prove_everything(prover);
		prover_free(prover);
	}
	shell_stop(&shell);
}

/* 0; else a reason why there can be no test. */
static const char *make_disk(void)
{
	int fd = mkostemp(file_path, O_CLOEXEC);

	for (size_t i = 0; i < DISK_SIZE; i++)
		disk_bytes[i] = (unsigned char)(i * 2654435761u >> 15);
	if (fd < 0 || write(fd, disk_bytes, DISK_SIZE) != DISK_SIZE || fsync(fd) < 0)
		return "no scratch file";
	close(fd);
	fd = open(file_path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		return "no direct reads where scratch files are";
	close(fd);
	snprintf(disk_name, sizeof(disk_name), "shm/cm4-%u", (unsigned)getpid() % 10000000);
	snprintf(link_path, sizeof(link_path), "/dev/%s", disk_name);
	return symlink(file_path, link_path) < 0 ? "no link in /dev/shm" : NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_shell_proves_a_disk),
		cmocka_unit_test(noise_between_and_within_the_lines_does_not_matter),
		cmocka_unit_test(a_byte_that_differs_is_found),
		cmocka_unit_test(a_range_behind_the_end_is_unlike_what_was_written),
		cmocka_unit_test(a_line_that_was_half_typed_is_not_run),
		cmocka_unit_test(a_program_that_runs_is_interrupted),
		cmocka_unit_test(a_shell_without_echo_survives),
		cmocka_unit_test(one_conversation_follows_another),
	};
	const char *reason = access(BUSYBOX, X_OK) == 0 ? make_disk() : BUSYBOX " is not installed";
	int r = SKIP;

	if (reason)
		printf("1..0 # SKIP %s\n", reason);
	else
		r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(link_path);
	unlink(file_path);
	return r;
}
