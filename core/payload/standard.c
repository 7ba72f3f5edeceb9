#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/chip.h"
#include "payload/source.h"
#include "payload/standard.h"
#include "util/cleanup.h"

/*
 * Where packages put boot files. The Linux gadget goes before the VPU's own mass storage on every
 * prefix: it is faster, and the latter loses the bus on a CM4 with current firmware (usbboot#391).
 *
 * But the gadget has no second stage for CM1 and CM3. So the places stand one behind the other:
 * each chip is served by the first of them that knows it, and by that one alone, for files of two
 * sets do not go together.
 */
static const char *const standard_places[] = {
	"/usr/local/share/rpiboot/mass-storage-gadget64",
	"/usr/local/share/mass-storage-gadget64",
	"/usr/share/rpiboot/mass-storage-gadget64",
	"/usr/share/mass-storage-gadget64",
	"/usr/local/share/rpiboot/msd",
	"/usr/local/share/msd",
	"/usr/share/rpiboot/msd",
	"/usr/share/msd",
	NULL,
};

#define CHIPS_MAX 8

struct standard {
	struct payload payload;
	char label[512];
	struct payload *places[CHIPS_MAX]; /* each serves a chip that none before it does */
	size_t n;
};

static struct payload *place_of(const struct standard *standard, const struct boot_chip *chip)
{
	for (size_t i = 0; i < standard->n; i++)
		if (payload_serves(standard->places[i], chip))
			return standard->places[i];
	return NULL;
}

static int standard_find(struct payload *payload, const struct boot_chip *chip, const char *port,
	const char *name, struct payload_file **ret_file)
{
	struct payload *place = place_of((const struct standard *)payload, chip);

	return place ? place->ops->find(place, chip, port, name, ret_file) : -ENOENT;
}

static void standard_free(struct payload *payload)
{
	struct standard *standard = (struct standard *)payload;

	for (size_t i = 0; i < standard->n; i++)
		payload_free(standard->places[i]);
	free(standard);
}

static const struct payload_ops standard_ops = {
	.find = standard_find,
	.free = standard_free,
};

static void append(char *text, size_t size, const char *separator, const char *more)
{
	size_t n = strlen(text);

	if (n < size)
		snprintf(text + n, size - n, "%s%s", n > 0 ? separator : "", more);
}

static bool serves_more(const struct standard *standard, struct payload *place)
{
	const struct boot_chip *chip;

	for (size_t i = 0; (chip = boot_chip_at(i)); i++)
		if (!place_of(standard, chip) && payload_serves(place, chip))
			return true;
	return false;
}

static void take(struct standard *standard, struct payload *place)
{
	if (standard->n == CHIPS_MAX || !serves_more(standard, place)) {
		payload_free(place);
		return;
	}
	standard->places[standard->n++] = place;
	append(standard->label, sizeof(standard->label), ", ", payload_label(place));
}

/* What is there and does not open is passed over, and told; what is not there is passed over. */
static int try_places(
	struct standard *standard, const char *const *places, char *message, size_t size)
{
	int first_error = -ENOENT;

	for (size_t i = 0; places[i]; i++) {
		struct payload *place;
		char sentence[256];
		int r = payload_open(places[i], &place, sentence, sizeof(sentence));

		if (r == 0) {
			take(standard, place);
		} else if (r != -ENOENT) {
			append(message, size, "; ", sentence);
			if (first_error == -ENOENT)
				first_error = r;
		}
	}
	return standard->n > 0 ? 0 : first_error;
}

int standard_open(
	const char *const *places, struct payload **ret_payload, char *message, size_t size)
{
	struct standard *standard = calloc(1, sizeof(*standard));
	int r;

	*message = '\0';
	if (!standard)
		return -ENOMEM;
	standard->payload.ops = &standard_ops;
	standard->payload.label = standard->label;

	r = try_places(standard, places, message, size);
	if (r == 0) {
		*ret_payload = &standard->payload;
		return 0;
	}
	if (r == -ENOENT)
		snprintf(message, size,
			"no boot files on this host: none in %s, nor in the other standard places; "
			"install the package rpiboot, or say --payload=DIR",
			places[0] ? places[0] : "any place");
	standard_free(&standard->payload);
	return r;
}

int payload_open_standard(struct payload **ret_payload, char *message, size_t size)
{
	return standard_open(standard_places, ret_payload, message, size);
}
