#include <stdio.h>
#include <string.h>

#include "sim/model.h"

#define VENDOR_BROADCOM 0x0a5c
#define GADGET_LINUX	0x0104 /* mass-storage-gadget64 */
#define GADGET_VPU	0x0001 /* the msd firmware */
#define VENDOR_GOOGLE	0x18d1
#define GADGET_FASTBOOT 0x4e40

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
	{"boot.sig", SIM_NEED_SIGNATURE},
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
	{"boot.sig", SIM_NEED_SIGNATURE},
	{NULL, SIM_NEED_NOTHING},
};

/* The msd firmware on a CM4 (usbboot#315); start4.elf comes from msd's start.elf. */
static const struct sim_wish msd_2711[] = {
	{"config.txt", SIM_NEED_NOTHING},
	{"pieeprom.sig", SIM_NEED_NOTHING},
	{"recover4.elf", SIM_NEED_NOTHING},
	{"fixup4rc.dat", SIM_NEED_NOTHING},
	{"recovery.elf", SIM_NEED_NOTHING},
	{"fixup_rc.dat", SIM_NEED_NOTHING},
	{"start4.elf", SIM_NEED_DISK},
	{"fixup4.dat", SIM_NEED_NOTHING},
	{NULL, SIM_NEED_NOTHING},
};

/* ... and secure-boot-msd's, whose boot.img holds the rest. */
static const struct sim_wish ramdisk_2711[] = {
	{"boot.img", SIM_NEED_DISK},
	{"boot.sig", SIM_NEED_SIGNATURE},
	{NULL, SIM_NEED_NOTHING},
};

/* recovery.bin, as rpiboot of 2024 logged it: it looks for the image twice, and reads it last. */
static const struct sim_wish recovery[] = {
	{"config.txt", SIM_NEED_NOTHING},
	{"pieeprom.bin", SIM_NEED_LOOK},
	{"pieeprom.bin", SIM_NEED_LOOK},
	{"pieeprom.sig", SIM_NEED_NOTHING},
	{"pieeprom.bin", SIM_NEED_NOTHING},
	{NULL, SIM_NEED_NOTHING},
};

/* The msd firmware on older chips. */
static const struct sim_wish msd_2710[] = {
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
		.msd_index = 3,
		.serial_upper = 0x10000000,
		.has_emmc = true,
		.eeprom = 512 << 10,
		.usual = SIM_PROGRAM_GADGET,
		.msd_text = "start4.elf",
		.ramdisk = ramdisk_2711,
		.wishes = {wishes_2711, msd_2711, recovery},
	},
	{
		.name = "cm4-lite",
		.help = "Compute Module 4 Lite, its card slot empty unless emmc= gives it a card",
		.product = 0x2711,
		.rom_index = 3,
		.second_index = 4,
		.second_serial = SECOND_SERIAL_UNKNOWN,
		.second_mbps = 480,
		.msd_index = 3,
		.serial_upper = 0x10000000,
		.eeprom = 512 << 10,
		.usual = SIM_PROGRAM_GADGET,
		.msd_text = "start4.elf",
		.ramdisk = ramdisk_2711,
		.wishes = {wishes_2711, msd_2711, recovery},
	},
	{
		.name = "cm5",
		.help = "Compute Module 5",
		.product = 0x2712,
		.rom_index = 3,
		.second_index = 4,
		.second_serial = SECOND_SERIAL_UNKNOWN,
		.second_mbps = 480,
		.has_emmc = true,
		.eeprom = 2 << 20,
		.usual = SIM_PROGRAM_GADGET,
		.wishes = {wishes_2712, wishes_2712, recovery},
	},
	{
		.name = "cm3",
		.help = "Compute Module 3: no serial, and the VPU's mass storage without a console",
		.product = 0x2764,
		.rom_index = 0,
		.second_index = 1,
		.second_serial = "Broadcom",
		.second_mbps = 12,
		.has_emmc = true,
		.usual = SIM_PROGRAM_MSD,
		.msd_text = "start.elf",
		.wishes = {msd_2710, msd_2710, msd_2710},
	},
	{
		.name = "cm1",
		.help = "Compute Module 1: likewise",
		.product = 0x2763,
		.rom_index = 0,
		.second_index = 1,
		.second_serial = "Broadcom",
		.second_mbps = 12,
		.has_emmc = true,
		.usual = SIM_PROGRAM_MSD,
		.msd_text = "start.elf",
		.wishes = {msd_2710, msd_2710, msd_2710},
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

/*
 * The VPU's mass storage goes first: the loader that fetches it (usbboot's firmware/2711/bootcode4.bin) knows the names
 * of an EEPROM's files as well, while recovery.bin knows none of start4.elf.
 */
enum sim_program sim_model_program(const struct sim_model *model, bool msd, bool recovers)
{
	if (msd && model->msd_text)
		return SIM_PROGRAM_MSD;
	return recovers && model->eeprom ? SIM_PROGRAM_RECOVERY : model->usual;
}

const char *sim_program_to_string(enum sim_program program)
{
	switch (program) {
	case SIM_PROGRAM_GADGET:
		return "gadget";
	case SIM_PROGRAM_MSD:
		return "msd";
	case SIM_PROGRAM_RECOVERY:
		return "recovery";
	}
	return "?";
}

static void put_long_serial(const struct sim_model *model, uint32_t serial, struct usb_identity *id)
{
	id->serial_index = 3;
	snprintf(id->serial, sizeof(id->serial), "%08x%08x",
		model->serial_upper ? model->serial_upper : ~serial, serial);
}

static void put_short_serial(uint8_t index, uint32_t serial, struct usb_identity *id)
{
	id->serial_index = index;
	if (index)
		snprintf(id->serial, sizeof(id->serial), "%08x", serial);
}

void sim_model_identify(const struct sim_model *model, enum sim_stage stage,
	enum sim_program program, const char *port, uint32_t serial, bool full_speed,
	struct usb_identity *ret_identity)
{
	struct usb_identity id = {
		.vendor = VENDOR_BROADCOM, .product = model->product, .link_mbps = 480};
	bool msd = program == SIM_PROGRAM_MSD;

	snprintf(id.port, sizeof(id.port), "%s", port);
	switch (stage) {
	case SIM_STAGE_NONE:
		break;
	case SIM_STAGE_ROM:
		put_short_serial(model->rom_index, serial, &id);
		break;
	case SIM_STAGE_SECOND:
		id.serial_index = model->second_index;
		id.link_mbps = model->second_mbps;
		snprintf(id.serial, sizeof(id.serial), "%s", model->second_serial);
		break;
	case SIM_STAGE_DISK:
		id.product = msd ? GADGET_VPU : GADGET_LINUX;
		if (msd)
			put_short_serial(model->msd_index, serial, &id);
		else
			put_long_serial(model, serial, &id);
		break;
	case SIM_STAGE_FASTBOOT:
		id.vendor = VENDOR_GOOGLE;
		id.product = GADGET_FASTBOOT;
		put_long_serial(model, serial, &id);
		break;
	}
	if (full_speed)
		id.link_mbps = 12;
	*ret_identity = id;
}
