#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "sim/module.h"
#include "sim/shell.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct tty_sink {
	struct sim_sink sink;
	struct sim_tty *tty;
};

struct capture_sink {
	struct sim_sink sink;
	char *value;
	size_t n, size;
};

static int tty_put(struct sim_sink *sink, const void *data, size_t size)
{
	return sim_tty_print(((struct tty_sink *)sink)->tty, data, size);
}

static int null_put(struct sim_sink *sink, const void *data, size_t size)
{
	return 0;
}

struct sim_sink sim_sink_null = {null_put};

static int capture_put(struct sim_sink *sink, const void *data, size_t size)
{
	struct capture_sink *capture = (struct capture_sink *)sink;

	if (size > capture->size - capture->n)
		size = capture->size - capture->n;
	memcpy(capture->value + capture->n, data, size);
	capture->n += size;
	return 0;
}

int sim_job_print(struct sim_sink *sink, const char *format, ...)
{
	char text[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return sink->put(sink, text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

int sim_job_wait(struct sim_job *job, uint64_t until)
{
	return sim_tty_wait(job->shell->tty, until, !job->background);
}

const char *sim_shell_variable(const struct sim_job *job, const char *name)
{
	for (size_t i = 0; i < SIM_VARIABLES; i++) {
		if (strcmp(job->variables[i].name, name) == 0)
			return job->variables[i].value;
	}
	return "";
}

static void join(struct sim_slot *slot)
{
	if (slot->taken)
		pthread_join(slot->thread, NULL);
	slot->taken = false;
	atomic_store(&slot->over, false);
}

void sim_shell_wait(struct sim_shell *shell)
{
	for (unsigned i = 0; i < SIM_JOBS_MAX; i++)
		join(&shell->slots[i]);
}

struct sim_slot *sim_shell_slot(struct sim_shell *shell)
{
	for (unsigned i = 0; i < SIM_JOBS_MAX; i++) {
		struct sim_slot *slot = &shell->slots[i];

		if (atomic_load(&slot->over))
			join(slot);
		if (!slot->taken)
			return slot;
	}
	return NULL;
}

int sim_shell_capture(struct sim_job *job, const char *text, char *value, size_t size)
{
	struct capture_sink capture = {{capture_put}, value, 0, size - 1};
	struct sim_job inner = *job;
	int r;

	if (job->depth == SIM_DEPTH_MAX)
		return -EINVAL;
	inner.depth++;
	inner.out = &capture.sink;
	r = sim_shell_execute(&inner, text, strlen(text));
	while (capture.n && value[capture.n - 1] == '\n')
		capture.n--;
	value[capture.n] = '\0';
	job->status = inner.status;
	return r;
}

uint64_t sim_shell_hash_time(struct sim_shell *shell, size_t size)
{
	struct sim_throttle *core = &shell->cores[0];
	LOCKED(&shell->lock);

	for (unsigned i = 1; i < SIM_CORES; i++) {
		if (shell->cores[i].free_at < core->free_at)
			core = &shell->cores[i];
	}
	return sim_throttle_take(core, clock_ns(), size);
}

void sim_shell_init(
	struct sim_shell *shell, struct sim_module *module, struct sim_tty *tty, bool noisy)
{
	*shell = (struct sim_shell){.module = module, .tty = tty, .noisy = noisy};
	pthread_mutex_init(&shell->lock, NULL);
	/* Where the medium has no limit the simulation is to go as fast as it can. */
	for (unsigned i = 0; i < SIM_CORES; i++)
		shell->cores[i].rate = module->spec->medium ? SIM_CORE_RATE : 0;
}

void sim_shell_finish(struct sim_shell *shell)
{
	pthread_mutex_destroy(&shell->lock);
}

/* What a kernel says on its console whenever it likes. */
static void make_noise(struct sim_shell *shell, struct sim_sink *out)
{
	unsigned n = shell->noises++;

	if (shell->noisy)
		sim_job_print(out, "[%5u.%06u] usb0: HOST MAC 32:70:05:18:ff:%02x\n", 7 + n,
			n * 7919 % 1000000, n & 0xff);
}

void sim_shell_run(struct sim_shell *shell)
{
	struct tty_sink tty = {{tty_put}, shell->tty};
	struct sim_job job = {.shell = shell, .out = &tty.sink, .err = &tty.sink};
	char line[SIM_TTY_LINE];

	sim_job_print(job.out,
		"\nWelcome to the mass storage gadget\nttyGS0 login: root (automatic login)\n");
	while (sim_tty_prompt(shell->tty, "# ") == 0 && sim_tty_read_line(shell->tty, line) == 0) {
		make_noise(shell, job.out);
		sim_shell_execute(&job, line, strlen(line));
		make_noise(shell, job.out);
	}
	sim_shell_wait(shell);
}
