#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dirs.h"
#include "util/cleanup.h"

#define BOOT "boot"

void fs_dirs_init(struct fs_dirs *dirs)
{
	pthread_mutex_init(&dirs->lock, NULL);
	strcpy(dirs->paths[FS_DIR_MODULE], "");
	strcpy(dirs->paths[FS_DIR_BOOT], BOOT);
	strcpy(dirs->paths[FS_DIR_TMP], ".~tmp~");
	dirs->n = FS_DIR_TMP + 1;
}

void fs_dirs_fini(struct fs_dirs *dirs)
{
	pthread_mutex_destroy(&dirs->lock);
}

/* Lock held. False: too long. */
static bool join(
	const struct fs_dirs *dirs, unsigned parent, const char *name, char path[FS_DIR_PATH])
{
	const char *before = dirs->paths[parent];
	int n = snprintf(path, FS_DIR_PATH, "%s%s%s", before, *before ? "/" : "", name);

	return n > 0 && n < FS_DIR_PATH;
}

/* Lock held. */
static int find(const struct fs_dirs *dirs, const char *path)
{
	for (unsigned i = 1; i < dirs->n; i++)
		if (!strcmp(dirs->paths[i], path))
			return (int)i;
	return -ENOENT;
}

int fs_dirs_find(struct fs_dirs *dirs, unsigned parent, const char *name)
{
	char path[FS_DIR_PATH];
	LOCKED(&dirs->lock);

	if (parent >= dirs->n || !join(dirs, parent, name, path))
		return -ENOENT;
	return find(dirs, path);
}

int fs_dirs_make(struct fs_dirs *dirs, unsigned parent, const char *name)
{
	char path[FS_DIR_PATH];
	LOCKED(&dirs->lock);
	int r;

	if (parent >= dirs->n)
		return -ESTALE;
	if (!join(dirs, parent, name, path))
		return -ENAMETOOLONG;
	r = find(dirs, path);
	if (r >= 0)
		return r;
	if (dirs->n == FS_INO_DIRS_MAX)
		return -ENOSPC;
	strcpy(dirs->paths[dirs->n], path);
	return (int)dirs->n++;
}

int fs_dirs_path(struct fs_dirs *dirs, unsigned number, char ret_path[FS_DIR_PATH])
{
	LOCKED(&dirs->lock);

	if (number >= dirs->n)
		return -ESTALE;
	strcpy(ret_path, dirs->paths[number]);
	return 0;
}

int fs_dirs_name_in(
	struct fs_dirs *dirs, unsigned number, unsigned parent, char ret_name[FS_DIR_PATH])
{
	const char *slash, *path;
	size_t length;
	LOCKED(&dirs->lock);

	if (number == FS_DIR_MODULE || number >= dirs->n || parent >= dirs->n)
		return -ENOENT;
	path = dirs->paths[number];
	slash = strrchr(path, '/');
	length = slash ? (size_t)(slash - path) : 0;
	if (strlen(dirs->paths[parent]) != length || strncmp(path, dirs->paths[parent], length))
		return -ENOENT;
	strcpy(ret_name, slash ? slash + 1 : path);
	return 0;
}

bool fs_dirs_is_boot(struct fs_dirs *dirs, unsigned number)
{
	LOCKED(&dirs->lock);

	return number < dirs->n && !strncmp(dirs->paths[number], BOOT, strlen(BOOT));
}
