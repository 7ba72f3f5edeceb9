#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seam/kernel_log.h"
#include "sim/bus.h"
#include "sim/kernel_log.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * Of a module on a bad link nothing is seen but what the kernel says of it: its lines come first. Then a file is
 * followed as it grows, where the SPEC names one.
 */
#define FOLLOW_STEP_MS 50

/* A kernel's last words before it gives up; %1$s is the port, %2$s the port as its hub has it. */
static const char *const bad_link[] = {
	"usb %1$s: new high-speed USB device number 9 using xhci_hcd",
	"usb %1$s: device descriptor read/64, error -71",
	"usb %1$s: device descriptor read/64, error -71",
	"usb %2$s: attempt power cycle",
	"usb %1$s: Device not responding to setup address.",
	"usb %1$s: device not accepting address 9, error -71",
	"usb %2$s: unable to enumerate USB device",
};

#define N_BAD_LINK (sizeof(bad_link) / sizeof(bad_link[0]))

struct sim_log {
	struct kernel_log base;
	struct sim_bus *bus;
	FILE *file; /* NULL: none */
	unsigned module;
	size_t line;

	pthread_mutex_t lock; /* guards the following */
	pthread_cond_t changed;
	bool aborted;
};

static void stamp(struct kernel_record *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	ret->time_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The next of what is said of modules on bad links. False: all is said. */
static bool of_modules(struct sim_log *log, struct kernel_record *ret)
{
	for (; log->module < log->bus->n_modules; log->module++, log->line = 0) {
		struct sim_module *module = &log->bus->modules[log->module];
		char hub[CM4_PORT_MAX + 8];

		if (log->line == N_BAD_LINK ||
			!sim_faults_have(&module->faults, SIM_FAULT_BAD_LINK))
			continue;
		/* 1-1.3 is 1-1-port3 */
		snprintf(hub, sizeof(hub), "1-1-port%s", strchr(module->port, '.') + 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(ret->text, sizeof(ret->text), bad_link[log->line++], module->port, hub);
#pragma GCC diagnostic pop
		return true;
	}
	return false;
}

static bool of_file(struct sim_log *log, struct kernel_record *ret)
{
	if (!log->file)
		return false;
	clearerr(log->file);
	if (!fgets(ret->text, sizeof(ret->text), log->file))
		return false;
	ret->text[strcspn(ret->text, "\n")] = '\0';
	return true;
}

/* False: aborted. */
static bool wait_a_step(struct sim_log *log, uint64_t deadline_ns)
{
	uint64_t step = clock_ns() + FOLLOW_STEP_MS * NS_PER_MS;

	LOCKED(&log->lock);
	if (!log->aborted)
		cond_wait_until(&log->changed, &log->lock,
			log->file && step < deadline_ns ? step : deadline_ns);
	return !log->aborted;
}

static int log_next(struct kernel_log *base, struct kernel_record *ret, unsigned timeout_ms)
{
	struct sim_log *log = (struct sim_log *)base;
	uint64_t deadline = clock_ns() + timeout_ms * NS_PER_MS;

	for (;;) {
		if (*log->base.source && (of_modules(log, ret) || of_file(log, ret))) {
			stamp(ret);
			return 0;
		}
		if (clock_ns() >= deadline)
			return -ETIMEDOUT;
		if (!wait_a_step(log, deadline))
			return -ECANCELED;
	}
}

static size_t log_ports(struct kernel_log *base, struct kernel_port *ret, size_t max)
{
	struct sim_bus *bus = ((struct sim_log *)base)->bus;
	size_t n = 0;

	for (unsigned i = 0; i < bus->n_modules && n < max; i++) {
		struct sim_module *module = &bus->modules[i];
		struct usb_identity identity = {0};

		LOCKED(&module->lock);
		ret[n] = (struct kernel_port){0};
		snprintf(ret[n].port, sizeof(ret[n].port), "%s", module->port);
		if (module->stage != SIM_STAGE_NONE) {
			sim_model_identify(module->spec->model, module->stage, module->program,
				module->port, module->serial,
				sim_faults_have(&module->faults, SIM_FAULT_FULL_SPEED), &identity);
			ret[n].link_mbps = identity.link_mbps;
			ret[n].vendor = identity.vendor;
			ret[n].product = identity.product;
		}
		n++;
	}
	return n;
}

static void log_abort(struct kernel_log *base)
{
	struct sim_log *log = (struct sim_log *)base;
	LOCKED(&log->lock);

	log->aborted = true;
	pthread_cond_broadcast(&log->changed);
}

static void log_close(struct kernel_log *base)
{
	struct sim_log *log = (struct sim_log *)base;

	if (log->file)
		fclose(log->file);
	pthread_cond_destroy(&log->changed);
	pthread_mutex_destroy(&log->lock);
	free(log);
}

static const struct kernel_log_ops log_ops = {
	.next = log_next,
	.ports = log_ports,
	.abort = log_abort,
	.close = log_close,
};

int sim_kernel_log_open(struct sim_bus *bus, struct kernel_log **ret_log)
{
	const char *path = bus->spec->kernel_log;
	struct sim_log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->base.ops = &log_ops;
	log->bus = bus;
	pthread_mutex_init(&log->lock, NULL);
	cond_init(&log->changed);
	if (path && strcmp(path, "denied") == 0) {
		*ret_log = &log->base;
		return 0;
	}
	if (path)
		log->file = fopen(path, "re");
	snprintf(log->base.source, sizeof(log->base.source), "the simulated kernel's log");
	*ret_log = &log->base;
	return 0;
}
