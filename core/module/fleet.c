#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cm4fs/log.h>

#include "module/identity.h"
#include "module/internal.h"
#include "module/witness.h"
#include "util/cleanup.h"

/*
 * The list of modules, by port. The backend's events come in on its one thread and are handed to
 * the module on their port; a port that shows somebody else gets a new module.
 */

TAILQ_HEAD(module_list, cm4_module);

struct cm4_fleet {
	struct cm4_fleet_config config; /* fixed */
	struct backend_listener listener;
	struct witness *witness;    /* from start on; NULL: no memory for it */
	struct payload_looks looks; /* fixed */
	bool started;		    /* the composition's thread alone */

	pthread_mutex_t lock; /* guards everything below; outermost */
	uint64_t last_id;
	struct module_list modules;  /* in order of appearance; one reference each */
	struct module_list departed; /* out of sight, their threads ending; one reference each */
	size_t n_modules;
};

const struct cm4_fleet_config *fleet_config(struct cm4_fleet *fleet)
{
	return &fleet->config;
}

const struct payload_looks *fleet_looks(struct cm4_fleet *fleet)
{
	return &fleet->looks;
}

struct witness *fleet_witness(struct cm4_fleet *fleet)
{
	return fleet->witness;
}

void fleet_changed(struct cm4_fleet *fleet, struct cm4_module *module, enum cm4_change change)
{
	{
		LOCKED(&module->lock);
		news_add(module, change);
	}
	news_tell(fleet, module);
}

/* Lock held. */
static struct cm4_module *find_port(struct cm4_fleet *fleet, const char *port)
{
	struct cm4_module *module;

	TAILQ_FOREACH (module, &fleet->modules, link)
		if (strcmp(module->port, port) == 0)
			return module;
	return NULL;
}

/* Lock held. */
static bool name_taken(struct cm4_fleet *fleet, const char *name)
{
	struct cm4_module *module;

	TAILQ_FOREACH (module, &fleet->modules, link)
		if (strcmp(module->name, name) == 0)
			return true;
	return false;
}

/* Lock held. */
static void choose_name(
	struct cm4_fleet *fleet, const char *serial, const char *port, char ret_name[CM4_NAME_MAX])
{
	if (!*serial)
		snprintf(ret_name, CM4_NAME_MAX, "port-%s", port);
	else if (name_taken(fleet, serial))
		snprintf(ret_name, CM4_NAME_MAX, "%.16s-port-%s", serial, port);
	else
		snprintf(ret_name, CM4_NAME_MAX, "%s", serial);
}

/* Lock held: out of the list, its reference to the departed. False where it was out already. */
static bool unlist(struct cm4_fleet *fleet, struct cm4_module *module)
{
	struct cm4_module *other;

	TAILQ_FOREACH (other, &fleet->modules, link) {
		if (other == module) {
			TAILQ_REMOVE(&fleet->modules, module, link);
			TAILQ_INSERT_TAIL(&fleet->departed, module, link);
			fleet->n_modules--;
			return true;
		}
	}
	return false;
}

void fleet_remove(struct cm4_fleet *fleet, struct cm4_module *module)
{
	bool listed;

	{
		LOCKED(&fleet->lock);
		listed = unlist(fleet, module);
	}
	if (listed)
		fleet_changed(fleet, module, CM4_CHANGE_LEFT);
}

/* Joins the threads of those who left: all of them when @wait, else those that have ended already.
 */
static void bury(struct cm4_fleet *fleet, bool wait)
{
	for (;;) {
		struct cm4_module *module, *dead = NULL;

		{
			LOCKED(&fleet->lock);
			TAILQ_FOREACH (module, &fleet->departed, link) {
				if (wait || pthread_tryjoin_np(module->thread, NULL) == 0) {
					dead = module;
					TAILQ_REMOVE(&fleet->departed, dead, link);
					break;
				}
			}
		}
		if (!dead)
			return;
		if (wait)
			pthread_join(dead->thread, NULL);
		cm4_module_unref(dead);
	}
}

static bool port_wanted(const struct cm4_fleet *fleet, const char *port)
{
	const char *const *prefix = fleet->config.ports;

	if (!prefix || !*prefix)
		return true;
	for (; *prefix; prefix++)
		if (identity_port_matches(port, *prefix))
			return true;
	return false;
}

static enum cm4_stage stage_of(enum boot_kind kind)
{
	switch (kind) {
	case BOOT_KIND_ROM:
		return CM4_STAGE_ROM;
	case BOOT_KIND_SECOND:
		return CM4_STAGE_SECOND;
	case BOOT_KIND_DISK:
		return CM4_STAGE_DISK;
	case BOOT_KIND_OTHER:
	case BOOT_KIND_UNKNOWN:
		break;
	}
	return CM4_STAGE_OTHER;
}

/* Lock held. A new module, listed. */
static int add_module(struct cm4_fleet *fleet, enum boot_kind kind, const struct usb_identity *usb,
	const char *serial, const struct boot_chip *chip, struct cm4_module **ret_module)
{
	char name[CM4_NAME_MAX];
	struct module_origin origin = {
		.id = fleet->last_id + 1,
		.name = name,
		.port = usb->port,
		.serial = serial,
		.chip = chip,
		.stage = stage_of(kind),
		.link_mbps = usb->link_mbps,
	};
	int r;

	choose_name(fleet, serial, usb->port, name);
	r = module_new(fleet, &origin, ret_module);
	if (r < 0)
		return r;
	fleet->last_id++;
	TAILQ_INSERT_TAIL(&fleet->modules, *ret_module, link);
	fleet->n_modules++;
	return 0;
}

/* Lock held. Who sits at @usb's port is the one who sat there, as far as one can tell. */
static bool is_same(struct cm4_module *module, const char *serial)
{
	LOCKED(&module->lock);
	return !module->left && !module->life.gone && identity_may_be_same(module->serial, serial);
}

static void on_usb_attached(void *data, const struct usb_identity *usb)
{
	struct cm4_fleet *fleet = data;
	struct cm4_module *module, *before = NULL;
	const struct boot_chip *chip;
	char serial[CM4_NAME_MAX];
	bool fresh = false;
	int r = 0;
	enum boot_kind kind = boot_identify(usb->vendor, usb->product, usb->serial_index, &chip);

	if (kind == BOOT_KIND_UNKNOWN || !port_wanted(fleet, usb->port))
		return;
	identity_serial(kind, usb->serial, serial);
	bury(fleet, false);

	{
		LOCKED(&fleet->lock);
		module = find_port(fleet, usb->port);
		if (module && !is_same(module, serial)) {
			before = cm4_module_ref(module);
			unlist(fleet, module);
			module = NULL;
		}
		if (!module) {
			r = add_module(fleet, kind, usb, serial, chip, &module);
			fresh = true;
		}
		if (r >= 0)
			cm4_module_ref(module);
	}

	if (before) {
		module_leave(before);
		fleet_changed(fleet, before, CM4_CHANGE_LEFT);
		cm4_module_unref(before);
	}
	if (r < 0) {
		cm4_log(LOG_ERR, "port %s: %s", usb->port, strerrordesc_np(-r));
		return;
	}
	if (!fresh)
		module_usb_attached(module, kind, usb, chip);
	else
		news_tell(fleet, module); /* that it has appeared */
	if (fresh && fleet->config.autoboot && kind != BOOT_KIND_OTHER)
		module_feed(module, LIFE_BOOT, 0, NULL);
	cm4_module_unref(module);
}

/* With a reference, or NULL. */
static struct cm4_module *get_port(struct cm4_fleet *fleet, const char *port)
{
	LOCKED(&fleet->lock);
	struct cm4_module *module = find_port(fleet, port);

	return module ? cm4_module_ref(module) : NULL;
}

static void on_usb_detached(void *data, const char *port)
{
	struct cm4_module *module = get_port(data, port);

	if (!module)
		return;
	module_usb_detached(module);
	cm4_module_unref(module);
}

static void on_disk_attached(void *data, const struct block_identity *disk)
{
	struct cm4_module *module = get_port(data, disk->port);

	if (!module)
		return;
	module_disk_attached(module, disk);
	cm4_module_unref(module);
}

static void on_disk_detached(void *data, const char *port, const char *name)
{
	struct cm4_module *module = get_port(data, port);

	if (!module)
		return;
	module_disk_detached(module, name);
	cm4_module_unref(module);
}

int cm4_fleet_new(const struct cm4_fleet_config *config, struct cm4_fleet **ret_fleet)
{
	struct cm4_fleet *fleet = calloc(1, sizeof(*fleet));

	if (!fleet)
		return -ENOMEM;
	fleet->config = *config;
	fleet->listener = (struct backend_listener){
		.usb_attached = on_usb_attached,
		.usb_detached = on_usb_detached,
		.disk_attached = on_disk_attached,
		.disk_detached = on_disk_detached,
		.data = fleet,
	};
	module_look_at_payload(config->payload, &fleet->looks);
	pthread_mutex_init(&fleet->lock, NULL);
	TAILQ_INIT(&fleet->modules);
	TAILQ_INIT(&fleet->departed);
	*ret_fleet = fleet;
	return 0;
}

int cm4_fleet_start(struct cm4_fleet *fleet)
{
	int r = fleet->config.backend->ops->start(fleet->config.backend, &fleet->listener);

	fleet->started = r >= 0;
	/* Modules can do without: what goes wrong is then less well explained. */
	if (fleet->started && witness_new(fleet->config.backend, &fleet->witness) < 0)
		cm4_log(LOG_WARNING, "the kernel's log is not followed");
	return r;
}

void cm4_fleet_stop(struct cm4_fleet *fleet)
{
	struct cm4_module *module;

	/* Who asks for a report meanwhile still finds what was found. */
	if (fleet->witness)
		witness_stop(fleet->witness);
	if (fleet->started)
		fleet->config.backend->ops->stop(fleet->config.backend);
	fleet->started = false;

	{
		LOCKED(&fleet->lock);
		while ((module = TAILQ_FIRST(&fleet->modules))) {
			unlist(fleet, module);
			module_leave(module);
		}
	}
	bury(fleet, true);
}

void cm4_fleet_free(struct cm4_fleet *fleet)
{
	if (!fleet)
		return;
	cm4_fleet_stop(fleet);
	witness_free(fleet->witness);
	pthread_mutex_destroy(&fleet->lock);
	free(fleet);
}

int cm4_fleet_get(struct cm4_fleet *fleet, struct cm4_module ***ret_modules, size_t *ret_n)
{
	LOCKED(&fleet->lock);
	struct cm4_module **modules, *module;
	size_t n = 0;

	modules = calloc(fleet->n_modules + 1, sizeof(struct cm4_module *));
	if (!modules)
		return -ENOMEM;
	TAILQ_FOREACH (module, &fleet->modules, link)
		modules[n++] = cm4_module_ref(module);
	*ret_modules = modules;
	*ret_n = n;
	return 0;
}

void cm4_fleet_put(struct cm4_module **modules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cm4_module_unref(modules[i]);
	free(modules);
}

struct cm4_module *cm4_fleet_find_name(struct cm4_fleet *fleet, const char *name)
{
	LOCKED(&fleet->lock);
	struct cm4_module *module;

	TAILQ_FOREACH (module, &fleet->modules, link)
		if (strcmp(module->name, name) == 0)
			return cm4_module_ref(module);
	return NULL;
}

struct cm4_module *cm4_fleet_find_id(struct cm4_fleet *fleet, uint64_t id)
{
	LOCKED(&fleet->lock);
	struct cm4_module *module;

	TAILQ_FOREACH (module, &fleet->modules, link)
		if (module->id == id)
			return cm4_module_ref(module);
	return NULL;
}

int cm4_fleet_forget(struct cm4_fleet *fleet, struct cm4_module *module)
{
	{
		LOCKED(&module->lock);
		if (!module->life.gone && !module->left)
			return -EBUSY;
	}
	module_leave(module);
	fleet_remove(fleet, module);
	return 0;
}
