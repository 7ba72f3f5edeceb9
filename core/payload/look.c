#include <time.h>

#include "boot/chip.h"
#include "payload/payload.h"

/* The file's date; 0: not known, or no such file. */
static time_t date_of(
	struct payload *payload, const struct boot_chip *chip, const char *name, bool *ret_found)
{
	struct payload_file *file;
	time_t date;

	*ret_found = payload_find(payload, chip, "", name, &file) == 0;
	if (!*ret_found)
		return 0;
	date = payload_file_date(file);
	payload_file_close(file);
	return date;
}

/*
 * The Linux gadget is a boot.img; the VPU's mass storage, without one, is start4.elf, which the package has as
 * start.elf (PROTOCOL, "Boot files"). Older chips have nothing else.
 */
void payload_look(
	struct payload *payload, const struct boot_chip *chip, struct payload_look *ret_look)
{
	static const char *const names[] = {"boot.img", "start4.elf", "start.elf", "bootfiles.bin"};
	bool found[4];
	time_t newest = date_of(payload, chip, chip->second_stage, &found[0]);

	for (size_t i = 0; i < 4; i++) {
		time_t date = date_of(payload, chip, names[i], &found[i]);

		if (date > newest)
			newest = date;
	}
	*ret_look = (struct payload_look){
		.vpu = chip->product >= 0x2711 && !found[0] && (found[1] || found[2]),
		.date = newest,
	};
}
