#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "events.h"
#include "fs.h"
#include "handle.h"
#include "util/cleanup.h"

struct fs_handle *fs_handle_new(struct fs *fs, uint64_t ino, struct cm4_module *module,
	struct cm4_image *image, bool writable)
{
	struct fs_handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->ino = ino;
	handle->module = module;
	handle->image = image;
	handle->writable = writable;
	pthread_mutex_init(&handle->lock, NULL);
	if (image)
		cm4_image_open(image, writable);

	LOCKED(&fs->handles_lock);
	TAILQ_INSERT_TAIL(&fs->handles, handle, link);
	return handle;
}

static void destroy(struct fs_handle *handle)
{
	if (handle->image)
		cm4_image_close(handle->image, handle->writable);
	if (handle->stages)
		cm4_module_staging(handle->module, false);
	fs_events_close(handle->reader);
	cm4_image_unref(handle->image);
	fs_blob_unref(handle->blob);
	cm4_module_unref(handle->module);
	free(handle->text.data);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
}

void fs_handle_free(struct fs *fs, struct fs_handle *handle)
{
	if (!handle)
		return;
	{
		LOCKED(&fs->handles_lock);
		TAILQ_REMOVE(&fs->handles, handle, link);
	}
	destroy(handle);
}

void fs_handle_free_all(struct fs *fs)
{
	struct fs_handle *handle;

	while ((handle = TAILQ_FIRST(&fs->handles)))
		fs_handle_free(fs, handle);
}

static bool is_disk_of(const struct fs_handle *handle, uint64_t module)
{
	return handle->image && *handle->disk && cm4_module_id(handle->module) == module;
}

struct cm4_image *fs_handle_find_flash(struct fs *fs, uint64_t module, const char *disk)
{
	struct fs_handle *handle;

	LOCKED(&fs->handles_lock);
	TAILQ_FOREACH (handle, &fs->handles, link)
		if (is_disk_of(handle, module) && handle->flash && !strcmp(handle->disk, disk))
			return cm4_image_ref(handle->image);
	return NULL;
}

bool fs_handle_has_blob(struct fs *fs, uint64_t module)
{
	struct fs_handle *handle;

	LOCKED(&fs->handles_lock);
	TAILQ_FOREACH (handle, &fs->handles, link)
		if (handle->blob && handle->writable && cm4_module_id(handle->module) == module)
			return true;
	return false;
}

bool fs_handle_find_raw(struct fs *fs, uint64_t module, char ret_disk[CM4_DISK_MAX])
{
	const struct fs_handle *handle, *found = NULL;

	LOCKED(&fs->handles_lock);
	TAILQ_FOREACH (handle, &fs->handles, link) {
		if (!is_disk_of(handle, module) || handle->flash || !handle->writable)
			continue;
		if (found && strcmp(found->disk, handle->disk))
			return false;
		found = handle;
	}
	if (found)
		strcpy(ret_disk, found->disk);
	return found;
}
