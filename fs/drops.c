#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blob.h"
#include "dirs.h"
#include "drops.h"
#include "ino.h"
#include "util/cleanup.h"

/*
 * Few files and fewer modules: lists that are searched from end to end. What dies under the lock
 * is buried after it, for an image's last reference may be ours, and its end is not to be ours to
 * wait for.
 */

struct fs_drop {
	TAILQ_ENTRY(fs_drop) link;
	uint64_t ino;
	uint64_t known; /* how often the kernel was told of it */
	bool named;
	struct fs_place place;
	char name[CM4_LABEL_MAX];
	char disk[CM4_DISK_MAX];
	struct cm4_image *image; /* one of these */
	struct fs_blob *blob;
	struct timespec atime, mtime;
};

struct fs_made {
	TAILQ_ENTRY(fs_made) link;
	struct fs_place place;
};

static void bury(struct fs_drop_list *dead)
{
	struct fs_drop *drop;

	while ((drop = TAILQ_FIRST(dead))) {
		TAILQ_REMOVE(dead, drop, link);
		cm4_image_unref(drop->image);
		fs_blob_unref(drop->blob);
		free(drop);
	}
}

void fs_drops_init(struct fs_drops *drops)
{
	pthread_mutex_init(&drops->lock, NULL);
	TAILQ_INIT(&drops->files);
	TAILQ_INIT(&drops->dirs);
	drops->next = 0;
}

void fs_drops_fini(struct fs_drops *drops)
{
	struct fs_made *made;

	bury(&drops->files);
	while ((made = TAILQ_FIRST(&drops->dirs))) {
		TAILQ_REMOVE(&drops->dirs, made, link);
		free(made);
	}
	pthread_mutex_destroy(&drops->lock);
}

void fs_drop_view_put(struct fs_drop_view *view)
{
	cm4_image_unref(view->image);
	fs_blob_unref(view->blob);
	view->image = NULL;
	view->blob = NULL;
}

static void view_get(const struct fs_drop *drop, struct fs_drop_view *ret_view)
{
	*ret_view = (struct fs_drop_view){
		.ino = drop->ino,
		.place = drop->place,
		.named = drop->named,
		.image = drop->image ? cm4_image_ref(drop->image) : NULL,
		.blob = drop->blob ? fs_blob_ref(drop->blob) : NULL,
		.atime = drop->atime,
		.mtime = drop->mtime,
	};
	strcpy(ret_view->name, drop->name);
	strcpy(ret_view->disk, drop->disk);
}

static bool same(struct fs_place a, struct fs_place b)
{
	return a.module == b.module && a.dir == b.dir;
}

static bool is_superseded(const struct fs_drop *drop)
{
	struct cm4_image_attr attr;

	if (!drop->image)
		return false;
	cm4_image_getattr(drop->image, &attr);
	return attr.superseded;
}

static struct fs_drop *find_name(struct fs_drops *drops, struct fs_place place, const char *name)
{
	struct fs_drop *drop;

	TAILQ_FOREACH (drop, &drops->files, link)
		if (drop->named && same(drop->place, place) && !strcmp(drop->name, name))
			return is_superseded(drop) ? NULL : drop;
	return NULL;
}

static struct fs_drop *find_ino(struct fs_drops *drops, uint64_t ino)
{
	struct fs_drop *drop;

	TAILQ_FOREACH (drop, &drops->files, link)
		if (drop->ino == ino)
			return drop;
	return NULL;
}

static void kill_unused(struct fs_drops *drops, struct fs_drop *drop, struct fs_drop_list *dead)
{
	if (drop->named || drop->known)
		return;
	TAILQ_REMOVE(&drops->files, drop, link);
	TAILQ_INSERT_TAIL(dead, drop, link);
}

static void unname(struct fs_drops *drops, struct fs_drop *drop, struct fs_drop_list *dead)
{
	drop->named = false;
	kill_unused(drops, drop, dead);
}

/* Boot files in their own directories are counted by whoever stages them. */
static bool is_beside_images(struct fs_place place)
{
	return place.dir == FS_DIR_MODULE || place.dir == FS_DIR_TMP;
}

static size_t count_names(struct fs_drops *drops, uint64_t module, bool blobs)
{
	struct fs_drop *drop;
	size_t n = 0;

	TAILQ_FOREACH (drop, &drops->files, link)
		n += drop->named && drop->place.module == module &&
		     (!blobs || (drop->blob && is_beside_images(drop->place)));
	return n;
}

/* Takes a reference to one of @image and @blob. */
static int add(struct fs_drops *drops, struct fs_place place, const char *name, const char *disk,
	struct cm4_image *image, struct fs_blob *blob, struct fs_drop_view *ret_view)
{
	struct fs_drop *drop;

	LOCKED(&drops->lock);
	if (find_name(drops, place, name))
		return -EEXIST;
	if (count_names(drops, place.module, false) >= FS_DROPS_MAX ||
		(blob && is_beside_images(place) &&
			count_names(drops, place.module, true) >= FS_BLOBS_MAX))
		return -ENOSPC;
	drop = calloc(1, sizeof(*drop));
	if (!drop)
		return -ENOMEM;
	drop->ino = FS_INO_DROP | ++drops->next;
	drop->known = 1;
	drop->named = true;
	drop->place = place;
	snprintf(drop->name, sizeof(drop->name), "%s", name);
	snprintf(drop->disk, sizeof(drop->disk), "%s", disk);
	drop->image = image ? cm4_image_ref(image) : NULL;
	drop->blob = blob ? fs_blob_ref(blob) : NULL;
	clock_gettime(CLOCK_REALTIME, &drop->mtime);
	drop->atime = drop->mtime;
	TAILQ_INSERT_TAIL(&drops->files, drop, link);
	view_get(drop, ret_view);
	return 0;
}

int fs_drops_add(struct fs_drops *drops, struct fs_place place, const char *name, const char *disk,
	struct cm4_image *image, struct fs_drop_view *ret_view)
{
	return add(drops, place, name, disk, image, NULL, ret_view);
}

int fs_drops_add_blob(struct fs_drops *drops, struct fs_place place, const char *name,
	struct fs_blob *blob, struct fs_drop_view *ret_view)
{
	return add(drops, place, name, "", NULL, blob, ret_view);
}

int fs_drops_lookup(struct fs_drops *drops, struct fs_place place, const char *name,
	struct fs_drop_view *ret_view)
{
	struct fs_drop *drop;

	LOCKED(&drops->lock);
	drop = find_name(drops, place, name);
	if (!drop)
		return -ENOENT;
	drop->known++;
	view_get(drop, ret_view);
	return 0;
}

bool fs_drops_exists(struct fs_drops *drops, struct fs_place place, const char *name)
{
	LOCKED(&drops->lock);
	return find_name(drops, place, name);
}

int fs_drops_get(struct fs_drops *drops, uint64_t ino, struct fs_drop_view *ret_view)
{
	struct fs_drop *drop;

	LOCKED(&drops->lock);
	drop = find_ino(drops, ino);
	if (!drop)
		return -ESTALE;
	view_get(drop, ret_view);
	return 0;
}

void fs_drops_forget(struct fs_drops *drops, uint64_t ino, uint64_t n)
{
	struct fs_drop_list dead = TAILQ_HEAD_INITIALIZER(dead);

	{
		struct fs_drop *drop;

		LOCKED(&drops->lock);
		drop = find_ino(drops, ino);
		if (drop) {
			drop->known -= n < drop->known ? n : drop->known;
			kill_unused(drops, drop, &dead);
		}
	}
	bury(&dead);
}

void fs_drops_each(struct fs_drops *drops, struct fs_place place,
	bool (*each)(void *data, uint64_t ino, const char *name), void *data)
{
	struct fs_drop *drop;

	LOCKED(&drops->lock);
	TAILQ_FOREACH (drop, &drops->files, link)
		if (drop->named && same(drop->place, place) && !is_superseded(drop))
			if (!each(data, drop->ino, drop->name))
				return;
}

int fs_drops_unlink(struct fs_drops *drops, struct fs_place place, const char *name)
{
	struct fs_drop_list dead = TAILQ_HEAD_INITIALIZER(dead);
	int r = -ENOENT;

	{
		struct fs_drop *drop;

		LOCKED(&drops->lock);
		drop = find_name(drops, place, name);
		if (drop) {
			unname(drops, drop, &dead);
			r = 0;
		}
	}
	bury(&dead);
	return r;
}

int fs_drops_rename(struct fs_drops *drops, struct fs_place from, const char *name,
	struct fs_place to, const char *to_name, struct fs_drop_view *ret_view)
{
	struct fs_drop_list dead = TAILQ_HEAD_INITIALIZER(dead);
	int r = -ENOENT;

	{
		struct fs_drop *drop, *old;

		LOCKED(&drops->lock);
		drop = find_name(drops, from, name);
		if (drop) {
			old = to_name ? find_name(drops, to, to_name) : NULL;
			if (old && old != drop)
				unname(drops, old, &dead);
			view_get(drop, ret_view);
			if (to_name) {
				drop->place = to;
				snprintf(drop->name, sizeof(drop->name), "%s", to_name);
			} else {
				unname(drops, drop, &dead);
			}
			r = 0;
		}
	}
	bury(&dead);
	return r;
}

void fs_drops_set_times(struct fs_drops *drops, uint64_t ino, const struct timespec *atime,
	const struct timespec *mtime)
{
	struct fs_drop *drop;

	LOCKED(&drops->lock);
	drop = find_ino(drops, ino);
	if (drop && atime)
		drop->atime = *atime;
	if (drop && mtime)
		drop->mtime = *mtime;
}

static struct fs_made *find_made(struct fs_drops *drops, struct fs_place place)
{
	struct fs_made *made;

	TAILQ_FOREACH (made, &drops->dirs, link)
		if (same(made->place, place))
			return made;
	return NULL;
}

static bool is_fixed(struct fs_place place)
{
	return place.dir == FS_DIR_MODULE || place.dir == FS_DIR_BOOT;
}

bool fs_drops_has_dir(struct fs_drops *drops, struct fs_place place)
{
	LOCKED(&drops->lock);

	return is_fixed(place) || find_made(drops, place);
}

int fs_drops_mkdir(struct fs_drops *drops, struct fs_place place)
{
	struct fs_made *made;
	size_t n = 0;

	LOCKED(&drops->lock);
	if (is_fixed(place) || find_made(drops, place))
		return -EEXIST;
	TAILQ_FOREACH (made, &drops->dirs, link)
		n += made->place.module == place.module;
	if (n >= FS_DIRS_MAX)
		return -ENOSPC;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->place = place;
	TAILQ_INSERT_TAIL(&drops->dirs, made, link);
	return 0;
}

static void remove_made(struct fs_drops *drops, struct fs_made *made)
{
	TAILQ_REMOVE(&drops->dirs, made, link);
	free(made);
}

int fs_drops_rmdir(struct fs_drops *drops, struct fs_place place)
{
	struct fs_made *made;
	struct fs_drop *drop;

	LOCKED(&drops->lock);
	made = find_made(drops, place);
	if (!made)
		return -ENOENT;
	TAILQ_FOREACH (drop, &drops->files, link)
		if (drop->named && same(drop->place, place) && !is_superseded(drop))
			return -ENOTEMPTY;
	remove_made(drops, made);
	return 0;
}

void fs_drops_each_dir(
	struct fs_drops *drops, uint64_t module, bool (*each)(void *data, unsigned dir), void *data)
{
	struct fs_made *made;

	LOCKED(&drops->lock);
	TAILQ_FOREACH (made, &drops->dirs, link)
		if (made->place.module == module && !each(data, made->place.dir))
			return;
}

/* All that were made in a module; @boot: but for rsync's own. */
static void remove_dirs(struct fs_drops *drops, uint64_t module, bool boot)
{
	struct fs_made *made, *next;

	for (made = TAILQ_FIRST(&drops->dirs); made; made = next) {
		next = TAILQ_NEXT(made, link);
		if (made->place.module == module && !(boot && made->place.dir == FS_DIR_TMP))
			remove_made(drops, made);
	}
}

/* Takes the names away from every file that @dies says. */
static void unname_if(struct fs_drops *drops,
	bool (*dies)(const struct fs_drop *drop, uint64_t module), uint64_t module)
{
	struct fs_drop_list dead = TAILQ_HEAD_INITIALIZER(dead);

	{
		struct fs_drop *drop, *next;

		LOCKED(&drops->lock);
		for (drop = TAILQ_FIRST(&drops->files); drop; drop = next) {
			next = TAILQ_NEXT(drop, link);
			if (drop->named && dies(drop, module))
				unname(drops, drop, &dead);
		}
	}
	bury(&dead);
}

static bool superseded(const struct fs_drop *drop, uint64_t module)
{
	return is_superseded(drop);
}

static bool belongs(const struct fs_drop *drop, uint64_t module)
{
	return drop->place.module == module;
}

static bool is_blob_of(const struct fs_drop *drop, uint64_t module)
{
	return drop->blob && belongs(drop, module);
}

void fs_drops_clear(struct fs_drops *drops, uint64_t module)
{
	unname_if(drops, is_blob_of, module);

	LOCKED(&drops->lock);
	remove_dirs(drops, module, true);
}

void fs_drops_sweep(struct fs_drops *drops)
{
	unname_if(drops, superseded, 0);
}

void fs_drops_leave(struct fs_drops *drops, uint64_t module)
{
	unname_if(drops, belongs, module);

	LOCKED(&drops->lock);
	remove_dirs(drops, module, false);
}
