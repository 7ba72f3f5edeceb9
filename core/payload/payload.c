#include <errno.h>
#include <string.h>

#include "boot/chip.h"
#include "payload/source.h"

#define NAME_SIZE_MAX 256 /* a file message's name, with its NUL */

void payload_free(struct payload *payload)
{
	if (payload)
		payload->ops->free(payload);
}

const char *payload_label(const struct payload *payload)
{
	return payload->label;
}

bool payload_is_second_stage(const char *name)
{
	const struct boot_chip *chip;

	for (size_t i = 0; (chip = boot_chip_at(i)); i++)
		if (strcmp(chip->second_stage, name) == 0)
			return true;
	return false;
}

/*
 * The kernel confines whatever is opened (confine.h), so this is the outer of two fences. It also
 * holds for sources that are no directories.
 */
static bool is_harmless(const char *name)
{
	size_t size = strlen(name) + 1;

	if (size == 1 || size > NAME_SIZE_MAX || name[0] == '/')
		return false;
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	for (const char *part = name; part; part = strchr(part, '/')) {
		part += strspn(part, "/");
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return false;
	}
	return true;
}

static int find(struct payload *payload, const struct boot_chip *chip, const char *port,
	const char *name, struct payload_file **ret_file)
{
	int r = payload->ops->find(payload, chip, port, name, ret_file);

	return r == -EXDEV ? -ENOENT : r;
}

int payload_find(struct payload *payload, const struct boot_chip *chip, const char *port,
	const char *name, struct payload_file **ret_file)
{
	if (!is_harmless(name))
		return -ENOENT;
	return find(payload, chip, payload_is_second_stage(name) ? NULL : port, name, ret_file);
}

int payload_find_second_stage(
	struct payload *payload, const struct boot_chip *chip, struct payload_file **ret_file)
{
	return find(payload, chip, NULL, chip->second_stage, ret_file);
}

bool payload_serves(struct payload *payload, const struct boot_chip *chip)
{
	struct payload_file *file;

	if (payload_find_second_stage(payload, chip, &file) < 0)
		return false;
	payload_file_close(file);
	return true;
}
