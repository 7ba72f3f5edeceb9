#include <stdbool.h>
#include <string.h>

#include "boot/chip.h"

/*
 * CM1 and CM3 differ in their ROM, and share second stage and directory. Only these older ROMs look
 * at the signature in the header; from 2711 on a signed second stage carries its own.
 */
static const struct boot_chip chips[] = {
	{0x2763, "BCM2708", "cm1", "2710", "bootcode.bin", "bootcode.sig"},
	{0x2764, "BCM2710", "cm3", "2710", "bootcode.bin", "bootcode.sig"},
	{0x2711, "BCM2711", "cm4", "2711", "bootcode4.bin", NULL},
	{0x2712, "BCM2712", "cm5", "2712", "bootcode5.bin", NULL},
};

/* What a module becomes once it has booted, and what others make of it. */
static const struct {
	uint16_t vendor, product;
	enum boot_kind kind;
} gadgets[] = {
	{USB_VENDOR_BROADCOM, 0x0001, BOOT_KIND_DISK}, /* msd firmware */
	{USB_VENDOR_BROADCOM, 0x0104, BOOT_KIND_DISK}, /* mass-storage-gadget */
	{0x18d1, 0x4e40, BOOT_KIND_OTHER},	       /* fastboot */
};

#define N_CHIPS	  (sizeof(chips) / sizeof(chips[0]))
#define N_GADGETS (sizeof(gadgets) / sizeof(gadgets[0]))

const struct boot_chip *boot_chip_at(size_t i)
{
	return i < N_CHIPS ? &chips[i] : NULL;
}

const struct boot_chip *boot_chip_by_product(uint16_t product)
{
	for (size_t i = 0; i < N_CHIPS; i++)
		if (chips[i].product == product)
			return &chips[i];
	return NULL;
}

const struct boot_chip *boot_chip_by_model(const char *model)
{
	for (size_t i = 0; i < N_CHIPS; i++)
		if (strcmp(chips[i].model, model) == 0)
			return &chips[i];
	return NULL;
}

/*
 * ROM and second stage share their numbers, and only the index of the serial number's string tells
 * them apart: the ROMs have 0 (CM1, CM3) or 3 (CM4, CM5); second stages were seen with 1 and 4, and
 * usbboot takes anything but 0 and 3 for one.
 */
static bool is_rom(uint8_t serial_index)
{
	return serial_index == 0 || serial_index == 3;
}

enum boot_kind boot_identify(
	uint16_t vendor, uint16_t product, uint8_t serial_index, const struct boot_chip **ret_chip)
{
	*ret_chip = NULL;

	for (size_t i = 0; i < N_GADGETS; i++)
		if (gadgets[i].vendor == vendor && gadgets[i].product == product)
			return gadgets[i].kind;

	if (vendor != USB_VENDOR_BROADCOM)
		return BOOT_KIND_UNKNOWN;

	*ret_chip = boot_chip_by_product(product);
	if (!*ret_chip)
		return BOOT_KIND_UNKNOWN;
	return is_rom(serial_index) ? BOOT_KIND_ROM : BOOT_KIND_SECOND;
}
