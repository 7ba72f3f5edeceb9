#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "name.h"

#define DISK_SUFFIX ".img"

static const char *const fixed[] = {"DETAILS.TXT", "FAIL.TXT", "DIAGNOSIS.TXT", "status.json",
	"events", "log", "control", "boot", ".~tmp~", NULL};

/* FNM_CASEFOLD: the systems these come from do not tell case apart. */
static const char *const junk[] = {".Trash", ".Trash-*", ".Trashes", "._*", ".DS_Store",
	"Thumbs.db", "ehthumbs.db", "desktop.ini", "autorun.inf", "System Volume Information",
	"$RECYCLE.BIN", ".fseventsd", ".Spotlight-V100", ".TemporaryItems", ".apdisk",
	".metadata_never_index", ".hidden", ".directory", ".xdg-volume-info", ".sh_thumbnails",
	".fuse_hidden*", ".nfs*", NULL};

/* To flash aria2's own control file would be a disaster. */
static const char *const companions[] = {"*.aria2", "*.aria2__temp", NULL};

static const char *const boot[] = {"bootcode.bin", "bootcode4.bin", "bootcode5.bin",
	"bootfiles.bin", "boot.img", "boot.sig", "config.txt", "cmdline.txt", "start*.elf",
	"fixup*.dat", "pieeprom.bin", "pieeprom.sig", "pieeprom.upd", "recovery.bin", NULL};

static bool matches(const char *const *patterns, const char *name, int flags)
{
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, name, flags))
			return true;
	return false;
}

void fs_name_base(const char *name, char base[CM4_LABEL_MAX])
{
	size_t length = strlen(name);

	snprintf(base, CM4_LABEL_MAX, "%s", name);
	if (length >= CM4_LABEL_MAX)
		return;
	if (length > 8 && name[0] == '.' && name[length - 7] == '.') {
		for (size_t i = length - 6; i < length; i++)
			if (!isalnum((unsigned char)name[i]))
				return;
		memcpy(base, name + 1, length - 8);
		base[length - 8] = '\0';
	} else if (length > 5 && !strcmp(name + length - 5, ".part")) {
		base[length - 5] = '\0';
	}
}

/* As modules name them: mmcblk0, mmcblk0boot0, nvme0n1, sda. */
static bool is_disk(const char *name)
{
	char end;
	unsigned a, b;

	return sscanf(name, "mmcblk%u%c", &a, &end) == 1 ||
	       sscanf(name, "mmcblk%uboot%u%c", &a, &b, &end) == 2 ||
	       sscanf(name, "nvme%un%u%c", &a, &b, &end) == 2 ||
	       (strlen(name) == 3 && !strncmp(name, "sd", 2) && islower((unsigned char)name[2]));
}

static bool is_disk_image(const char *name, char disk[CM4_DISK_MAX])
{
	size_t length = strlen(name), suffix = strlen(DISK_SUFFIX);

	if (length <= suffix || length - suffix >= CM4_DISK_MAX ||
		strcmp(name + length - suffix, DISK_SUFFIX))
		return false;
	memcpy(disk, name, length - suffix);
	disk[length - suffix] = '\0';
	return is_disk(disk);
}

enum fs_name fs_name_judge(const char *name, char ret_disk[CM4_DISK_MAX])
{
	char base[CM4_LABEL_MAX], disk[CM4_DISK_MAX];

	if (matches(junk, name, FNM_CASEFOLD))
		return FS_NAME_JUNK;
	fs_name_base(name, base);
	if (matches(junk, base, FNM_CASEFOLD))
		return FS_NAME_JUNK;
	if (matches(fixed, base, 0))
		return FS_NAME_FIXED;
	if (cm4_is_sidecar(base))
		return FS_NAME_SIDECAR;
	if (matches(companions, base, 0))
		return FS_NAME_COMPANION;
	if (matches(boot, base, 0))
		return FS_NAME_BOOT;
	if (is_disk_image(base, disk)) {
		if (ret_disk)
			memcpy(ret_disk, disk, sizeof(disk));
		return FS_NAME_DISK;
	}
	return FS_NAME_IMAGE;
}

int fs_name_error(enum fs_name kind)
{
	switch (kind) {
	case FS_NAME_IMAGE:
	case FS_NAME_DISK:
	case FS_NAME_SIDECAR:
	case FS_NAME_BOOT:
		return 0;
	case FS_NAME_FIXED:
	case FS_NAME_JUNK:
		return -EPERM;
	case FS_NAME_COMPANION:
		return -EOPNOTSUPP;
	}
	return -EPERM;
}
