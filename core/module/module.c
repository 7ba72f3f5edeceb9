#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cm4fs/log.h>

#include "image/image.h"
#include "module/internal.h"
#include "payload/payload.h"
#include "payload/staged.h"
#include "util/cleanup.h"
#include "util/clock.h"

struct cm4_module *cm4_module_ref(struct cm4_module *module)
{
	atomic_fetch_add(&module->refs, 1);
	return module;
}

static void module_free(struct cm4_module *module)
{
	news_forget(module);
	sidecars_clear(module);
	bootfiles_end(module);
	staged_unref(module->staged);
	journal_free(module->journal);
	pthread_cond_destroy(&module->wake);
	pthread_mutex_destroy(&module->lock);
	free(module);
}

void cm4_module_unref(struct cm4_module *module)
{
	if (module && atomic_fetch_sub(&module->refs, 1) == 1)
		module_free(module);
}

uint64_t cm4_module_id(const struct cm4_module *module)
{
	return module->id;
}

const char *cm4_module_name(const struct cm4_module *module)
{
	return module->name;
}

const char *cm4_module_port(const struct cm4_module *module)
{
	return module->port;
}

char *cm4_module_log(struct cm4_module *module, size_t *ret_size)
{
	return journal_copy(module->journal, ret_size);
}

void module_copy_status(struct cm4_module *module, struct cm4_status *ret)
{
	*ret = (struct cm4_status){
		.id = module->id,
		.link_mbps = module->link_mbps,
		.stage = module->life.stage,
		.state = module->life.state,
		.gone = module->life.gone,
		.n_metadata = module->n_metadata,
		.n_disks = module->n_disks,
		.has_image = module->image != NULL,
		.failure = module->failure,
		.since = module->since,
		.first_seen = module->first_seen,
		.boot_ms = module->boot_ms,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", module->name);
	snprintf(ret->serial, sizeof(ret->serial), "%s", module->serial);
	snprintf(ret->port, sizeof(ret->port), "%s", module->port);
	if (module->chip)
		snprintf(ret->model, sizeof(ret->model), "%s", module->chip->model);
	memcpy(ret->metadata, module->metadata, sizeof(ret->metadata));
	for (size_t i = 0; i < module->n_disks; i++)
		ret->disks[i] = module->disks[i].status;
	if (module->image)
		image_status(module->image, &ret->image);
}

void cm4_module_status(struct cm4_module *module, struct cm4_status *ret_status)
{
	LOCKED(&module->lock);
	struct payload *payload = module->left ? NULL : fleet_config(module->fleet)->payload;

	module_copy_status(module, ret_status);
	if (payload && module->chip && payload_serves(payload, module->chip))
		snprintf(ret_status->payload, sizeof(ret_status->payload), "%s",
			payload_label(payload));
}

void module_wake(struct cm4_module *module)
{
	pthread_cond_signal(&module->wake);
}

/* What the life machine has just done, seen from outside. Lock held. */
static bool take_effect(
	struct cm4_module *module, const struct life *before, int error, const char *detail)
{
	const struct life *life = &module->life;

	if (life->failures != before->failures)
		module_describe(module, error ? detail : NULL);
	else if (life->state != CM4_STATE_FAILED && life->state != CM4_STATE_INCOMPLETE)
		module->failure = (struct cm4_failure){0};

	if (life->state == CM4_STATE_BOOTING && before->state != CM4_STATE_BOOTING) {
		module->boot_began_ns = clock_ns();
		module->boot_ms = 0;
		module_notice_boot(module);
	}
	if (life->state == CM4_STATE_READY && before->state == CM4_STATE_BOOTING && life->wanted)
		module->boot_ms = (unsigned)((clock_ns() - module->boot_began_ns) / NS_PER_MS);
	if (life->state != before->state)
		clock_gettime(CLOCK_REALTIME, &module->since);
	return life->state != before->state || life->stage != before->stage ||
	       life->gone != before->gone || life->failures != before->failures;
}

static void write_journal(struct cm4_module *module, const struct life *before,
	const struct life *after, const struct cm4_failure *failure)
{
	if (after->stage != before->stage)
		journal_add(module->journal, "stage: %s", cm4_stage_to_string(after->stage));
	if (after->state != before->state)
		journal_add(module->journal, "state: %s", cm4_state_to_string(after->state));
	if (after->failures != before->failures) {
		journal_add(module->journal, "error: %s (%s)", failure->text,
			strerrorname_np(failure->error));
		cm4_log(LOG_WARNING, "%s: %s", module->name, failure->text);
	}
}

void module_feed(struct cm4_module *module, enum life_event event, int error, const char *detail)
{
	struct cm4_failure failure;
	struct life before, after;
	struct cm4_fleet *fleet;
	unsigned actions;
	bool changed, timer;

	{
		LOCKED(&module->lock);

		if (module->left)
			return;
		fleet = module->fleet;
		before = module->life;
		actions = life_handle(&module->life, event, error, &timer);
		after = module->life;
		if (timer)
			module->deadline_ns = after.timeout_ms
						      ? clock_ns() + after.timeout_ms * NS_PER_MS
						      : UINT64_MAX;
		changed = take_effect(module, &before, error, detail);
		failure = module->failure;
		/* Before the state can be seen, so that who reads it finds its line in the log. */
		write_journal(module, &before, &after, &failure);

		module->todo |= actions;
		if ((actions & LIFE_DO_ABORT) && module->usb)
			module->usb->ops->abort(module->usb);
		if (actions || timer)
			module_wake(module);
		if (changed)
			news_add(module, CM4_CHANGE_STATE);
	}
	if (changed)
		news_tell(fleet, module);
}

static enum life_event event_of(enum boot_kind kind)
{
	switch (kind) {
	case BOOT_KIND_ROM:
		return LIFE_USB_ROM;
	case BOOT_KIND_SECOND:
		return LIFE_USB_SECOND;
	case BOOT_KIND_DISK:
		return LIFE_USB_DISK;
	case BOOT_KIND_OTHER:
	case BOOT_KIND_UNKNOWN:
		break;
	}
	return LIFE_USB_OTHER;
}

void module_usb_attached(struct cm4_module *module, enum boot_kind kind,
	const struct usb_identity *usb, const struct boot_chip *chip)
{
	{
		LOCKED(&module->lock);
		module->link_mbps = usb->link_mbps;
		/* A second stage may carry another chip's number: the ROM knows better (chip.h). */
		if (chip && (!module->chip || kind == BOOT_KIND_ROM))
			module->chip = chip;
		if (!*module->serial)
			identity_serial(kind, usb->serial, module->serial);
		if (kind == BOOT_KIND_ROM)
			module_notice_link(module, CM4_STAGE_ROM, usb->link_mbps);
		else if (kind == BOOT_KIND_DISK)
			module_notice_disk(module, usb->product);
	}
	module_feed(module, event_of(kind), 0, NULL);
}

/* Lock held. Off the list. */
static struct module_disk take_disk(struct cm4_module *module, struct module_disk *disk)
{
	struct module_disk taken = *disk;

	module->n_disks--;
	memmove(disk, disk + 1, (size_t)(module->disks + module->n_disks - disk) * sizeof(*disk));
	return taken;
}

/* What comes in the disk's place may be another card: nothing goes on there. */
static void end_disk(struct module_disk *disk, const char *text)
{
	if (disk->raw)
		image_abort(disk->raw, -ENODEV, text);
	cm4_image_unref(disk->raw);
	if (disk->image)
		image_overwrite(disk->image);
	cm4_image_unref(disk->image);
}

static bool take_first_disk(struct cm4_module *module, struct module_disk *ret_disk)
{
	LOCKED(&module->lock);
	if (module->n_disks == 0)
		return false;
	*ret_disk = take_disk(module, &module->disks[0]);
	return true;
}

void module_usb_detached(struct cm4_module *module)
{
	struct module_disk disk;

	while (take_first_disk(module, &disk))
		end_disk(&disk, "the module left the bus");
	module_feed(module, LIFE_USB_GONE, 0, NULL);
}

struct module_disk *module_find_disk(struct cm4_module *module, const char *name)
{
	for (size_t i = 0; i < module->n_disks; i++)
		if (strcmp(module->disks[i].status.name, name) == 0)
			return &module->disks[i];
	return NULL;
}

/* The main disk first, the others as they came. Lock held; false where there is no room. */
static bool add_disk(struct cm4_module *module, const struct block_identity *identity)
{
	struct module_disk *disk = module_find_disk(module, identity->name);
	struct module_disk added = {.status.bytes = identity->bytes};

	if (disk) {
		disk->status.bytes = identity->bytes;
		return true;
	}
	if (module->n_disks == CM4_DISKS_MAX)
		return false;

	snprintf(added.status.name, sizeof(added.status.name), "%s", identity->name);
	if (strcmp(identity->name, MODULE_MAIN_DISK) == 0) {
		memmove(module->disks + 1, module->disks, module->n_disks * sizeof(added));
		module->disks[0] = added;
	} else {
		module->disks[module->n_disks] = added;
	}
	module->n_disks++;
	return true;
}

void module_disk_attached(struct cm4_module *module, const struct block_identity *disk)
{
	bool main_disk = strcmp(disk->name, MODULE_MAIN_DISK) == 0;
	bool added;

	{
		LOCKED(&module->lock);
		added = add_disk(module, disk);
		module->stirred = true;
		module_wake(module);
	}
	if (!added)
		return;
	journal_add(module->journal, "disk: %s, %llu bytes", disk->name,
		(unsigned long long)disk->bytes);
	if (main_disk)
		module_feed(module, disk->bytes ? LIFE_DISK_HERE : LIFE_DISK_EMPTY, 0, NULL);
	fleet_changed(module->fleet, module, CM4_CHANGE_STATE);
}

void module_disk_detached(struct cm4_module *module, const char *name)
{
	struct module_disk taken;

	{
		LOCKED(&module->lock);
		struct module_disk *disk = module_find_disk(module, name);

		if (!disk)
			return;
		taken = take_disk(module, disk);
	}
	end_disk(&taken, "the disk left");
	if (strcmp(name, MODULE_MAIN_DISK) == 0)
		module_feed(module, LIFE_DISK_GONE, 0, NULL);
	fleet_changed(module->fleet, module, CM4_CHANGE_STATE);
}

void module_leave(struct cm4_module *module)
{
	LOCKED(&module->lock);
	module->left = true;
	module->life.gone = true;
	module->todo |= LIFE_DO_LEAVE;
	if (module->usb)
		module->usb->ops->abort(module->usb);
	module_wake(module);
}

int module_new(
	struct cm4_fleet *fleet, const struct module_origin *origin, struct cm4_module **ret_module)
{
	struct cm4_module *module = calloc(1, sizeof(*module));
	int r;

	if (!module)
		return -ENOMEM;
	r = journal_new(&module->journal);
	if (r == 0)
		r = staged_new(&module->staged);
	if (r < 0) {
		journal_free(module->journal);
		free(module);
		return r;
	}

	module->refs = 1;
	module->quiet_ns = UINT64_MAX;
	module->id = origin->id;
	module->fleet = fleet;
	module->chip = origin->chip;
	module->link_mbps = origin->link_mbps;
	snprintf(module->name, sizeof(module->name), "%s", origin->name);
	snprintf(module->port, sizeof(module->port), "%s", origin->port);
	snprintf(module->serial, sizeof(module->serial), "%s", origin->serial);
	clock_gettime(CLOCK_REALTIME, &module->first_seen);
	module->since = module->first_seen;
	pthread_mutex_init(&module->lock, NULL);
	cond_init(&module->wake);
	TAILQ_INIT(&module->claims);
	TAILQ_INIT(&module->sidecars);
	TAILQ_INIT(&module->boot_waiters);
	TAILQ_INIT(&module->cancel_waiters);
	TAILQ_INIT(&module->clear_waiters);
	TAILQ_INIT(&module->eject_waiters);
	TAILQ_INIT(&module->news);

	module_notice_link(module, origin->stage, origin->link_mbps);
	life_init(&module->life, origin->stage);
	module->deadline_ns = module->life.timeout_ms
				      ? clock_ns() + module->life.timeout_ms * NS_PER_MS
				      : UINT64_MAX;
	journal_add(module->journal, "seen on port %s, stage: %s", module->port,
		cm4_stage_to_string(origin->stage));

	news_add(module, CM4_CHANGE_APPEARED); /* before anything else can be; the fleet tells it */
	r = -pthread_create(&module->thread, NULL, module_thread, module);
	if (r < 0) {
		module_free(module);
		return r;
	}
	*ret_module = module;
	return 0;
}
