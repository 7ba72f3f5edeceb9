#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "seam/backend.h"
#include "sim/fault.h"
#include "sim/medium.h"
#include "sim/model.h"
#include "sim/record.h"
#include "sim/rom.h"
#include "sim/server.h"
#include "sim/spec.h"
#include "sim/throttle.h"

struct sim_bus;
struct sim_getty;

/*
 * One simulated module: what stage it is in, what comes next and when. Its steps are taken by the
 * bus's thread when they are due (sim_module_step) or by the transfer that causes them; who holds
 * something of it open finds out by the enumeration's number, which every change of stage raises.
 *
 * Lock: sim_module.lock guards all that is not constant. It may be held while taking a medium's
 * lock or the bus's, and is never held over a wait, but for the waits on its own condition, nor
 * over a callback.
 */
#define SIM_DISKS_MAX 2

/* What it does when sim_module.due comes. */
enum sim_next {
	SIM_NEXT_NOTHING,
	SIM_NEXT_ROM,	    /* plugged in */
	SIM_NEXT_REBOOT,    /* the ROM, by its own doing */
	SIM_NEXT_ROM_AGAIN, /* the same, on its way to the second stage */
	SIM_NEXT_SECOND,
	SIM_NEXT_DISK,	/* the mass-storage device enumerates */
	SIM_NEXT_MEDIA, /* ... and its disks are there */
	SIM_NEXT_UNPLUG,
};

struct sim_disk_slot {
	char name[CM4_DISK_MAX];
	struct sim_medium *medium; /* NULL: there is none in it, its size is 0 */
};

struct sim_module {
	/* Constant. */
	struct sim_bus *bus;
	const struct sim_spec *spec;
	unsigned number; /* from 1 */
	uint32_t serial;
	char port[CM4_PORT_MAX];
	struct sim_disk_slot disks[SIM_DISKS_MAX];
	size_t n_disks;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* stage, or an abort */
	struct sim_faults faults;
	struct sim_record record;
	struct sim_throttle link;

	bool plugged;
	enum sim_stage stage;
	unsigned enumeration;
	enum sim_next next;
	uint64_t due;		  /* of next, ns */
	bool media;		  /* its disks are on the bus */
	bool silent;		  /* says nothing until the next enumeration */
	bool rom_twice;		  /* it has shown again already */
	enum sim_program program; /* by the last second stage */
	struct sim_rom rom;
	struct sim_server server;

	uint64_t boot_ns;	/* of this boot: the module's and its link's own time so far */
	uint64_t written, read; /* bytes, by its disks, since the start; for faults at counts */
	uint64_t syncs;
	struct sim_getty *
		getty; /* its console's shell; NULL: never opened. Of this enumeration or an old one */
};

/* Everything that a listener has to be told, in this order. */
struct sim_news {
	bool disk_left[SIM_DISKS_MAX];
	bool left;
	bool came;
	struct usb_identity identity;
	bool disk_came[SIM_DISKS_MAX];
	struct block_identity disks[SIM_DISKS_MAX];
};

/* What the listener knows. The bus's thread's own. */
struct sim_known {
	bool there;
	unsigned enumeration;
	bool media;
	bool shown[SIM_DISKS_MAX];
};

/* @bus is told by sim_bus_kick when a step becomes due. 0 or -errno, with a sentence in @message.
 */
int sim_module_init(struct sim_module *module, struct sim_bus *bus, const struct sim_spec *spec,
	unsigned number, char *message, size_t size);
void sim_module_finish(struct sim_module *module);

/* Takes the step that is due, if any, and compares with @known. The next one's time; UINT64_MAX:
 * none. */
uint64_t sim_module_step(struct sim_module *module, uint64_t now, struct sim_known *known,
	struct sim_news *ret_news);

/* Any thread. Unplugging what is unplugged, or plugging what is plugged, changes nothing. */
void sim_module_unplug(struct sim_module *module);
void sim_module_plug(struct sim_module *module);

/* The rest is for who holds the lock. */

void sim_module_unplug_locked(struct sim_module *module);

/* Leaves the bus to come back as @next after @ms of its own time. */
void sim_module_leave(struct sim_module *module, enum sim_next next, unsigned ms);

/* Writes the EEPROM, where the recovery has just found that due. */
void sim_module_write_eeprom(struct sim_module *module);

/* Whether its mass storage shows that disk: the VPU's knows the eMMC alone. */
bool sim_module_shows(const struct sim_module *module, const struct sim_disk_slot *slot);

/* The disk of that name; NULL: none. No lock is needed. */
const struct sim_disk_slot *sim_module_disk(const struct sim_module *module, const char *name);

/* Parts of the spec's boot time. */
unsigned sim_module_second_ms(const struct sim_module *module);
unsigned sim_module_disk_ms(const struct sim_module *module);
