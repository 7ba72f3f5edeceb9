#include <errno.h>
#include <stdlib.h>

#include "sim/bus.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * The USB seam over a module's ROM and second stage. Here is what all requests have in common: that
 * the device may be gone, mute or told to stop, that a transfer takes its time on the link, and
 * that a fault may strike; what a request means is the pure machines' business (rom.c, server.c).
 */
struct sim_usb {
	struct usb_device device;
	struct sim_module *module;
	unsigned enumeration; /* that was opened */
	bool aborted;	      /* guarded by the module's lock */
};

static struct sim_usb *usb_of(struct usb_device *device)
{
	return (struct sim_usb *)device;
}

static uint64_t deadline_of(unsigned timeout_ms)
{
	return timeout_ms ? clock_ns() + timeout_ms * NS_PER_MS : UINT64_MAX;
}

static int check(const struct sim_usb *usb)
{
	if (usb->aborted)
		return -ECANCELED;
	if (usb->module->enumeration != usb->enumeration)
		return -ENODEV;
	return 0;
}

/* Until @until, an abort or the end of this enumeration. 0: until @until. */
static int wait_until(struct sim_usb *usb, uint64_t until)
{
	struct sim_module *module = usb->module;
	int r;

	while ((r = check(usb)) == 0 && (until == UINT64_MAX || clock_ns() < until))
		cond_wait_until(&module->changed, &module->lock, until);
	return r;
}

/* A module that does not answer: the host's patience ends, or something else does. */
static int stay_silent(struct sim_usb *usb, uint64_t deadline)
{
	int r = wait_until(usb, deadline);

	return r < 0 ? r : -ETIMEDOUT;
}

/* What was ordered to happen at this request. 0: nothing, go on. */
static int strike(struct sim_usb *usb, uint64_t deadline)
{
	struct sim_module *module = usb->module;
	bool rom = module->stage == SIM_STAGE_ROM;
	enum sim_point point =
		rom ? sim_rom_point(&module->rom) : sim_server_point(&module->server);
	const char *file = rom ? NULL : sim_server_file(&module->server);
	enum sim_fault_kind kind;
	uint64_t number;

	if (!module->silent &&
		sim_faults_strike(&module->faults, point, file, 0, 0, &kind, &number)) {
		if (kind == SIM_FAULT_STALL)
			return -EPIPE;
		if (kind == SIM_FAULT_UNPLUG) {
			sim_module_unplug_locked(module);
			return -ENODEV;
		}
		module->silent = true;
	}
	return module->silent ? stay_silent(usb, deadline) : 0;
}

/* Before every request, with the lock held. */
static int begin(struct sim_usb *usb, uint64_t deadline)
{
	int r = check(usb);

	return r < 0 ? r : strike(usb, deadline);
}

/* What is made of a module once its second stage has all it asked for. */
static void leave_second(struct sim_module *module)
{
	if (module->server.recovers && sim_recovery_reboots(&module->server.recovery)) {
		sim_module_leave(module, SIM_NEXT_REBOOT, module->spec->boot_ms);
	} else if (module->server.recovers) {
		sim_record_add(&module->record, SIM_EVENT_BLINKS, NULL, 0, NULL);
		sim_module_leave(module, SIM_NEXT_NOTHING, 0);
	} else if (module->server.lame || sim_faults_have(&module->faults, SIM_FAULT_NO_DISK)) {
		sim_module_leave(module, SIM_NEXT_NOTHING, 0);
	} else {
		sim_module_leave(module, SIM_NEXT_DISK, sim_module_disk_ms(module));
	}
}

/* After every request: a machine that has all it wanted moves on. */
static void move_on(struct sim_module *module)
{
	const struct sim_faults *faults = &module->faults;

	if (module->stage == SIM_STAGE_ROM) {
		bool early = module->rom.state == SIM_ROM_HAS_SECOND &&
			     sim_faults_have(faults, SIM_FAULT_EARLY_RESET);

		if (module->rom.state != SIM_ROM_LEAVES && !early)
			return;
		module->program = sim_model_program(
			module->spec->model, module->rom.msd.found, module->rom.recovery.found);
		if (sim_faults_have(faults, SIM_FAULT_NO_SECOND))
			sim_module_leave(module, SIM_NEXT_NOTHING, 0);
		else if (sim_faults_have(faults, SIM_FAULT_ROM_TWICE) && !module->rom_twice)
			sim_module_leave(module, SIM_NEXT_ROM_AGAIN, sim_module_second_ms(module));
		else
			sim_module_leave(module, SIM_NEXT_SECOND, sim_module_second_ms(module));
		return;
	}
	if (module->server.recovers)
		sim_module_write_eeprom(module);
	if (module->server.state == SIM_SERVER_LEAVES)
		leave_second(module);
}

static int control_out(
	struct usb_device *device, uint16_t value, uint16_t index, unsigned timeout_ms)
{
	struct sim_usb *usb = usb_of(device);
	struct sim_module *module = usb->module;
	uint32_t length = value | (uint32_t)index << 16;
	uint64_t deadline = deadline_of(timeout_ms);
	LOCKED(&module->lock);
	int r = begin(usb, deadline);

	if (r < 0)
		return r;
	if (module->stage == SIM_STAGE_ROM)
		r = sim_rom_control_out(&module->rom, &module->record, length);
	else
		r = sim_server_control_out(&module->server, &module->record, length);
	if (r == -ETIMEDOUT)
		return stay_silent(usb, deadline);
	move_on(module);
	return r;
}

static ssize_t control_in(struct usb_device *device, uint16_t value, uint16_t index, void *buffer,
	size_t size, unsigned timeout_ms)
{
	struct sim_usb *usb = usb_of(device);
	struct sim_module *module = usb->module;
	uint32_t length = value | (uint32_t)index << 16;
	uint64_t deadline = deadline_of(timeout_ms);
	LOCKED(&module->lock);
	ssize_t n = begin(usb, deadline);

	if (n < 0)
		return n;
	if (module->stage == SIM_STAGE_ROM)
		n = sim_rom_control_in(&module->rom, &module->record, length, buffer, size);
	else
		n = sim_server_control_in(&module->server, &module->record, length, buffer, size);
	if (n == -ETIMEDOUT)
		return stay_silent(usb, deadline);
	move_on(module);
	return n;
}

/* The bytes' time on the link. */
static int carry(struct sim_usb *usb, size_t size, uint64_t deadline)
{
	struct sim_module *module = usb->module;
	uint64_t done = sim_throttle_take(&module->link, clock_ns(), size);
	int r;

	if (module->link.rate == 0)
		return 0;
	r = wait_until(usb, done < deadline ? done : deadline);
	if (r < 0)
		return r;
	if (done > deadline)
		return -ETIMEDOUT;
	sim_throttle_woke(&module->link, done, clock_ns());
	module->boot_ns += sim_throttle_cost(module->link.rate, size);
	return 0;
}

static ssize_t bulk_out(
	struct usb_device *device, const void *buffer, size_t size, unsigned timeout_ms)
{
	struct sim_usb *usb = usb_of(device);
	struct sim_module *module = usb->module;
	uint64_t deadline = deadline_of(timeout_ms);
	LOCKED(&module->lock);
	int r = begin(usb, deadline);

	if (r == 0)
		r = carry(usb, size, deadline);
	if (r < 0)
		return r;
	if (module->stage == SIM_STAGE_ROM)
		r = sim_rom_bulk(&module->rom, &module->record, buffer, size);
	else
		r = sim_server_bulk(&module->server, &module->record, buffer, size);
	if (r == -ETIMEDOUT)
		return stay_silent(usb, deadline);
	move_on(module);
	return r < 0 ? r : (ssize_t)size;
}

static void usb_abort(struct usb_device *device)
{
	struct sim_usb *usb = usb_of(device);
	LOCKED(&usb->module->lock);

	usb->aborted = true;
	pthread_cond_broadcast(&usb->module->changed);
}

static void usb_close(struct usb_device *device)
{
	free(usb_of(device));
}

static const struct usb_device_ops ops = {
	.control_out = control_out,
	.control_in = control_in,
	.bulk_out = bulk_out,
	.abort = usb_abort,
	.close = usb_close,
};

int sim_usb_open(struct sim_module *module, struct usb_device **ret_device)
{
	struct sim_usb *usb;
	LOCKED(&module->lock);

	if (module->stage != SIM_STAGE_ROM && module->stage != SIM_STAGE_SECOND)
		return -ENODEV;
	usb = calloc(1, sizeof(*usb));
	if (!usb)
		return -ENOMEM;
	usb->device.ops = &ops;
	usb->module = module;
	usb->enumeration = module->enumeration;
	*ret_device = &usb->device;
	return 0;
}
