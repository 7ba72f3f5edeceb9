#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "sim/medium.h"
#include "sim/model.h"
#include "sim/recovery.h"
#include "util/cleanup.h"

#define IMAGE_MAX (8u << 20) /* more of it is not kept, for it is refused all the same */

/* What no second attempt brings back. */
static const char *const irreversible[] = {
	"program_pubkey", "program_jtag_lock", "program_rpiboot_gpio", "revoke_devkey"};

#define N_IRREVERSIBLE (sizeof(irreversible) / sizeof(irreversible[0]))

void sim_recovery_reset(struct sim_recovery *recovery)
{
	free(recovery->image);
	recovery->image = NULL;
	recovery->size = 0;
	recovery->config[0] = '\0';
	recovery->signature[0] = '\0';
	recovery->digest[0] = '\0';
	recovery->update = SIM_UPDATE_NONE;
}

static void keep_text(char text[SIM_TEXT_MAX], uint64_t at, const void *data, size_t size)
{
	if (at >= SIM_TEXT_MAX - 1)
		return;
	if (size > SIM_TEXT_MAX - 1 - at)
		size = SIM_TEXT_MAX - 1 - at;
	memcpy(text + at, data, size);
	text[at + size] = '\0';
}

static void keep_image(struct sim_recovery *recovery, uint64_t at, const void *data, size_t size)
{
	unsigned char *image;

	if (at + size > IMAGE_MAX)
		return;
	image = realloc(recovery->image, at + size);
	if (!image)
		return;
	memcpy(image + at, data, size);
	recovery->image = image;
}

void sim_recovery_keep(
	struct sim_recovery *recovery, const char *name, uint64_t at, const void *data, size_t size)
{
	if (strcmp(name, "config.txt") == 0)
		keep_text(recovery->config, at, data, size);
	else if (strcmp(name, "pieeprom.sig") == 0)
		keep_text(recovery->signature, at, data, size);
	else if (strcmp(name, SIM_EEPROM_IMAGE) == 0)
		keep_image(recovery, at, data, size);
}

void sim_recovery_arrived(
	struct sim_recovery *recovery, const char *name, uint64_t size, const char *digest)
{
	if (strcmp(name, SIM_EEPROM_IMAGE) != 0)
		return;
	recovery->size = size;
	strcpy(recovery->digest, digest);
}

const char *sim_recovery_setting(const struct sim_recovery *recovery, const char *key)
{
	const char *line = recovery->config, *value = NULL;
	size_t n = strlen(key);

	while (*line) {
		line += strspn(line, " \t\r\n");
		if (strncmp(line, key, n) == 0 && line[n] == '=')
			value = line + n + 1;
		line += strcspn(line, "\n");
	}
	return value;
}

bool sim_recovery_is_set(const struct sim_recovery *recovery, const char *key)
{
	const char *value = sim_recovery_setting(recovery, key);

	return value && strtol(value, NULL, 0) != 0;
}

bool sim_recovery_reboots(const struct sim_recovery *recovery)
{
	return sim_recovery_is_set(recovery, "recovery_reboot");
}

/* The first thing in pieeprom.sig is the sum, in hex; ts: and rsa2048: follow it. */
static bool is_sound(const struct sim_recovery *recovery)
{
	size_t n = sizeof(recovery->digest) - 1;

	return recovery->image && recovery->size == recovery->model->eeprom &&
	       strspn(recovery->signature, "0123456789abcdefABCDEF") == n &&
	       strncasecmp(recovery->signature, recovery->digest, n) == 0;
}

void sim_recovery_decide(struct sim_recovery *recovery, struct sim_record *record)
{
	for (size_t i = 0; i < N_IRREVERSIBLE; i++) {
		if (sim_recovery_is_set(recovery, irreversible[i]))
			sim_record_add(record, SIM_EVENT_OTP, irreversible[i], 0, NULL);
	}
	/* Where it finds none it is content, and green (rpi-eeprom#735). */
	if (recovery->size == 0)
		return;
	if (recovery->has_fault && recovery->fault != SIM_EEPROM_MUTE)
		recovery->update =
			recovery->fault == SIM_EEPROM_FAILED ? SIM_UPDATE_FAILED : SIM_UPDATE_NONE;
	else
		recovery->update = is_sound(recovery) ? SIM_UPDATE_DUE : SIM_UPDATE_FAILED;
}

static int write_file(const char *path, const void *data, size_t size)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	for (size_t at = 0; fd >= 0 && at < size;) {
		ssize_t n = write(fd, (const char *)data + at, size - at);

		if (n < 0)
			return sim_medium_host_error();
		at += (size_t)n;
	}
	return fd < 0 ? sim_medium_host_error() : 0;
}

void sim_recovery_write(struct sim_recovery *recovery, const char *path, struct sim_record *record)
{
	if (recovery->update != SIM_UPDATE_DUE)
		return;
	if (path && write_file(path, recovery->image, recovery->size) < 0) {
		recovery->update = SIM_UPDATE_FAILED;
		return;
	}
	recovery->update = SIM_UPDATE_WRITTEN;
	sim_record_add(record, SIM_EVENT_EEPROM, NULL, recovery->size, recovery->digest);
	free(recovery->image);
	recovery->image = NULL;
}
