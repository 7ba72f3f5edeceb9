#include <errno.h>
#include <string.h>

#include "disks.h"
#include "util/cleanup.h"

void fs_disks_init(struct fs_disks *disks)
{
	pthread_mutex_init(&disks->lock, NULL);
	disks->n = 0;
}

void fs_disks_fini(struct fs_disks *disks)
{
	pthread_mutex_destroy(&disks->lock);
}

static bool is_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return length > 0 && length < CM4_DISK_MAX && !name[length];
}

int fs_disks_number(struct fs_disks *disks, const char *name)
{
	if (!is_name(name))
		return -EINVAL;

	LOCKED(&disks->lock);
	for (unsigned i = 0; i < disks->n; i++)
		if (!strcmp(disks->names[i], name))
			return (int)i;
	if (disks->n == FS_INO_DISKS_MAX)
		return -ENOSPC;
	strcpy(disks->names[disks->n], name);
	return (int)disks->n++;
}

int fs_disks_name(struct fs_disks *disks, unsigned number, char ret_name[CM4_DISK_MAX])
{
	LOCKED(&disks->lock);
	if (number >= disks->n)
		return -ESTALE;
	strcpy(ret_name, disks->names[number]);
	return 0;
}
