#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "seam/usb.h"

/*
 * What differs between Compute Modules, in one table. Facts and their sources: the project's notes
 * on the boot protocol, gathered from usbboot's main.c and logs in its issues.
 */

enum sim_stage {
	SIM_STAGE_NONE,
	SIM_STAGE_ROM,
	SIM_STAGE_SECOND,
	SIM_STAGE_DISK,
	SIM_STAGE_FASTBOOT, /* of another tool */
};

/* What a module runs, by the second stage that it was sent. */
enum sim_program {
	SIM_PROGRAM_GADGET,   /* mass-storage-gadget64: Linux, with a console */
	SIM_PROGRAM_MSD,      /* the VPU's own mass storage */
	SIM_PROGRAM_RECOVERY, /* updates the EEPROM, and has no disk */
};

#define SIM_PROGRAMS 3

/* What becomes of a module that is told that a file is not there. */
enum sim_need {
	SIM_NEED_NOTHING,   /* goes on: many are asked for on the off chance */
	SIM_NEED_DISK,	    /* says Done, and never comes back as a disk */
	SIM_NEED_LOOK,	    /* asked for its size alone; without it, asks for nothing more */
	SIM_NEED_SIGNATURE, /* a locked module alone asks, and never stops (rpi-sb-provisioner#97) */
	SIM_NEED_LIFE,	    /* falls silent for good (rpi-sb-provisioner#338: mcb.bin) */
};

struct sim_wish {
	const char *name;
	enum sim_need need;
};

struct sim_model {
	const char *name;
	const char *help;
	uint16_t product;	   /* of the ROM and its second stage */
	uint8_t rom_index;	   /* iSerialNumber of the ROM: 0 where it has none */
	uint8_t second_index;	   /* ... of the second stage */
	const char *second_serial; /* its text */
	unsigned second_mbps;	   /* the second stage's own speed */
	uint8_t msd_index;	   /* iSerialNumber of the VPU's mass storage */
	uint32_t serial_upper;	   /* of the disk's 64 bits; 0: it differs from module to module */
	bool has_emmc;		   /* soldered on; else a card slot, empty unless a size is given */
	uint32_t eeprom;	   /* its size; 0: there is none */
	enum sim_program usual; /* what runs where nothing in the second stage speaks for another */
	/* The text in a second stage that is the VPU's mass storage; NULL: there is none for it. */
	const char *msd_text;
	/*
	 * What the VPU's mass storage asks for behind config.txt, where that says boot_ramdisk=1 or
	 * the module is locked; NULL: it knows of no such thing.
	 */
	const struct sim_wish *ramdisk;
	/* Each program's questions, in order; ends with a NULL name. */
	const struct sim_wish *wishes[SIM_PROGRAMS];
};

const struct sim_model *sim_model_find(const char *name); /* NULL: no such model */
const struct sim_model *sim_model_get(size_t i);	  /* NULL behind the last */

#define SIM_RECOVERY_TEXT "pieeprom.bin"

/* What a second stage is, in which the model's msd_text or the recovery's was found, or both. */
enum sim_program sim_model_program(const struct sim_model *model, bool msd, bool recovery);
const char *sim_program_to_string(enum sim_program program);

/* What @stage's descriptors say. */
void sim_model_identify(const struct sim_model *model, enum sim_stage stage,
	enum sim_program program, const char *port, uint32_t serial, bool full_speed,
	struct usb_identity *ret_identity);
