#include <string.h>

#include "image/image.h"
#include "module/internal.h"
#include "util/cleanup.h"

/*
 * The images that a module knows of: the one that was dropped last, which people hear about, and for each disk the one
 * whose bytes are on it. They are two where the last one has changed nothing: what is no disk image leaves the one
 * before as it was.
 */

/* Lock held. The image whose bytes are on the disk that @image is for, or NULL. */
static struct cm4_image **find_on_disk(struct cm4_module *module, const struct cm4_image *image)
{
	struct module_disk *disk = module_find_disk(module, image_disk(image));

	return disk ? &disk->image : NULL;
}

static void end_image(struct cm4_module *module, struct cm4_image *image)
{
	if (image)
		image_supersede(image);
	cm4_image_unref(image);
	fleet_changed(module->fleet, module, CM4_CHANGE_IMAGE);
}

void images_make_current(struct cm4_module *module, struct cm4_image *image)
{
	struct cm4_image *before, **on_disk;

	{
		LOCKED(&module->lock);
		before = module->image;
		if (before == image)
			return;
		on_disk = before ? find_on_disk(module, before) : NULL;
		if (on_disk && *on_disk == before) {
			cm4_image_unref(before);
			before = NULL;
		}
		module->image = cm4_image_ref(image);
	}
	end_image(module, before);
}

void images_put_on_disk(struct cm4_module *module, struct cm4_image *image)
{
	struct cm4_image *before, **on_disk;

	{
		LOCKED(&module->lock);
		on_disk = find_on_disk(module, image);
		if (!on_disk || *on_disk == image)
			return;
		before = *on_disk;
		*on_disk = cm4_image_ref(image);
	}
	end_image(module, before);
}

void images_overwrite(struct cm4_module *module, const struct cm4_image *raw)
{
	struct cm4_image *image = NULL, **on_disk;

	{
		LOCKED(&module->lock);
		on_disk = find_on_disk(module, raw);
		if (on_disk && *on_disk)
			image = cm4_image_ref(*on_disk);
	}
	if (image)
		image_overwrite(image);
	cm4_image_unref(image);
}

struct cm4_image *images_take(struct cm4_module *module)
{
	LOCKED(&module->lock);
	struct cm4_image *image = module->image;

	module->image = NULL;
	for (size_t i = 0; !image && i < module->n_disks; i++) {
		image = module->disks[i].image;
		module->disks[i].image = NULL;
	}
	return image;
}
