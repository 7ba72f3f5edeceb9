#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/bus.h"
#include "sim/console.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct sim_console {
	struct console console;
	struct sim_module *module;
	struct sim_getty *getty; /* with a reference */
	bool aborted;		 /* guarded by the tty's lock */
};

static struct sim_console *console_of(struct console *console)
{
	return (struct sim_console *)console;
}

const struct sim_disk_slot *sim_console_disk(const struct sim_module *module, const char *path)
{
	return strncmp(path, "/dev/", 5) == 0 ? sim_module_disk(module, path + 5) : NULL;
}

static void *getty_run(void *data)
{
	struct sim_getty *getty = data;

	sim_shell_run(&getty->shell);
	return NULL;
}

static int getty_new(struct sim_module *module, struct sim_getty **ret_getty)
{
	struct sim_getty *getty = calloc(1, sizeof(*getty));
	uint64_t kind = SIM_CONSOLE_NONE;
	int r;

	if (!getty)
		return -ENOMEM;
	sim_faults_number(&module->faults, SIM_FAULT_CONSOLE, &kind);
	getty->references = 1;
	getty->enumeration = module->enumeration;
	sim_tty_init(&getty->tty, kind == SIM_CONSOLE_DEAD);
	sim_shell_init(&getty->shell, module, &getty->tty, kind == SIM_CONSOLE_NOISY);
	r = pthread_create(&getty->thread, NULL, getty_run, getty);
	if (r) {
		sim_shell_finish(&getty->shell);
		sim_tty_finish(&getty->tty);
		free(getty);
		return -r;
	}
	*ret_getty = getty;
	return 0;
}

void sim_getty_unref(struct sim_getty *getty)
{
	if (!getty || atomic_fetch_sub(&getty->references, 1) > 1)
		return;
	pthread_join(getty->thread, NULL);
	sim_shell_finish(&getty->shell);
	sim_tty_finish(&getty->tty);
	free(getty);
}

static uint64_t deadline_of(unsigned timeout_ms)
{
	return clock_ns() + timeout_ms * NS_PER_MS;
}

static ssize_t console_read(struct console *console, void *buffer, size_t size, unsigned timeout_ms)
{
	struct sim_console *c = console_of(console);

	return sim_tty_host_read(
		&c->getty->tty, &c->aborted, buffer, size, deadline_of(timeout_ms));
}

static ssize_t console_write(
	struct console *console, const void *buffer, size_t size, unsigned timeout_ms)
{
	struct sim_console *c = console_of(console);

	return sim_tty_host_write(
		&c->getty->tty, &c->aborted, buffer, size, deadline_of(timeout_ms));
}

static void console_abort(struct console *console)
{
	struct sim_console *c = console_of(console);

	sim_tty_abort(&c->getty->tty, &c->aborted);
}

static void console_close(struct console *console)
{
	struct sim_console *c = console_of(console);

	pthread_mutex_lock(&c->module->lock);
	c->getty->claimed = false;
	pthread_mutex_unlock(&c->module->lock);
	sim_getty_unref(c->getty);
	free(c);
}

static const struct console_ops ops = {
	.read = console_read,
	.write = console_write,
	.abort = console_abort,
	.close = console_close,
};

/* The shell of this power-on: the one there is, or a new one. An old one is given back in @ret_old. */
static int find_getty(
	struct sim_module *module, struct sim_getty **ret_getty, struct sim_getty **ret_old)
{
	int r;

	if (module->getty && module->getty->enumeration != module->enumeration) {
		*ret_old = module->getty;
		module->getty = NULL;
	}
	if (!module->getty) {
		r = getty_new(module, &module->getty);
		if (r < 0)
			return r;
	}
	if (module->getty->claimed)
		return -EBUSY;
	*ret_getty = module->getty;
	return 0;
}

static int claim_getty(
	struct sim_module *module, struct sim_getty **ret_getty, struct sim_getty **ret_old)
{
	uint64_t kind;
	int r;
	LOCKED(&module->lock);

	if (module->stage != SIM_STAGE_DISK)
		return -ENODEV;
	if (module->program != SIM_PROGRAM_GADGET)
		return -ENXIO;
	if (sim_faults_number(&module->faults, SIM_FAULT_CONSOLE, &kind) &&
		kind == SIM_CONSOLE_NONE)
		return -ENXIO;
	r = find_getty(module, ret_getty, ret_old);
	if (r < 0)
		return r;
	(*ret_getty)->claimed = true;
	atomic_fetch_add(&(*ret_getty)->references, 1);
	return 0;
}

int sim_console_open(struct sim_module *module, struct console **ret_console)
{
	struct sim_console *console = calloc(1, sizeof(*console));
	struct sim_getty *old = NULL;
	int r;

	if (!console)
		return -ENOMEM;
	r = claim_getty(module, &console->getty, &old);
	/* Its thread is waited for here, where nothing is locked. */
	sim_getty_unref(old);
	if (r < 0) {
		free(console);
		return r;
	}
	console->console.ops = &ops;
	console->module = module;
	*ret_console = &console->console;
	return 0;
}
