#include <stdio.h>
#include <string.h>
#include <time.h>

#include "module/internal.h"
#include "payload/payload.h"

/*
 * What is seen around a module, so that a failure can be explained by more than itself.
 */

#define DAY_S	    86400
#define PRODUCT_VPU 0x0001

/* Nobody asks for a file so often that is not locked. */
#define SIG_ASKED 16

/* CM4 and CM5: their ROMs do 480 Mbit/s, and there is a Linux gadget for them. */
static bool is_modern(const struct boot_chip *chip)
{
	return chip && (chip->product == 0x2711 || chip->product == 0x2712);
}

void module_notice_link(struct cm4_module *module, enum cm4_stage stage, unsigned mbps)
{
	/* CM4's start4.elf fetches loose files at full speed, and is well: only the ROM counts. */
	if (stage == CM4_STAGE_ROM && mbps)
		module->around.full_speed = is_modern(module->chip) && mbps <= 12;
}

void module_notice_disk(struct cm4_module *module, uint16_t product)
{
	module->around.vpu = is_modern(module->chip) && product == PRODUCT_VPU;
}

void module_notice_served(struct cm4_module *module, const char *name, bool found)
{
	if (strcmp(name, "boot.sig") != 0)
		return;
	module->sig_asked = found ? 0 : module->sig_asked + 1;
	module->around.asked_sig = module->sig_asked >= SIG_ASKED;
}

void module_notice_boot(struct cm4_module *module)
{
	module->sig_asked = 0;
	module->around.asked_sig = false;
}

void module_look_at_payload(struct payload *payload, struct payload_looks *ret)
{
	const struct boot_chip *chip;

	for (size_t i = 0; payload && i < MODULE_CHIPS_MAX && (chip = boot_chip_at(i)); i++)
		payload_look(payload, chip, &ret->of[i]);
}

struct payload_look module_payload_look(struct cm4_module *module)
{
	for (size_t i = 0; module->chip && i < MODULE_CHIPS_MAX && boot_chip_at(i); i++)
		if (boot_chip_at(i) == module->chip)
			return fleet_looks(module->fleet)->of[i];
	return (struct payload_look){0};
}

void module_describe(struct cm4_module *module, const char *detail)
{
	const struct life *life = &module->life;
	struct circumstances around = module->around;
	struct payload_look look = module_payload_look(module);
	int error = life->failure_error ? life->failure_error : failure_errno(life->failure);
	enum failure refined;
	char text[sizeof(module->failure.text)];

	around.stalled = stall_happened(&module->stall);
	around.old_payload = look.date && time(NULL) - look.date > (time_t)FAILURE_OLD_DAYS * DAY_S;
	refined = failure_refine(life->failure, &around);
	if (refined != life->failure && detail && *detail) {
		snprintf(text, sizeof(text), "%s (%s)", table_row(refined)->text, detail);
		detail = text;
	}
	failure_describe(refined, error, detail, &module->failure);
}
