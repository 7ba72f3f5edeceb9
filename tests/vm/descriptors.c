#include <errno.h>
#include <string.h>

#include "descriptors.h"

/*
 * The descriptors of a Compute Module's boot ROM and second stage, as lsusb and usbboot's issues show them: class 0,
 * 64 bytes on endpoint 0, one interface of 32 bytes in all, and in the first nine bytes of the configuration, when
 * they are asked for alone, a length of 55 that nobody ever gets (rpi-eeprom#255).
 */

#define CLAIMED_LENGTH 55

enum {
	TYPE_DEVICE = 1,
	TYPE_CONFIGURATION = 2,
	TYPE_STRING = 3,
	TYPE_INTERFACE = 4,
	TYPE_ENDPOINT = 5,
};

enum { STRING_LANGUAGES, STRING_VENDOR, STRING_PRODUCT };

static const char *const names[] = {
	[DESCRIPTORS_TRUE] = "true",
	[DESCRIPTORS_TWO_INTERFACES] = "two-interfaces",
	[DESCRIPTORS_NO_BULK_OUT] = "no-bulk-out",
	[DESCRIPTORS_WRONG_ENDPOINT] = "wrong-endpoint",
	[DESCRIPTORS_THREE_INTERFACES] = "three-interfaces",
	[DESCRIPTORS_GARBLED] = "garbled",
};

int descriptors_shape_parse(const char *name, enum descriptors_shape *ret_shape)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_shape = (enum descriptors_shape)i;
			return 0;
		}
	}
	return -EINVAL;
}

struct bytes {
	uint8_t bytes[256];
	size_t n;
};

static void put(struct bytes *to, const uint8_t *from, size_t n)
{
	memcpy(to->bytes + to->n, from, n);
	to->n += n;
}

static void put_device(struct bytes *to, const struct usb_identity *identity)
{
	uint8_t device[] = {
		18,
		TYPE_DEVICE,
		0x00,
		0x02, /* USB 2.0 */
		0,
		0,
		0, /* class, subclass, protocol */
		64,
		identity->vendor & 0xff,
		identity->vendor >> 8,
		identity->product & 0xff,
		identity->product >> 8,
		0,
		0,
		STRING_VENDOR,
		STRING_PRODUCT,
		identity->serial_index,
		1,
	};

	put(to, device, sizeof(device));
}

static void put_interface(
	struct bytes *to, uint8_t number, uint8_t endpoints, const uint8_t class[3])
{
	uint8_t interface[] = {
		9, TYPE_INTERFACE, number, 0, endpoints, class[0], class[1], class[2], 0};

	put(to, interface, sizeof(interface));
}

static void put_bulk(struct bytes *to, const struct usb_identity *identity, uint8_t address)
{
	uint16_t packet = identity->link_mbps <= 12 ? 64 : 512;
	uint8_t endpoint[] = {
		7, TYPE_ENDPOINT, address, 2, packet & 0xff, (uint8_t)(packet >> 8), 0};

	put(to, endpoint, sizeof(endpoint));
}

/* IN before OUT, as the modules have it. */
static void put_boot_interface(struct bytes *to, const struct usb_identity *identity,
	uint8_t number, uint8_t in, uint8_t out)
{
	static const uint8_t vendor_class[] = {0xff, 0, 0};

	put_interface(to, number, out ? 2 : 1, vendor_class);
	put_bulk(to, identity, in);
	if (out)
		put_bulk(to, identity, out);
}

static void put_storage_interface(struct bytes *to, const struct usb_identity *identity)
{
	static const uint8_t storage_class[] = {8, 6, 0x50};

	put_interface(to, 0, 2, storage_class);
	put_bulk(to, identity, 0x81);
	put_bulk(to, identity, 0x02);
}

static void put_configuration(
	struct bytes *to, const struct usb_identity *identity, enum descriptors_shape shape)
{
	uint8_t configuration[] = {9, TYPE_CONFIGURATION, 0, 0, 1, 1, 0, 0xc0, 50};

	put(to, configuration, sizeof(configuration));
	switch (shape) {
	case DESCRIPTORS_TRUE:
		put_boot_interface(to, identity, 0, 0x82, 1);
		break;
	case DESCRIPTORS_TWO_INTERFACES:
		put_storage_interface(to, identity);
		put_boot_interface(to, identity, 1, 0x84, 3);
		to->bytes[4] = 2;
		break;
	case DESCRIPTORS_NO_BULK_OUT:
		put_boot_interface(to, identity, 0, 0x82, 0);
		break;
	case DESCRIPTORS_WRONG_ENDPOINT:
		put_boot_interface(to, identity, 0, 0x82, 5);
		break;
	case DESCRIPTORS_THREE_INTERFACES:
		put_boot_interface(to, identity, 0, 0x82, 1);
		put_boot_interface(to, identity, 1, 0x84, 3);
		put_boot_interface(to, identity, 2, 0x86, 5);
		to->bytes[4] = 3;
		break;
	case DESCRIPTORS_GARBLED:
		break;
	}
	to->bytes[2] = (uint8_t)to->n;
}

/* Latin-1 is all there is. */
static void put_text(struct bytes *to, const char *text)
{
	uint8_t head[] = {(uint8_t)(2 + 2 * strlen(text)), TYPE_STRING};

	put(to, head, sizeof(head));
	for (; *text; text++)
		put(to, (uint8_t[]){(uint8_t)*text, 0}, 2);
}

static const char *product_of(const struct usb_identity *identity)
{
	switch (identity->product) {
	case 0x2763:
		return "BCM2708 Boot";
	case 0x2764:
		return "BCM2710 Boot";
	case 0x2712:
		return "BCM2712D0 Boot";
	}
	return "BCM2711 Boot";
}

static void put_string(struct bytes *to, const struct usb_identity *identity, uint8_t index)
{
	static const uint8_t languages[] = {4, TYPE_STRING, 0x09, 0x04};

	if (index == STRING_LANGUAGES)
		put(to, languages, sizeof(languages));
	else if (index == identity->serial_index)
		put_text(to, identity->serial);
	else if (index == STRING_VENDOR)
		put_text(to, "Broadcom");
	else if (index == STRING_PRODUCT)
		put_text(to, product_of(identity));
}

ssize_t descriptors_get(const struct usb_identity *identity, enum descriptors_shape shape,
	uint16_t value, void *buffer, size_t size)
{
	struct bytes made = {.n = 0};

	if (shape == DESCRIPTORS_GARBLED)
		return -EPROTO;
	switch (value >> 8) {
	case TYPE_DEVICE:
		put_device(&made, identity);
		break;
	case TYPE_CONFIGURATION:
		put_configuration(&made, identity, shape);
		if (size == 9 && shape == DESCRIPTORS_TRUE)
			made.bytes[2] = CLAIMED_LENGTH;
		break;
	case TYPE_STRING:
		put_string(&made, identity, value & 0xff);
		break;
	}
	if (made.n == 0)
		return -EPIPE;
	if (size > made.n)
		size = made.n;
	memcpy(buffer, made.bytes, size);
	return (ssize_t)size;
}
