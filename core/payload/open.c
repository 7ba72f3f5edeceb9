#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "boot/chip.h"
#include "payload/directory.h"
#include "payload/linktext.h"
#include "payload/source.h"

/*
 * A payload is judged when it is opened, by a person at a prompt who can do something about it, and
 * not when a module has taken half of it.
 */

static int judge_file(
	const char *name, const char *path, struct payload_file *file, char *message, size_t size)
{
	char text[128];

	if (payload_file_size(file) == 0) {
		snprintf(message, size, "%s in %s is empty", name, path);
		return -EBADMSG;
	}
	if (linktext_detect(file, text, sizeof(text))) {
		linktext_explain(name, path, text, message, size);
		return -EBADMSG;
	}
	return 0;
}

/* 1: a sound second stage for @chip; 0: none. */
static int judge_chip(
	struct payload *payload, const struct boot_chip *chip, char *message, size_t size)
{
	struct payload_file *file;
	int r;

	r = payload->ops->find(payload, chip, NULL, chip->second_stage, &file);
	if (r == -ENOENT)
		return 0;
	if (r == -EXDEV) {
		snprintf(message, size, "%s in %s is a link to somewhere else: copy it with cp -L",
			chip->second_stage, payload->label);
		return -EINVAL;
	}
	if (r < 0) {
		snprintf(message, size, "%s in %s: %s", chip->second_stage, payload->label,
			strerror(-r));
		return r;
	}
	r = judge_file(chip->second_stage, payload->label, file, message, size);
	payload_file_close(file);
	return r < 0 ? r : 1;
}

static int judge(struct payload *payload, char *message, size_t size)
{
	const struct boot_chip *chip;
	int n_served = 0;

	for (size_t i = 0; (chip = boot_chip_at(i)); i++) {
		int r = judge_chip(payload, chip, message, size);

		if (r < 0)
			return r;
		n_served += r;
	}
	if (n_served > 0)
		return 0;

	snprintf(message, size,
		"%s holds no boot files: no bootcode4.bin, bootcode5.bin or bootcode.bin is in it",
		payload->label);
	return -EINVAL;
}

int payload_open(const char *path, struct payload **ret_payload, char *message, size_t size)
{
	struct payload *payload;
	int r;

	r = directory_new(path, &payload, message, size);
	if (r == 0) {
		r = judge(payload, message, size);
		if (r == 0)
			*ret_payload = payload;
		else
			payload_free(payload);
	}
	if (r < 0 && *message == '\0')
		snprintf(message, size, "%s: %s", path, strerror(-r));
	return r;
}
