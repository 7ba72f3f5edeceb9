#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "module/internal.h"
#include "sidecar/bmap.h"
#include "sidecar/names.h"
#include "sidecar/sums.h"
#include "util/cleanup.h"

/*
 * The files that were dropped beside the images: what a bmap says serves the next image of its name, and the one that
 * is being written; what a list of sums says is compared at an image's close, or at once with one that is whole.
 */

struct sidecar {
	TAILQ_ENTRY(sidecar) link;
	char name[CM4_LABEL_MAX];
	struct bmap *bmap; /* one of them */
	struct sums *sums;
};

bool cm4_is_sidecar(const char *name)
{
	return sidecar_kind(name) != SIDECAR_NONE;
}

static void sidecar_free(struct sidecar *sidecar)
{
	if (!sidecar)
		return;
	bmap_unref(sidecar->bmap);
	sums_free(sidecar->sums);
	free(sidecar);
}

/* Lock held. Out of the list; NULL: there is none of that name. */
static struct sidecar *take(struct cm4_module *module, const char *name)
{
	struct sidecar *sidecar;

	TAILQ_FOREACH (sidecar, &module->sidecars, link)
		if (!strcmp(sidecar->name, name)) {
			TAILQ_REMOVE(&module->sidecars, sidecar, link);
			return sidecar;
		}
	return NULL;
}

void cm4_module_forget_sidecar(struct cm4_module *module, const char *name)
{
	struct sidecar *sidecar;

	{
		LOCKED(&module->lock);
		sidecar = take(module, name);
	}
	sidecar_free(sidecar);
}

void sidecars_clear(struct cm4_module *module)
{
	struct sidecar *sidecar;

	for (;;) {
		{
			LOCKED(&module->lock);
			sidecar = TAILQ_FIRST(&module->sidecars);
			if (sidecar)
				TAILQ_REMOVE(&module->sidecars, sidecar, link);
		}
		if (!sidecar)
			return;
		sidecar_free(sidecar);
	}
}

static int parse(struct sidecar *sidecar, const void *text, size_t size, char *why, size_t why_size)
{
	if (sidecar_kind(sidecar->name) == SIDECAR_BMAP)
		return bmap_parse(text, size, &sidecar->bmap, why, why_size);
	return sums_parse(sidecar->name, text, size, &sidecar->sums, why, why_size);
}

static int read_sidecar(struct cm4_module *module, const char *name, const void *text, size_t size,
	struct sidecar **ret_sidecar)
{
	struct sidecar *sidecar = calloc(1, sizeof(*sidecar));
	char why[160] = "out of memory";
	int r;

	if (!sidecar)
		return -ENOMEM;
	if (strlen(name) >= sizeof(sidecar->name)) {
		free(sidecar);
		return -ENAMETOOLONG;
	}
	strcpy(sidecar->name, name);
	r = parse(sidecar, text, size, why, sizeof(why));
	if (r < 0) {
		journal_add(module->journal, "%s cannot be used: %s", name, why);
		sidecar_free(sidecar);
		return r;
	}
	*ret_sidecar = sidecar;
	return 0;
}

/* With a reference, or NULL. */
static struct cm4_image *current(struct cm4_module *module)
{
	LOCKED(&module->lock);

	return module->image ? cm4_image_ref(module->image) : NULL;
}

/* Likewise: the one on a disk, which the one dropped last need not be, for that may have been refused. */
static struct cm4_image *on_disk(struct cm4_module *module)
{
	LOCKED(&module->lock);

	for (size_t i = 0; i < module->n_disks; i++)
		if (module->disks[i].image && module->disks[i].image != module->image)
			return cm4_image_ref(module->disks[i].image);
	return NULL;
}

static struct bmap *find_bmap(
	struct cm4_module *module, const char *label, char name[CM4_LABEL_MAX])
{
	struct sidecar *sidecar;
	LOCKED(&module->lock);

	TAILQ_FOREACH (sidecar, &module->sidecars, link)
		if (sidecar->bmap && sidecar_bmap_serves(sidecar->name, label)) {
			strcpy(name, sidecar->name);
			return bmap_ref(sidecar->bmap);
		}
	return NULL;
}

int sidecars_apply(struct cm4_module *module, struct cm4_image *image)
{
	struct cm4_image_status status;
	char name[CM4_LABEL_MAX];
	struct bmap *bmap;
	int r;

	image_status(image, &status);
	bmap = find_bmap(module, status.name, name);
	r = image_set_bmap(image, bmap);
	if (bmap)
		journal_add(module->journal,
			r < 0 ? "%s has checksums of a kind that is not known here"
			      : "%s says what is written of the image",
			name);
	bmap_unref(bmap);
	return r;
}

void sidecars_wanted(struct cm4_module *module, const char *label, struct sums_wanted *ret_wanted)
{
	struct sums_wanted one;
	struct sidecar *sidecar;
	LOCKED(&module->lock);

	*ret_wanted = (struct sums_wanted){0};
	TAILQ_FOREACH (sidecar, &module->sidecars, link) {
		if (!sidecar->sums)
			continue;
		sums_wanted(sidecar->sums, label, &one);
		if (one.has_dropped) {
			ret_wanted->has_dropped = true;
			memcpy(ret_wanted->dropped, one.dropped, SUMS_SIZE);
		}
		if (one.has_raw) {
			ret_wanted->has_raw = true;
			memcpy(ret_wanted->raw, one.raw, SUMS_SIZE);
		}
	}
}

/* One who waits for a comparison: it is a request to the image. */
struct comparison {
	struct cm4_io io;
	struct cm4_image *image;
	void (*done)(void *data, int result);
	void *data;
};

static void compared(struct cm4_io *io, ssize_t result)
{
	struct comparison *comparison = (struct comparison *)io;

	cm4_image_close(comparison->image, false);
	cm4_image_unref(comparison->image);
	comparison->done(comparison->data, (int)result);
	free(comparison);
}

/* Takes @image over. */
static void compare(struct cm4_image *image, void (*done)(void *data, int result), void *data)
{
	struct comparison *comparison = calloc(1, sizeof(*comparison));

	if (!comparison) {
		cm4_image_unref(image);
		done(data, -ENOMEM);
		return;
	}
	*comparison = (struct comparison){
		.io = {.kind = CM4_IO_SUM, .complete = compared},
		.image = image,
		.done = done,
		.data = data,
	};
	cm4_image_open(image, false);
	cm4_image_submit(image, &comparison->io);
}

void cm4_module_compare(struct cm4_module *module, struct cm4_image *image,
	void (*done)(void *data, int result), void *data)
{
	struct cm4_image_status status;
	struct sums_wanted wanted;

	image_status(image, &status);
	sidecars_wanted(module, status.name, &wanted);
	/* One that is not whole is compared at its close; its directory must not wait for that. */
	if (status.whole && (wanted.has_dropped || wanted.has_raw))
		compare(cm4_image_ref(image), done, data);
	else
		done(data, 0);
}

static bool speaks_of(const struct sidecar *sidecar, const struct cm4_image_status *status)
{
	struct sums_wanted wanted = {0};

	if (sidecar->bmap)
		return sidecar_bmap_serves(sidecar->name, status->name);
	sums_wanted(sidecar->sums, status->name, &wanted);
	return wanted.has_dropped || wanted.has_raw;
}

/* Whether there is one that it speaks of; then with a reference, in *@image. */
static bool find_concerned(struct cm4_module *module, const struct sidecar *sidecar,
	struct cm4_image **image, struct cm4_image_status *status)
{
	struct cm4_image *candidates[] = {current(module), on_disk(module)};

	for (size_t i = 0; i < 2; i++) {
		if (candidates[i] && !*image) {
			image_status(candidates[i], status);
			if (speaks_of(sidecar, status)) {
				*image = candidates[i];
				continue;
			}
		}
		cm4_image_unref(candidates[i]);
	}
	return *image;
}

void cm4_module_sidecar(struct cm4_module *module, const char *name, const void *text, size_t size,
	void (*done)(void *data, int result), void *data)
{
	struct cm4_image *image = NULL;
	struct cm4_image_status status = {0};
	struct sidecar *sidecar, *before;
	bool is_bmap, concerned;
	int r = read_sidecar(module, name, text, size, &sidecar);

	if (r < 0) {
		/* What it said before is not in it any more. */
		cm4_module_forget_sidecar(module, name);
		done(data, r);
		return;
	}
	is_bmap = sidecar->bmap;
	concerned = find_concerned(module, sidecar, &image, &status);
	{
		LOCKED(&module->lock);
		before = take(module, name);
		TAILQ_INSERT_TAIL(&module->sidecars, sidecar, link);
	}
	sidecar_free(before);

	if (concerned && !is_bmap && status.whole) {
		compare(image, done, data);
		return;
	}
	if (concerned && is_bmap && !status.whole)
		r = sidecars_apply(module, image);
	cm4_image_unref(image);
	done(data, r);
}
