#include <errno.h>

#include "ino.h"

#define MODULE_SHIFT 16
#define DISK_BASE    0x100u
#define DIR_BASE     0x300u
#define CONTROL_BASE 0x200u /* of index 1: the usual one, 0, is as any other kind */

uint64_t fs_ino_encode(struct fs_ino ino)
{
	uint64_t low = (unsigned)ino.kind;

	if (ino.kind == FS_KIND_DISK)
		low = DISK_BASE + ino.index;
	else if (ino.kind == FS_KIND_SUBDIR)
		low = DIR_BASE + ino.index;
	else if (ino.kind == FS_KIND_CONTROL && ino.index)
		low = CONTROL_BASE + ino.index;
	return ino.module << MODULE_SHIFT | low;
}

int fs_ino_decode(uint64_t number, struct fs_ino *ret_ino)
{
	struct fs_ino ino = {.module = number >> MODULE_SHIFT};
	unsigned low = number & 0xffff;

	if (number & FS_INO_DROP) {
		*ret_ino = (struct fs_ino){.kind = FS_KIND_DROP};
		return 0;
	}

	if (low >= DISK_BASE && low < DISK_BASE + FS_INO_DISKS_MAX) {
		ino.kind = FS_KIND_DISK;
		ino.index = low - DISK_BASE;
	} else if (low > DIR_BASE && low < DIR_BASE + FS_INO_DIRS_MAX) {
		ino.kind = FS_KIND_SUBDIR;
		ino.index = low - DIR_BASE;
	} else if (low > CONTROL_BASE && low < CONTROL_BASE + FS_INO_CONTROLS_MAX) {
		ino.kind = FS_KIND_CONTROL;
		ino.index = low - CONTROL_BASE;
	} else if (low >= FS_KIND_DIR && low < FS_KIND_DISK) {
		ino.kind = (enum fs_kind)low;
	} else {
		return -ESTALE;
	}
	*ret_ino = ino;
	return 0;
}
