#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/bus.h"
#include "sim/inspect.h"
#include "util/cleanup.h"

static struct sim_module *get(struct backend *backend, unsigned number)
{
	struct sim_bus *bus = (struct sim_bus *)backend;

	assert(number >= 1 && number <= bus->n_modules);
	return &bus->modules[number - 1];
}

unsigned sim_inspect_count(struct backend *backend)
{
	return ((struct sim_bus *)backend)->n_modules;
}

uint32_t sim_inspect_serial(struct backend *backend, unsigned number)
{
	return get(backend, number)->serial;
}

const char *sim_inspect_port(struct backend *backend, unsigned number)
{
	return get(backend, number)->port;
}

int sim_inspect_medium(struct backend *backend, unsigned number, const char *disk, void *buffer,
	size_t size, uint64_t offset)
{
	const struct sim_disk_slot *slot = sim_module_disk(get(backend, number), disk);

	return slot && slot->medium ? sim_medium_peek(slot->medium, buffer, size, offset) : -ENXIO;
}

void sim_inspect_unplug(struct backend *backend, unsigned number)
{
	sim_module_unplug(get(backend, number));
}

void sim_inspect_plug(struct backend *backend, unsigned number)
{
	sim_module_plug(get(backend, number));
}

struct sim_item *sim_inspect_record(struct backend *backend, unsigned number, size_t *ret_n)
{
	struct sim_module *module = get(backend, number);
	struct sim_item *items;
	LOCKED(&module->lock);

	items = calloc(module->record.n, sizeof(*items));
	if (!items || module->record.n == 0) {
		free(items);
		*ret_n = 0;
		return NULL;
	}
	memcpy(items, module->record.items, module->record.n * sizeof(*items));
	*ret_n = module->record.n;
	return items;
}

void sim_inspect_counters(
	struct backend *backend, unsigned number, struct sim_counters *ret_counters)
{
	struct sim_module *module = get(backend, number);
	LOCKED(&module->lock);

	*ret_counters = (struct sim_counters){module->written, module->read, module->syncs, 0};
	for (size_t i = 0; i < module->n_disks; i++)
		ret_counters->dirty += sim_medium_dirty(module->disks[i].medium);
}
