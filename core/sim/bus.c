#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/bus.h"
#include "sim/kernel_log.h"
#include "util/cleanup.h"
#include "util/clock.h"

static struct sim_bus *bus_of(struct backend *backend)
{
	return (struct sim_bus *)backend;
}

void sim_bus_kick(struct sim_bus *bus)
{
	LOCKED(&bus->lock);

	bus->kicked = true;
	pthread_cond_broadcast(&bus->changed);
}

struct sim_module *sim_bus_find(struct sim_bus *bus, const char *port)
{
	for (unsigned i = 0; i < bus->n_modules; i++) {
		if (strcmp(bus->modules[i].port, port) == 0)
			return &bus->modules[i];
	}
	return NULL;
}

static void tell(const struct backend_listener *listener, const struct sim_module *module,
	const struct sim_news *news)
{
	for (size_t i = 0; i < SIM_DISKS_MAX; i++) {
		if (news->disk_left[i])
			listener->disk_detached(
				listener->data, module->port, module->disks[i].name);
	}
	if (news->left)
		listener->usb_detached(listener->data, module->port);
	if (news->came)
		listener->usb_attached(listener->data, &news->identity);
	for (size_t i = 0; i < SIM_DISKS_MAX; i++) {
		if (news->disk_came[i])
			listener->disk_attached(listener->data, &news->disks[i]);
	}
}

/* Every module once; when to come again. */
static uint64_t round_of_steps(struct sim_bus *bus, struct sim_known *known)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < bus->n_modules; i++) {
		struct sim_news news;
		uint64_t at = sim_module_step(&bus->modules[i], clock_ns(), &known[i], &news);

		tell(&bus->listener, &bus->modules[i], &news);
		if (at < due)
			due = at;
	}
	return due;
}

static void *run(void *data)
{
	struct sim_bus *bus = data;
	struct sim_known known[SIM_MODULES_MAX] = {0};

	for (;;) {
		uint64_t due = round_of_steps(bus, known);
		LOCKED(&bus->lock);

		bus->settled = true;
		pthread_cond_broadcast(&bus->changed);
		/* A kick while the round went on may mean anything: look again. */
		while (!bus->stopping && !bus->kicked && clock_ns() < due)
			cond_wait_until(&bus->changed, &bus->lock, due);
		bus->kicked = false;
		if (bus->stopping)
			return NULL;
	}
}

static int start(struct backend *backend, const struct backend_listener *listener)
{
	struct sim_bus *bus = bus_of(backend);
	int r;

	bus->listener = *listener;
	bus->settled = false;
	bus->stopping = false;
	r = pthread_create(&bus->thread, NULL, run, bus);
	if (r)
		return -r;
	bus->running = true;

	LOCKED(&bus->lock);
	while (!bus->settled)
		pthread_cond_wait(&bus->changed, &bus->lock);
	return 0;
}

static void stop(struct backend *backend)
{
	struct sim_bus *bus = bus_of(backend);

	if (!bus->running)
		return;
	pthread_mutex_lock(&bus->lock);
	bus->stopping = true;
	pthread_cond_broadcast(&bus->changed);
	pthread_mutex_unlock(&bus->lock);
	pthread_join(bus->thread, NULL);
	bus->running = false;
}

static int open_usb(struct backend *backend, const char *port, struct usb_device **ret_device)
{
	struct sim_module *module = sim_bus_find(bus_of(backend), port);

	return module ? sim_usb_open(module, ret_device) : -ENODEV;
}

static int open_block(struct backend *backend, const char *port, const char *name, bool writable,
	struct block **ret_block)
{
	struct sim_module *module = sim_bus_find(bus_of(backend), port);

	return module ? sim_disk_open(module, name, writable, ret_block) : -ENODEV;
}

static int open_console(struct backend *backend, const char *port, struct console **ret_console)
{
	struct sim_module *module = sim_bus_find(bus_of(backend), port);

	return module ? sim_console_open(module, ret_console) : -ENODEV;
}

static int open_kernel_log(struct backend *backend, struct kernel_log **ret_log)
{
	return sim_kernel_log_open(bus_of(backend), ret_log);
}

static void bus_free(struct backend *backend)
{
	struct sim_bus *bus = bus_of(backend);

	stop(backend);
	for (unsigned i = 0; i < bus->n_modules; i++)
		sim_module_finish(&bus->modules[i]);
	free(bus->modules);
	pthread_cond_destroy(&bus->changed);
	pthread_mutex_destroy(&bus->lock);
	sim_spec_free(bus->spec);
	free(bus);
}

static const struct backend_ops ops = {
	.start = start,
	.stop = stop,
	.open_usb = open_usb,
	.open_block = open_block,
	.open_console = open_console,
	.open_kernel_log = open_kernel_log,
	.free = bus_free,
};

int sim_backend_new(struct sim_spec *spec, struct backend **ret_backend, char *message, size_t size)
{
	struct sim_bus *bus = calloc(1, sizeof(*bus));
	int r;

	if (!bus) {
		snprintf(message, size, "out of memory");
		sim_spec_free(spec);
		return -ENOMEM;
	}
	bus->backend.ops = &ops;
	bus->spec = spec;
	pthread_mutex_init(&bus->lock, NULL);
	cond_init(&bus->changed);

	bus->modules = calloc(spec->count, sizeof(*bus->modules));
	r = bus->modules ? 0 : -ENOMEM;
	while (r == 0 && bus->n_modules < spec->count) {
		r = sim_module_init(&bus->modules[bus->n_modules], bus, spec, bus->n_modules + 1,
			message, size);
		if (r == 0)
			bus->n_modules++;
	}
	if (r < 0) {
		if (r == -ENOMEM)
			snprintf(message, size, "out of memory");
		bus_free(&bus->backend);
		return r;
	}
	*ret_backend = &bus->backend;
	return 0;
}
