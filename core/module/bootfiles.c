#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "boot/metadata.h"
#include "module/internal.h"
#include "payload/eeprom.h"
#include "payload/otp.h"
#include "payload/payload.h"
#include "payload/staged.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * Boot files for one module: what was staged for it, over the payload of all. What is served in one boot is fixed when
 * the ROM is served; what is staged later is for the next.
 */

#define QUIET_NS (2 * NS_PER_S) /* after the last file, a complete set is booted */

/* Whoever serves a module, while it does. */
static struct payload *base_of(struct cm4_module *module)
{
	return fleet_config(module->fleet)->payload;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && !strcasecmp(name + n - m, suffix);
}

/* What can be told of one file alone; all of a boot's files are looked at again before they are served. */
static bool burns(const char *path, const void *data, size_t size, struct otp_finding *finding)
{
	const char *name = name_of(path);

	if (has_suffix(name, ".txt"))
		return otp_scan(data, size, finding);
	if (!strcasecmp(name, "boot.img") || !strcasecmp(name, "bootfiles.bin"))
		return otp_scan_image(data, size, finding) != 0;
	return false;
}

static int refuse_to_burn(
	struct cm4_module *module, const char *path, const void *data, size_t size)
{
	struct otp_finding finding = {.key = "a key"};

	if (fleet_config(module->fleet)->allow_otp || !burns(path, data, size, &finding))
		return 0;
	journal_add(module->journal,
		"%s is refused: %s=%s would burn one-time-programmable memory; --allow-otp lets it "
		"through",
		path, finding.key, finding.value);
	return -EPERM;
}

/* Lock held. The set is looked at again, two seconds from now, if nothing else comes. */
static void wait_for_quiet(struct cm4_module *module)
{
	bool complete = !module->spent && staged_is_complete(module->staged);

	module->quiet_ns = complete && !module->n_staging ? clock_ns() + QUIET_NS : UINT64_MAX;
	module_wake(module);
}

void cm4_module_staging(struct cm4_module *module, bool begins)
{
	LOCKED(&module->lock);

	if (begins)
		module->n_staging++;
	else
		module->n_staging--;
	if (module->quiet_ns != UINT64_MAX || module->restaged)
		wait_for_quiet(module);
	if (!module->n_staging)
		module->restaged = false;
}

int cm4_module_stage(struct cm4_module *module, const char *path, void *data, size_t size)
{
	char message[256] = "";
	int r = refuse_to_burn(module, path, data, size);

	if (r < 0) {
		free(data);
		return r;
	}
	r = staged_adopt(module->staged, path, data, size, message, sizeof(message));
	if (r < 0) {
		journal_add(module->journal, "%s is not staged: %s", path,
			*message ? message : strerror(-r));
		return r;
	}
	journal_add(module->journal, "staged %s, %zu bytes", path, size);
	LOCKED(&module->lock);
	module->spent = false;
	module->restaged = true;
	wait_for_quiet(module);
	return module->left ? -ENODEV : 0;
}

void cm4_module_unstage(struct cm4_module *module, const char *path)
{
	if (staged_remove(module->staged, path) < 0)
		return;
	journal_add(module->journal, "%s is staged no more", path);
	LOCKED(&module->lock);
	if (module->quiet_ns != UINT64_MAX)
		wait_for_quiet(module);
}

void bootfiles_clear(struct cm4_module *module)
{
	staged_clear(module->staged);
	LOCKED(&module->lock);
	module->spent = false;
	module->restaged = false;
	module->quiet_ns = UINT64_MAX;
}

void bootfiles_quiet(struct cm4_module *module)
{
	bool boots;

	{
		LOCKED(&module->lock);
		module->quiet_ns = UINT64_MAX;
		boots = module->life.stage == CM4_STAGE_ROM &&
			module->life.state != CM4_STATE_BOOTING;
	}
	if (!boots)
		return;
	journal_add(module->journal, "the boot files that are staged are complete: booting");
	module_feed(module, LIFE_BOOT, 0, NULL);
}

/* @ret_payload: NULL where nothing is staged that serves. */
static int lay_over(struct cm4_module *module, const struct boot_chip *chip,
	struct payload **ret_payload, char *message, size_t size)
{
	struct payload *base = base_of(module);
	bool spent;
	int r;

	{
		LOCKED(&module->lock);
		spent = module->spent;
	}
	*ret_payload = NULL;
	if (spent || staged_count(module->staged) == 0)
		return 0;
	r = staged_check(module->staged, base, chip, message, size);
	return r < 0 ? r : staged_payload(module->staged, base, ret_payload, message, size);
}

void bootfiles_end(struct cm4_module *module)
{
	payload_free(module->overlay);
	module->overlay = NULL;
	module->serving = NULL;
}

int bootfiles_begin(
	struct cm4_module *module, const struct boot_chip *chip, char *message, size_t size)
{
	struct payload *payload;
	int r;

	bootfiles_end(module);
	{
		LOCKED(&module->lock);
		module->n_metadata = 0;
		module->asked_eeprom = false;
	}
	r = lay_over(module, chip, &module->overlay, message, size);
	if (r < 0)
		return r;
	payload = module->overlay ? module->overlay : base_of(module);
	if (!payload || !payload_serves(payload, chip))
		return -ENOPKG;
	if (!fleet_config(module->fleet)->allow_otp) {
		r = otp_check_payload(payload, chip, module->port, message, size);
		if (r < 0)
			return r;
	}
	module->serving = payload;
	return 0;
}

/* Lock held. Only recovery.bin asks for it, whether it is there or not. */
void bootfiles_notice_served(struct cm4_module *module, const char *name)
{
	if (!strcmp(name, "pieeprom.bin") || !strcmp(name, "pieeprom.upd"))
		module->asked_eeprom = true;
}

bool bootfiles_update(struct cm4_module *module, int *ret_result, char *message, size_t size)
{
	unsigned char hash[BOOT_EEPROM_HASH_SIZE];
	struct cm4_metadata metadata[CM4_METADATA_MAX];
	const struct boot_chip *chip;
	size_t n;
	int r;

	{
		LOCKED(&module->lock);
		if (!module->asked_eeprom || !module->serving)
			return false;
		chip = module->chip;
		n = module->n_metadata;
		memcpy(metadata, module->metadata, sizeof(metadata));
	}
	r = payload_eeprom_hash(module->serving, chip, module->port, hash);
	if (r < 0) {
		snprintf(message, size, "there was no pieeprom.bin for it to write");
		r = -EIO;
	} else {
		r = boot_eeprom_verdict(metadata, n, hash, message, size);
	}
	if (r == 0) {
		LOCKED(&module->lock);
		module->spent = true;
	}
	*ret_result = r;
	return true;
}
