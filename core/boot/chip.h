#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Which devices take part in a USB boot, and what their numbers mean. Pure tables, for any thread.
 * Sources: usbboot's main.c (identifiers, names, prefixes), rpi-imager's src/rpiboot.
 */

#define USB_VENDOR_BROADCOM 0x0a5c

struct boot_chip {
	uint16_t product;	  /* of the ROM, and of its second stage */
	const char *name;	  /* "BCM2711" */
	const char *model;	  /* "cm4" */
	const char *prefix;	  /* directory of its files within a payload: "2711" */
	const char *second_stage; /* "bootcode4.bin" */
	const char *signature; /* of it, sent in its header: "bootcode.sig"; NULL where none is */
};

enum boot_kind {
	BOOT_KIND_UNKNOWN, /* not a Compute Module: none of our business */
	BOOT_KIND_ROM,	   /* wants a second stage */
	BOOT_KIND_SECOND,  /* asks for files */
	BOOT_KIND_DISK,	   /* is a disk */
	BOOT_KIND_OTHER,   /* a gadget of another tool */
};

/* The table's rows from 0 on; NULL behind the last. */
const struct boot_chip *boot_chip_at(size_t i);

/* NULL for a product that is no boot ROM, and for a model that is not known. */
const struct boot_chip *boot_chip_by_product(uint16_t product);
const struct boot_chip *boot_chip_by_model(const char *model);

/*
 * @ret_chip: the chip whose numbers these are, NULL for a disk or another gadget. A second stage
 * may carry another chip's product (CM4's start4.elf says 2764): whoever saw the ROM knows better.
 */
enum boot_kind boot_identify(
	uint16_t vendor, uint16_t product, uint8_t serial_index, const struct boot_chip **ret_chip);
