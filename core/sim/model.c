#include <stdio.h>
#include <string.h>

#include "sim/model.h"

#define VENDOR_BROADCOM 0x0a5c
#define GADGET_LINUX	0x0104 /* mass-storage-gadget64 */
#define GADGET_VPU	0x0001 /* the msd firmware */

/* mass-storage-gadget64 on a CM4, as rpiboot logs it. */
static const struct sim_wish wishes_2711[] = {
	{"mcb.bin", SIM_NEED_LIFE},
	{"memsys00.bin", SIM_NEED_NOTHING},
	{"memsys01.bin", SIM_NEED_NOTHING},
	{"memsys02.bin", SIM_NEED_NOTHING},
	{"memsys03.bin", SIM_NEED_NOTHING},
	{"memsys04.bin", SIM_NEED_NOTHING},
	{"memsys05.bin", SIM_NEED_NOTHING},
	{"memsys06.bin", SIM_NEED_NOTHING},
	{"memsys07.bin", SIM_NEED_NOTHING},
	{"memsys08.bin", SIM_NEED_NOTHING},
	{"bootmain", SIM_NEED_DISK},
	{"config.txt", SIM_NEED_NOTHING},
	{"boot.img", SIM_NEED_DISK},
	{NULL, SIM_NEED_NOTHING},
};

/* The same on a CM5 (usbboot#306). */
static const struct sim_wish wishes_2712[] = {
	{"mcb.bin", SIM_NEED_LIFE},
	{"memsys00.bin", SIM_NEED_NOTHING},
	{"memsys01.bin", SIM_NEED_NOTHING},
	{"memsys02.bin", SIM_NEED_NOTHING},
	{"memsys03.bin", SIM_NEED_NOTHING},
	{"bootmain", SIM_NEED_DISK},
	{"config.txt", SIM_NEED_NOTHING},
	{"boot.img", SIM_NEED_DISK},
	{NULL, SIM_NEED_NOTHING},
};

/* The msd firmware on older chips. */
static const struct sim_wish wishes_2710[] = {
	{"autoboot.txt", SIM_NEED_NOTHING},
	{"config.txt", SIM_NEED_NOTHING},
	{"recovery.elf", SIM_NEED_NOTHING},
	{"start.elf", SIM_NEED_DISK},
	{"fixup.dat", SIM_NEED_NOTHING},
	{NULL, SIM_NEED_NOTHING},
};

/* No log shows what stands at a CM4's index 4; nothing may depend on it, so it is made unpleasant.
 */
#define SECOND_SERIAL_UNKNOWN "\x02?\x7f\xff"

static const struct sim_model models[] = {
	{
		.name = "cm4",
		.help = "Compute Module 4 with eMMC (the default)",
		.product = 0x2711,
		.rom_index = 3,
		.second_index = 4,
		.second_serial = SECOND_SERIAL_UNKNOWN,
		.second_mbps = 480,
		.disk_product = GADGET_LINUX,
		.disk_index = 3,
		.serial_upper = 0x10000000,
		.has_emmc = true,
		.has_console = true,
		.wishes = wishes_2711,
	},
	{
		.name = "cm4-lite",
		.help = "Compute Module 4 Lite, its card slot empty unless emmc= gives it a card",
		.product = 0x2711,
		.rom_index = 3,
		.second_index = 4,
		.second_serial = SECOND_SERIAL_UNKNOWN,
		.second_mbps = 480,
		.disk_product = GADGET_LINUX,
		.disk_index = 3,
		.serial_upper = 0x10000000,
		.has_console = true,
		.wishes = wishes_2711,
	},
	{
		.name = "cm3",
		.help = "Compute Module 3: no serial, and the VPU's mass storage without a console",
		.product = 0x2764,
		.rom_index = 0,
		.second_index = 1,
		.second_serial = "Broadcom",
		.second_mbps = 12,
		.disk_product = GADGET_VPU,
		.disk_index = 0,
		.has_emmc = true,
		.wishes = wishes_2710,
	},
	{
		.name = "cm5",
		.help = "Compute Module 5",
		.product = 0x2712,
		.rom_index = 3,
		.second_index = 4,
		.second_serial = SECOND_SERIAL_UNKNOWN,
		.second_mbps = 480,
		.disk_product = GADGET_LINUX,
		.disk_index = 3,
		.has_emmc = true,
		.has_console = true,
		.wishes = wishes_2712,
	},
};

#define N_MODELS (sizeof(models) / sizeof(models[0]))

const struct sim_model *sim_model_find(const char *name)
{
	for (size_t i = 0; i < N_MODELS; i++) {
		if (strcmp(models[i].name, name) == 0)
			return &models[i];
	}
	return NULL;
}

const struct sim_model *sim_model_get(size_t i)
{
	return i < N_MODELS ? &models[i] : NULL;
}

void sim_model_identify(const struct sim_model *model, enum sim_stage stage, const char *port,
	uint32_t serial, bool full_speed, struct usb_identity *ret_identity)
{
	struct usb_identity id = {
		.vendor = VENDOR_BROADCOM, .product = model->product, .link_mbps = 480};

	snprintf(id.port, sizeof(id.port), "%s", port);
	switch (stage) {
	case SIM_STAGE_NONE:
		break;
	case SIM_STAGE_ROM:
		id.serial_index = model->rom_index;
		if (id.serial_index)
			snprintf(id.serial, sizeof(id.serial), "%08x", serial);
		break;
	case SIM_STAGE_SECOND:
		id.serial_index = model->second_index;
		id.link_mbps = model->second_mbps;
		snprintf(id.serial, sizeof(id.serial), "%s", model->second_serial);
		break;
	case SIM_STAGE_DISK:
		id.product = model->disk_product;
		id.serial_index = model->disk_index;
		if (id.serial_index)
			snprintf(id.serial, sizeof(id.serial), "%08x%08x",
				model->serial_upper ? model->serial_upper : ~serial, serial);
		break;
	}
	if (full_speed)
		id.link_mbps = 12;
	*ret_identity = id;
}
