#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/bus.h"
#include "sim/console.h"
#include "sim/module.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * The module's own boot time, in the proportions seen on hardware with a small boot.img: from the
 * ROM to the second stage, from Done to the mass-storage device, and from there to its disks.
 */
#define SECOND_PART 30 /* % */
#define DISK_PART   60
#define MEDIA_PART  10

/* How long the ROM shows between ROM and second stage where it does (usbboot PR#63), and its own
 * part of it. */
#define ROM_AGAIN_MS 100

/* How long a module lives after its disks came up, that is to be unplugged at that point. */
#define DISK_LIFE_MS 20

unsigned sim_module_second_ms(const struct sim_module *module)
{
	return module->spec->boot_ms * SECOND_PART / 100;
}

unsigned sim_module_disk_ms(const struct sim_module *module)
{
	return module->spec->boot_ms * DISK_PART / 100;
}

/*
 * The first serial is the interface's own example; each further one follows by a step that is odd,
 * so that no two of 2^32 are alike, and large, so that they look like serials.
 */
static uint32_t serial_of(unsigned number)
{
	return 0xaf04b2da + (number - 1) * 0x9e3779b1u;
}

static int add_disk(
	struct sim_module *module, const char *name, uint64_t bytes, char *message, size_t size)
{
	struct sim_disk_slot *slot = &module->disks[module->n_disks];
	_cleanup_free_ char *path = NULL;

	snprintf(slot->name, sizeof(slot->name), "%s", name);
	module->n_disks++;
	if (bytes == 0)
		return 0;
	if (module->spec->dir &&
		asprintf(&path, "%s/%08x-%s.img", module->spec->dir, module->serial, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return sim_medium_new(
		path, bytes, module->spec->medium, &module->faults, &slot->medium, message, size);
}

static int add_disks(struct sim_module *module, char *message, size_t size)
{
	const struct sim_spec *spec = module->spec;
	bool empty = sim_faults_have(&module->faults, SIM_FAULT_NO_MEDIUM);
	int r = 0;

	if ((spec->emmc || empty) && !sim_faults_have(&module->faults, SIM_FAULT_NO_MMC))
		r = add_disk(module, "mmcblk0", empty ? 0 : spec->emmc, message, size);
	if (r == 0 && spec->nvme)
		r = add_disk(module, "nvme0n1", spec->nvme, message, size);
	return r;
}

bool sim_module_shows(const struct sim_module *module, const struct sim_disk_slot *slot)
{
	return module->program != SIM_PROGRAM_MSD || strcmp(slot->name, "mmcblk0") == 0;
}

const struct sim_disk_slot *sim_module_disk(const struct sim_module *module, const char *name)
{
	for (size_t i = 0; i < module->n_disks; i++) {
		if (strcmp(module->disks[i].name, name) == 0)
			return &module->disks[i];
	}
	return NULL;
}

static int open_record(struct sim_module *module, char *message, size_t size)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (module->spec->dir &&
		asprintf(&path, "%s/%08x-record.txt", module->spec->dir, module->serial) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = sim_record_init(&module->record, path);
	if (r < 0)
		snprintf(message, size, "%s: %s", path, strerror(-r));
	return r;
}

/* The stage begins: every change of stage goes through here. */
static void enter(struct sim_module *module, enum sim_stage stage)
{
	module->stage = stage;
	module->enumeration++;
	module->silent = false;
	module->media = false;
	module->next = SIM_NEXT_NOTHING;
	pthread_cond_broadcast(&module->changed);
}

static void schedule(struct sim_module *module, enum sim_next next, unsigned ms)
{
	module->next = next;
	module->due = clock_ns() + ms * NS_PER_MS;
	sim_bus_kick(module->bus);
}

/* A bulk endpoint's packet: 64 bytes at full speed, 512 at high speed. */
static size_t packet_size(const struct sim_module *module, unsigned mbps)
{
	return mbps <= 12 || sim_faults_have(&module->faults, SIM_FAULT_FULL_SPEED) ? 64 : 512;
}

static void enter_rom(struct sim_module *module)
{
	uint64_t status = 0;

	sim_faults_number(&module->faults, SIM_FAULT_STATUS, &status);
	sim_rom_reset(&module->rom, (uint32_t)status, packet_size(module, 480));
	module->rom.msd.text = module->spec->model->msd_text;
	module->rom.recovery.text = SIM_RECOVERY_TEXT;
	sim_record_add(&module->record, SIM_EVENT_ROM, NULL, 0, NULL);
	enter(module, SIM_STAGE_ROM);
}

/* What the recovery has to go by. */
static void order_recovery(struct sim_module *module)
{
	struct sim_recovery *recovery = &module->server.recovery;
	uint64_t fault;

	recovery->serial = module->serial;
	recovery->locked = module->server.locked;
	recovery->has_fault = sim_faults_number(&module->faults, SIM_FAULT_EEPROM, &fault);
	if (recovery->has_fault)
		recovery->fault = (enum sim_eeprom_kind)fault;
}

void sim_module_write_eeprom(struct sim_module *module)
{
	_cleanup_free_ char *path = NULL;

	if (module->spec->dir &&
		asprintf(&path, "%s/%08x-eeprom.bin", module->spec->dir, module->serial) < 0)
		path = NULL;
	sim_recovery_write(&module->server.recovery, path, &module->record);
}

static void enter_second(struct sim_module *module)
{
	const struct sim_model *model = module->spec->model;
	uint64_t nonsense;

	sim_server_reset(
		&module->server, model, module->program, packet_size(module, model->second_mbps));
	module->server.locked = sim_faults_have(&module->faults, SIM_FAULT_LOCKED);
	order_recovery(module);
	module->server.has_nonsense =
		sim_faults_number(&module->faults, SIM_FAULT_NONSENSE, &nonsense);
	if (module->server.has_nonsense)
		module->server.nonsense = (enum sim_nonsense)nonsense;
	sim_record_add(
		&module->record, SIM_EVENT_SECOND, sim_program_to_string(module->program), 0, NULL);
	enter(module, SIM_STAGE_SECOND);
}

static void enter_disk(struct sim_module *module)
{
	unsigned ms = module->spec->boot_ms * MEDIA_PART / 100;

	enter(module, SIM_STAGE_DISK);
	module->boot_ns += ms * NS_PER_MS;
	schedule(module, SIM_NEXT_MEDIA, ms);
}

static void show_media(struct sim_module *module)
{
	enum sim_fault_kind kind;
	uint64_t number;

	module->media = true;
	module->next = SIM_NEXT_NOTHING;
	sim_record_add(&module->record, SIM_EVENT_DISK, NULL, module->boot_ns / NS_PER_MS, NULL);

	if (!sim_faults_strike(&module->faults, SIM_POINT_DISK, NULL, 0, 0, &kind, &number))
		return;
	if (kind == SIM_FAULT_UNPLUG)
		schedule(module, SIM_NEXT_UNPLUG, DISK_LIFE_MS);
	else
		module->silent = true;
}

void sim_module_leave(struct sim_module *module, enum sim_next next, unsigned ms)
{
	enter(module, SIM_STAGE_NONE);
	module->boot_ns += ms * NS_PER_MS;
	schedule(module, next, ms);
}

/* What runs on the module ends, and what its caches held is lost. */
static void power_off(struct sim_module *module)
{
	for (size_t i = 0; i < module->n_disks; i++)
		sim_medium_power_off(module->disks[i].medium);
	if (module->getty)
		sim_tty_hang_up(&module->getty->tty);
}

void sim_module_unplug_locked(struct sim_module *module)
{
	uint64_t ms;

	if (!module->plugged)
		return;
	module->plugged = false;
	sim_record_add(&module->record, SIM_EVENT_UNPLUGGED, NULL, 0, NULL);
	enter(module, SIM_STAGE_NONE);
	power_off(module);

	if (sim_faults_number(&module->faults, SIM_FAULT_REPLUG, &ms))
		schedule(module, SIM_NEXT_ROM, (unsigned)ms);
	else
		sim_bus_kick(module->bus);
}

void sim_module_unplug(struct sim_module *module)
{
	LOCKED(&module->lock);

	sim_module_unplug_locked(module);
}

void sim_module_plug(struct sim_module *module)
{
	LOCKED(&module->lock);

	if (!module->plugged)
		schedule(module, SIM_NEXT_ROM, 0);
}

static void take_step(struct sim_module *module)
{
	switch (module->next) {
	case SIM_NEXT_NOTHING:
		break;
	case SIM_NEXT_ROM:
		module->plugged = true;
		module->rom_twice = false;
		module->boot_ns = 0;
		sim_record_add(&module->record, SIM_EVENT_PLUGGED, NULL, 0, NULL);
		enter_rom(module);
		break;
	case SIM_NEXT_REBOOT:
		module->rom_twice = false;
		module->boot_ns = 0;
		enter_rom(module);
		break;
	case SIM_NEXT_ROM_AGAIN:
		module->rom_twice = true;
		enter_rom(module);
		schedule(module, SIM_NEXT_SECOND, ROM_AGAIN_MS);
		module->boot_ns += ROM_AGAIN_MS * NS_PER_MS;
		break;
	case SIM_NEXT_SECOND:
		enter_second(module);
		break;
	case SIM_NEXT_DISK:
		enter_disk(module);
		break;
	case SIM_NEXT_MEDIA:
		show_media(module);
		break;
	case SIM_NEXT_UNPLUG:
		sim_module_unplug_locked(module);
		break;
	}
}

static void describe_disk(
	const struct sim_module *module, size_t i, struct block_identity *ret_identity)
{
	const struct sim_disk_slot *slot = &module->disks[i];

	*ret_identity =
		(struct block_identity){.bytes = slot->medium ? sim_medium_bytes(slot->medium) : 0};
	snprintf(ret_identity->port, sizeof(ret_identity->port), "%s", module->port);
	snprintf(ret_identity->name, sizeof(ret_identity->name), "%s", slot->name);
}

static void compare(const struct sim_module *module, struct sim_known *known, struct sim_news *news)
{
	bool there = module->stage != SIM_STAGE_NONE;

	if (known->there && known->enumeration != module->enumeration) {
		for (size_t i = 0; i < module->n_disks; i++)
			news->disk_left[i] = known->shown[i];
		news->left = true;
		*known = (struct sim_known){0};
	}
	if (there && !known->there) {
		news->came = true;
		sim_model_identify(module->spec->model, module->stage, module->program,
			module->port, module->serial,
			sim_faults_have(&module->faults, SIM_FAULT_FULL_SPEED), &news->identity);
		known->there = true;
		known->enumeration = module->enumeration;
	}
	if (there && module->media && !known->media) {
		known->media = true;
		for (size_t i = 0; i < module->n_disks; i++) {
			known->shown[i] = sim_module_shows(module, &module->disks[i]);
			news->disk_came[i] = known->shown[i];
			describe_disk(module, i, &news->disks[i]);
		}
	}
}

uint64_t sim_module_step(
	struct sim_module *module, uint64_t now, struct sim_known *known, struct sim_news *ret_news)
{
	LOCKED(&module->lock);

	*ret_news = (struct sim_news){0};
	if (module->next != SIM_NEXT_NOTHING && module->due <= now)
		take_step(module);
	compare(module, known, ret_news);
	return module->next == SIM_NEXT_NOTHING ? UINT64_MAX : module->due;
}

/* What it is when the simulation starts. */
static void begin(struct sim_module *module)
{
	module->program = module->spec->model->usual;
	module->next = SIM_NEXT_NOTHING;
	if (sim_faults_have(&module->faults, SIM_FAULT_ADOPT)) {
		module->stage = SIM_STAGE_DISK;
		module->media = true;
	} else if (sim_faults_have(&module->faults, SIM_FAULT_FASTBOOT)) {
		module->stage = SIM_STAGE_FASTBOOT;
	} else if (!sim_faults_have(&module->faults, SIM_FAULT_BAD_LINK)) {
		module->next = SIM_NEXT_ROM;
	}
	module->plugged = module->stage != SIM_STAGE_NONE;
}

int sim_module_init(struct sim_module *module, struct sim_bus *bus, const struct sim_spec *spec,
	unsigned number, char *message, size_t size)
{
	int r;

	*module = (struct sim_module){
		.bus = bus,
		.spec = spec,
		.number = number,
		.serial = serial_of(number),
		.link = {.rate = spec->link},
		.faults = {spec->faults, spec->n_faults, number, 0},
		.record = {.fd = -1},
	};
	snprintf(module->port, sizeof(module->port), "1-1.%u", number);
	pthread_mutex_init(&module->lock, NULL);
	cond_init(&module->changed);

	/* Full speed carries 12 Mbit/s, of which bulk transfers see little more than 1 MB/s. */
	if (sim_faults_have(&module->faults, SIM_FAULT_FULL_SPEED) &&
		(!spec->link || spec->link > 1 << 20))
		module->link.rate = 1 << 20;

	r = open_record(module, message, size);
	if (r == 0)
		r = add_disks(module, message, size);
	if (r < 0) {
		sim_module_finish(module);
		return r;
	}

	begin(module);
	return 0;
}

void sim_module_finish(struct sim_module *module)
{
	power_off(module);
	sim_getty_unref(module->getty);
	for (size_t i = 0; i < module->n_disks; i++)
		sim_medium_free(module->disks[i].medium);
	sim_rom_finish(&module->rom);
	sim_server_finish(&module->server);
	sim_record_finish(&module->record);
	pthread_cond_destroy(&module->changed);
	pthread_mutex_destroy(&module->lock);
}
