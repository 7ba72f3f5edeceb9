#include <stdio.h>
#include <string.h>

#include "payload/layout.h"

static void add(struct layout *layout, const char *folder, const char *name)
{
	char *path = layout->paths[layout->n];
	int n = snprintf(path, LAYOUT_PATH_SIZE, "%s%s%s", folder, *folder ? "/" : "", name);

	if (n > 0 && n < LAYOUT_PATH_SIZE)
		layout->n++;
}

/*
 * The last one: the firmware `msd` of CM4 asks for start4.elf, and usbboot's directory has one
 * start.elf for all (rpiboot has that file built in under both names).
 */
void layout_fill(
	struct layout *layout, const struct boot_chip *chip, const char *port, const char *name)
{
	layout->n = 0;
	if (port && *port && !strchr(port, '/'))
		add(layout, port, name);
	add(layout, chip->prefix, name);
	add(layout, "", name);
	if (strcmp(chip->prefix, "2711") == 0 && strcmp(name, "start4.elf") == 0)
		add(layout, "", "start.elf");
}
