#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/chip.h"
#include "payload/bootfiles.h"
#include "payload/eeprom.h"
#include "payload/layout.h"
#include "payload/linktext.h"
#include "payload/source.h"
#include "payload/staged-set.h"
#include "util/cleanup.h"

/*
 * A snapshot is a source like a directory (directory.c), and looks in the same places in the same order. What is made
 * for it is made when it is: a payload does not change.
 */

#define BOOTFILES_NAME "bootfiles.bin"
#define RECOVERY_NAME  "recovery.bin"

/* Without it recovery.bin keeps to itself what it did (usbboot's recovery/config.txt). */
#define CONFIG_TEXT "recovery_metadata=1\n"

struct signature {
	const struct staged_blob *image;
	char text[EEPROM_SIG_SIZE];
	size_t size;
};

struct staged_snapshot {
	struct payload payload;
	struct payload *base; /* borrowed; NULL: none, or not asked */
	struct staged_set set;
	struct bootfiles *bootfiles; /* NULL without bootfiles.bin */
	struct signature *signatures;
	size_t n_signatures;
	bool complete;
	char label[320];
};

static void cleanup_snapshot(struct staged_snapshot **snapshot)
{
	staged_snapshot_free(*snapshot);
}

static bool is_in(const char *path, const char *folder, const char *name)
{
	size_t n = strlen(folder);

	if (strcmp(path, name) == 0)
		return true;
	return strncmp(path, folder, n) == 0 && path[n] == '/' && strcmp(path + n + 1, name) == 0;
}

bool staged_is_stage(const char *path)
{
	const struct boot_chip *chip;

	if (strcmp(path, BOOTFILES_NAME) == 0)
		return true;
	for (size_t i = 0; (chip = boot_chip_at(i)); i++)
		if (is_in(path, chip->prefix, chip->second_stage) ||
			(eeprom_size(chip) > 0 && is_in(path, chip->prefix, RECOVERY_NAME)))
			return true;
	return false;
}

static const struct staged_blob *find_loose(const struct staged_snapshot *snapshot,
	const struct boot_chip *chip, const char *port, const char *name)
{
	const struct staged_blob *blob = NULL;
	struct layout layout;

	layout_fill(&layout, chip, port, name);
	for (size_t i = 0; i < layout.n && !blob; i++)
		blob = staged_lookup(&snapshot->set, layout.paths[i]);
	return blob;
}

const struct staged_blob *staged_snapshot_find(
	const struct staged_snapshot *snapshot, const struct boot_chip *chip, const char *name)
{
	return find_loose(snapshot, chip, NULL, name);
}

static const struct staged_blob *find_image(
	const struct staged_snapshot *snapshot, const struct boot_chip *chip, const char *port)
{
	const struct staged_blob *image = find_loose(snapshot, chip, port, "pieeprom.bin");

	return image ? image : find_loose(snapshot, chip, port, "pieeprom.upd");
}

/* recovery.bin, where it stands in for the chip's second stage: it is there, and that is not. */
static const struct staged_blob *find_recovery(
	const struct staged_snapshot *snapshot, const struct boot_chip *chip)
{
	if (eeprom_size(chip) == 0 || find_loose(snapshot, chip, NULL, chip->second_stage))
		return NULL;
	return find_loose(snapshot, chip, NULL, RECOVERY_NAME);
}

static bool find_member(const struct staged_snapshot *snapshot, const struct boot_chip *chip,
	const char *name, const void **ret_data, size_t *ret_size)
{
	return snapshot->bootfiles &&
	       bootfiles_find(snapshot->bootfiles, chip->prefix, name, ret_data, ret_size);
}

/* bootfiles.bin goes before all but CHIP/NAME, which overrides it; and before none where a recovery.bin stands in. */
static bool find_staged(const struct staged_snapshot *snapshot, const struct boot_chip *chip,
	const char *port, const char *name, const void **ret_data, size_t *ret_size)
{
	const struct staged_blob *blob = NULL;
	struct layout layout;

	layout_fill(&layout, chip, NULL, name);
	if (snapshot->bootfiles && layout.n > 0)
		blob = staged_lookup(&snapshot->set, layout.paths[0]);
	if (!blob && strcmp(name, chip->second_stage) == 0)
		blob = find_recovery(snapshot, chip);
	if (!blob && find_member(snapshot, chip, name, ret_data, ret_size))
		return true;
	if (!blob)
		blob = find_loose(snapshot, chip, port, name);
	if (!blob)
		return false;
	*ret_data = blob->data;
	*ret_size = blob->size;
	return true;
}

static bool find_signature(const struct staged_snapshot *snapshot, const struct boot_chip *chip,
	const char *port, const void **ret_data, size_t *ret_size)
{
	const struct staged_blob *image = find_image(snapshot, chip, port);

	for (size_t i = 0; image && i < snapshot->n_signatures; i++)
		if (snapshot->signatures[i].image == image) {
			*ret_data = snapshot->signatures[i].text;
			*ret_size = snapshot->signatures[i].size;
			return true;
		}
	return false;
}

static bool find_made(const struct staged_snapshot *snapshot, const struct boot_chip *chip,
	const char *port, const char *name, const void **ret_data, size_t *ret_size)
{
	if (strcmp(name, "pieeprom.sig") == 0)
		return find_signature(snapshot, chip, port, ret_data, ret_size);
	if (strcmp(name, "config.txt") == 0 && staged_snapshot_is_eeprom_update(snapshot, chip)) {
		*ret_data = CONFIG_TEXT;
		*ret_size = sizeof(CONFIG_TEXT) - 1;
		return true;
	}
	return false;
}

static int snapshot_find(struct payload *payload, const struct boot_chip *chip, const char *port,
	const char *name, struct payload_file **ret_file)
{
	const struct staged_snapshot *snapshot = (const struct staged_snapshot *)payload;
	const void *data;
	size_t size;

	if (find_staged(snapshot, chip, port, name, &data, &size) ||
		find_made(snapshot, chip, port, name, &data, &size))
		return payload_file_new_memory(data, size, ret_file);
	if (!snapshot->base)
		return -ENOENT;
	return snapshot->base->ops->find(snapshot->base, chip, port, name, ret_file);
}

static void snapshot_free(struct payload *payload)
{
	staged_snapshot_free((struct staged_snapshot *)payload);
}

static const struct payload_ops snapshot_ops = {
	.find = snapshot_find,
	.free = snapshot_free,
};

void staged_snapshot_free(struct staged_snapshot *snapshot)
{
	if (!snapshot)
		return;
	bootfiles_free(snapshot->bootfiles);
	free(snapshot->signatures);
	staged_drop(&snapshot->set);
	free(snapshot);
}

struct payload *staged_snapshot_payload(struct staged_snapshot *snapshot)
{
	return &snapshot->payload;
}

const struct staged_set *staged_snapshot_set(const struct staged_snapshot *snapshot)
{
	return &snapshot->set;
}

bool staged_snapshot_is_complete(const struct staged_snapshot *snapshot)
{
	return snapshot->complete;
}

/*
 * recovery.bin may be called anything that a second stage is, so what lies beside it tells. An image of the EEPROM may
 * have been left lying beside another payload: then the second stage is in bootfiles.bin, or boots a boot.img.
 */
bool staged_snapshot_is_eeprom_update(
	const struct staged_snapshot *snapshot, const struct boot_chip *chip)
{
	const struct staged_blob *stage = find_loose(snapshot, chip, NULL, chip->second_stage);
	const void *data;
	size_t size;

	if (eeprom_size(chip) == 0 || !find_image(snapshot, chip, NULL))
		return false;
	if (find_recovery(snapshot, chip))
		return true;
	return stage && !find_loose(snapshot, chip, NULL, "boot.img") &&
	       find_staged(snapshot, chip, NULL, chip->second_stage, &data, &size) &&
	       data == stage->data;
}

static int load_bootfiles(struct staged_snapshot *snapshot, char *message, size_t message_size)
{
	const struct staged_blob *blob = staged_lookup(&snapshot->set, BOOTFILES_NAME);
	struct payload_file *file;
	char reason[128];
	int r;

	if (!blob)
		return 0;
	r = payload_file_new_memory(blob->data, blob->size, &file);
	if (r < 0)
		return r;
	r = bootfiles_load(file, &snapshot->bootfiles, reason, sizeof(reason));
	if (r == -EBADMSG && linktext_detect(file, reason, sizeof(reason)))
		linktext_explain(BOOTFILES_NAME, snapshot->label, reason, message, message_size);
	else if (r == -EBADMSG)
		snprintf(message, message_size, BOOTFILES_NAME " is no sound tar: %s", reason);
	payload_file_close(file);
	return r;
}

static int make_signature(struct staged_snapshot *snapshot, const struct staged_blob *image)
{
	struct signature *signature = &snapshot->signatures[snapshot->n_signatures];
	unsigned char hash[EEPROM_HASH_SIZE];
	int r;

	r = eeprom_hash(image->data, image->size, hash);
	if (r < 0)
		return r;
	signature->image = image;
	signature->size = eeprom_sign(hash, image->date, signature->text);
	snapshot->n_signatures++;
	return 0;
}

/* For each image; whichever of them is asked for. */
static int make_signatures(struct staged_snapshot *snapshot)
{
	const struct staged_set *set = &snapshot->set;
	int r = 0;

	snapshot->signatures = calloc(set->n + 1, sizeof(snapshot->signatures[0]));
	if (!snapshot->signatures)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < set->n; i++) {
		const char *name = staged_name(set->files[i].path);

		if (strcmp(name, "pieeprom.bin") == 0 || strcmp(name, "pieeprom.upd") == 0)
			r = make_signature(snapshot, set->files[i].blob);
	}
	return r;
}

static void take(struct staged_snapshot *snapshot, struct staged *staged, struct payload *base)
{
	struct staged_set *set = &snapshot->set;

	staged_copy(staged, set);
	for (size_t i = 0; i < set->n; i++)
		if (staged_is_stage(set->files[i].path))
			snapshot->complete = true;
	snapshot->base = snapshot->complete ? NULL : base;
	if (snapshot->base)
		snprintf(snapshot->label, sizeof(snapshot->label), "%s, under staged files",
			payload_label(base));
	else
		snprintf(snapshot->label, sizeof(snapshot->label), "staged files");
}

int staged_snapshot_new(struct staged *staged, struct payload *base,
	struct staged_snapshot **ret_snapshot, char *message, size_t message_size)
{
	_cleanup_(cleanup_snapshot) struct staged_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	int r;

	*message = '\0';
	if (!snapshot)
		return -ENOMEM;
	snapshot->payload.ops = &snapshot_ops;
	snapshot->payload.label = snapshot->label;
	take(snapshot, staged, base);
	r = load_bootfiles(snapshot, message, message_size);
	if (r == 0)
		r = make_signatures(snapshot);
	if (r < 0)
		return r;
	*ret_snapshot = snapshot;
	snapshot = NULL;
	return 0;
}

int staged_payload(struct staged *staged, struct payload *base, struct payload **ret_payload,
	char *message, size_t message_size)
{
	struct staged_snapshot *snapshot;
	int r;

	r = staged_snapshot_new(staged, base, &snapshot, message, message_size);
	if (r < 0 && *message == '\0')
		snprintf(message, message_size, "%s", strerror(-r));
	if (r == 0)
		*ret_payload = &snapshot->payload;
	return r;
}
