#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "boot/chip.h"
#include "payload/eeprom.h"
#include "payload/linktext.h"
#include "payload/source.h"
#include "payload/staged-set.h"
#include "util/hex.h"

/*
 * What can be told before a module has taken half of it. The firmware's own checks are as strict, but a module that
 * refuses a file blinks, or says nothing at all.
 */

struct check {
	const struct staged_snapshot *snapshot;
	struct payload *payload; /* the same, with what it lies over */
	const struct boot_chip *chip;
	char *message;
	size_t size;
};

static bool ends_with(const char *path, const char *end)
{
	size_t n = strlen(path), m = strlen(end);

	return n > m && strcmp(path + n - m, end) == 0;
}

/* A line of text that could be a link's is sound in a config.txt, and in none of these. */
static bool is_binary(const char *path)
{
	static const char *const ends[] = {".bin", ".elf", ".dat", ".img", ".upd"};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends_with(path, ends[i]))
			return true;
	return false;
}

static bool holds_link(const struct staged_blob *blob, char *text, size_t size)
{
	struct payload_file *file;
	bool detected;

	if (payload_file_new_memory(blob->data, blob->size, &file) < 0)
		return false;
	detected = linktext_detect(file, text, size);
	payload_file_close(file);
	return detected;
}

static int check_file(const struct check *check, const struct staged_file *staged)
{
	const struct staged_blob *blob = staged->blob;
	bool signs = ends_with(staged->path, ".sig");
	char text[80];

	if (!signs && !is_binary(staged->path))
		return 0;
	if (blob->size == 0) {
		snprintf(check->message, check->size, "%.96s is empty", staged->path);
		return -EBADMSG;
	}
	if (!holds_link(blob, text, sizeof(text)) || (signs && hex_span(text, strlen(text)) >= 64))
		return 0;
	linktext_explain(
		staged->path, payload_label(check->payload), text, check->message, check->size);
	return -EBADMSG;
}

static int check_files(const struct check *check)
{
	const struct staged_set *set = staged_snapshot_set(check->snapshot);
	int r = 0;

	for (size_t i = 0; r == 0 && i < set->n; i++)
		r = check_file(check, &set->files[i]);
	return r;
}

static int check_stage(const struct check *check)
{
	const char *recovery = eeprom_size(check->chip) > 0 ? ", or recovery.bin" : "";

	if (payload_serves(check->payload, check->chip))
		return 0;
	if (staged_snapshot_is_complete(check->snapshot))
		snprintf(check->message, check->size,
			"the staged files are for another chip: a %s boots from %s, alone or in "
			"bootfiles.bin%s",
			check->chip->name, check->chip->second_stage, recovery);
	else
		snprintf(check->message, check->size,
			"no second stage is staged: a %s boots from %s, alone or in "
			"bootfiles.bin%s",
			check->chip->name, check->chip->second_stage, recovery);
	return -ENOPKG;
}

static const struct staged_blob *find(const struct check *check, const char *name)
{
	return staged_snapshot_find(check->snapshot, check->chip, name);
}

static int check_image(const struct check *check, const char *name)
{
	const struct staged_blob *blob = find(check, name);
	uint64_t expected = eeprom_size(check->chip);

	if (!blob || expected == 0 || blob->size == expected)
		return 0;
	snprintf(check->message, check->size,
		"%s has %zu bytes, and the EEPROM of a %s takes %llu: it is another chip's, or was "
		"not copied whole",
		name, blob->size, check->chip->name, (unsigned long long)expected);
	return -EINVAL;
}

/* Its first line is the image's hash; what else is in it is the firmware's to judge. */
static int check_signature(const struct check *check)
{
	const struct staged_blob *image = find(check, "pieeprom.bin");
	const struct staged_blob *signature = find(check, "pieeprom.sig");
	unsigned char hash[EEPROM_HASH_SIZE], said[EEPROM_HASH_SIZE];
	int r;

	if (!image)
		image = find(check, "pieeprom.upd");
	if (!image || !signature || eeprom_size(check->chip) == 0)
		return 0;
	r = eeprom_hash(image->data, image->size, hash);
	if (r < 0)
		return r;
	if (signature->size >= 2 * sizeof(said) &&
		hex_decode(signature->data, sizeof(said), said) &&
		memcmp(said, hash, sizeof(hash)) == 0)
		return 0;
	snprintf(check->message, check->size,
		"pieeprom.sig does not belong to this pieeprom.bin: remove it, and one is made");
	return -EBADMSG;
}

static int check_boot_signature(const struct check *check)
{
	struct payload_file *file;
	int r;

	if (!find(check, "boot.sig"))
		return 0;
	r = payload_find(check->payload, check->chip, NULL, "boot.img", &file);
	if (r == 0) {
		payload_file_close(file);
		return 0;
	}
	if (r != -ENOENT)
		return r;
	snprintf(check->message, check->size,
		"boot.sig is the signature of a boot.img, and there is none");
	return -EINVAL;
}

static int check_all(const struct check *check)
{
	int r;

	r = check_files(check);
	if (r == 0)
		r = check_stage(check);
	if (r == 0)
		r = check_image(check, "pieeprom.bin");
	if (r == 0)
		r = check_image(check, "pieeprom.upd");
	if (r == 0)
		r = check_signature(check);
	if (r == 0)
		r = check_boot_signature(check);
	return r;
}

int staged_check(struct staged *staged, struct payload *base, const struct boot_chip *chip,
	char *message, size_t message_size)
{
	struct check check = {.chip = chip, .message = message, .size = message_size};
	struct staged_snapshot *snapshot;
	int r;

	r = staged_snapshot_new(staged, base, &snapshot, message, message_size);
	if (r == 0) {
		check.snapshot = snapshot;
		check.payload = staged_snapshot_payload(snapshot);
		r = check_all(&check);
		staged_snapshot_free(snapshot);
	}
	if (r < 0 && *message == '\0')
		snprintf(message, message_size, "%s", strerror(-r));
	return r;
}

bool staged_is_eeprom_update(struct staged *staged, const struct boot_chip *chip)
{
	struct staged_snapshot *snapshot;
	char message[256];
	bool is_update;

	if (staged_snapshot_new(staged, NULL, &snapshot, message, sizeof(message)) < 0)
		return false;
	is_update = staged_snapshot_is_eeprom_update(snapshot, chip);
	staged_snapshot_free(snapshot);
	return is_update;
}
