#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "module/internal.h"
#include "seam/backend.h"
#include "util/cleanup.h"

/*
 * Who gets the disk. An image that wants one, by its first byte, files a claim; the module's thread
 * boots the module for it, opens the disk and admits it, or refuses it. One image at a time writes
 * to a disk. A whole image that is merely still open makes way for the next; one that is just
 * closing is waited for.
 */

enum verdict { VERDICT_KEEP, VERDICT_ADMIT, VERDICT_REFUSE, VERDICT_BOOT, VERDICT_DISPLACE };

/* Lock held. */
static struct claim *find_claim(struct cm4_module *module, const struct cm4_image *image)
{
	struct claim *claim;

	TAILQ_FOREACH (claim, &module->claims, link)
		if (claim->image == image)
			return claim;
	return NULL;
}

/* Lock held. Who writes to the disk that @claim wants, or is not yet done with it. */
static struct claim *find_writer(struct cm4_module *module, const struct claim *claim)
{
	struct claim *other;

	TAILQ_FOREACH (other, &module->claims, link)
		if (other != claim && other->writable && other->state != CLAIM_WANTED &&
			strcmp(image_disk(other->image), image_disk(claim->image)) == 0)
			return other;
	return NULL;
}

/*
 * A close() that has returned 0 is the end of a flash, though the kernel tells of the descriptor's end only later, as
 * it finds the time: who waits for the disk waits for that.
 */
static bool is_over(struct cm4_image *image)
{
	struct cm4_image_status status;

	image_status(image, &status);
	return image_mode(image) == CM4_IMAGE_FLASH && status.whole;
}

static enum verdict judge_conflict(const struct claim *writer, int *ret_error)
{
	/* An aborted one is on its way out, even if somebody has it open still. */
	if (writer->aborted || !image_is_writing(writer->image))
		return VERDICT_KEEP;
	if (is_over(writer->image))
		return VERDICT_DISPLACE;
	*ret_error = -EBUSY;
	return VERDICT_REFUSE;
}

/* Lock held. @ret_writer: for DISPLACE. */
static enum verdict judge(
	struct cm4_module *module, struct claim *claim, struct claim **ret_writer, int *ret_error)
{
	const struct module_disk *disk = module_find_disk(module, image_disk(claim->image));
	const struct life *life = &module->life;

	if (module->left || life->gone) {
		*ret_error = -ENODEV;
		return VERDICT_REFUSE;
	}
	/* Those who wait for what has just failed are told so, before anything is tried again. */
	if (module->todo & LIFE_DO_REFUSE)
		return VERDICT_KEEP;
	/* The life machine hears of the disk after the list does: an image that began now would begin unseen. */
	if (life->state == CM4_STATE_BOOTING)
		return VERDICT_KEEP;
	if (life->stage == CM4_STAGE_DISK && disk && disk->status.bytes) {
		*ret_writer = claim->writable ? find_writer(module, claim) : NULL;
		return *ret_writer ? judge_conflict(*ret_writer, ret_error) : VERDICT_ADMIT;
	}
	if (life->state == CM4_STATE_FAILED && life->stage == CM4_STAGE_DISK) {
		/* It came up without the disk: asking again gives no other answer. */
		*ret_error = -module->failure.error;
		return VERDICT_REFUSE;
	}
	if (claim->writable && !(life->stage == CM4_STAGE_DISK && life->disk_here))
		return VERDICT_BOOT;

	*ret_error = claim->writable ? -ENXIO : -ENODEV;
	return VERDICT_REFUSE;
}

/* Lock held; the claim's reference goes to the caller. */
static struct cm4_image *take_claim(struct cm4_module *module, struct claim *claim)
{
	struct cm4_image *image = claim->image;

	TAILQ_REMOVE(&module->claims, claim, link);
	free(claim);
	return image;
}

static const char *refusal_text(int error)
{
	if (error == -EBUSY)
		return "another image is being written to this disk";
	if (error == -ENXIO)
		return "the module has no such disk";
	if (error == -ENODEV)
		return "the module left the bus";
	return strerrordesc_np(-error);
}

static void drop_claim(struct cm4_module *module, struct cm4_image *image)
{
	struct claim *claim;

	{
		LOCKED(&module->lock);
		claim = find_claim(module, image);
		if (claim)
			take_claim(module, claim);
	}
	if (claim)
		cm4_image_unref(image);
}

/* The claim is held already, so that no other is judged as if the disk were free. */
static void admit(struct cm4_module *module, struct cm4_image *image, bool writable)
{
	struct backend *backend = fleet_config(module->fleet)->backend;
	struct block *block;
	int r;

	r = backend->ops->open_block(backend, module->port, image_disk(image), writable, &block);
	if (r < 0) {
		drop_claim(module, image);
		if (writable)
			module_feed(module, LIFE_IMAGE_FAILED, r, NULL);
		image_refuse(image, r, strerrordesc_np(-r));
		return;
	}

	if (writable) {
		stall_reset(&module->stall);
		block = stall_watch(block, &module->stall);
	}
	if (writable && image_mode(image) == CM4_IMAGE_FLASH) {
		images_make_current(module, image);
		sidecars_apply(module, image);
	} else if (writable) {
		images_overwrite(module, image);
	}
	r = image_admit(image, block, writable);
	if (r >= 0)
		return;
	/* It has refused by itself; or, ECANCELED, an abort was quicker and has been the answer. */
	drop_claim(module, image);
	if (writable && r != -ECANCELED)
		module_feed(module, LIFE_IMAGE_FAILED, r, NULL);
}

/* One step for the first claim that allows one. False when all are as they should be. */
static bool step(struct cm4_module *module)
{
	struct cm4_image *reap = NULL, *refuse = NULL, *enter = NULL, *displace = NULL;
	bool boot = false, writable = false;
	int error = 0;

	{
		LOCKED(&module->lock);
		struct claim *claim, *writer = NULL;

		TAILQ_FOREACH (claim, &module->claims, link) {
			if (claim->state == CLAIM_CLOSED) {
				reap = take_claim(module, claim);
				break;
			}
			if (claim->state == CLAIM_HELD)
				continue;

			enum verdict verdict = judge(module, claim, &writer, &error);

			if (verdict == VERDICT_KEEP)
				continue;
			if (verdict == VERDICT_ADMIT) {
				claim->state = CLAIM_HELD;
				enter = cm4_image_ref(claim->image);
				writable = claim->writable;
			} else if (verdict == VERDICT_REFUSE) {
				refuse = take_claim(module, claim);
			} else if (verdict == VERDICT_DISPLACE) {
				displace = cm4_image_ref(writer->image);
			} else {
				boot = true;
			}
			break;
		}
	}

	if (reap)
		image_reap(reap);
	if (refuse)
		image_refuse(refuse, error, refusal_text(error));
	if (enter)
		admit(module, enter, writable);
	if (displace)
		image_abort(displace, -ESTALE, "another image was written to this disk");
	if (boot)
		module_feed(module, LIFE_BOOT, 0, NULL);
	cm4_image_unref(reap);
	cm4_image_unref(refuse);
	cm4_image_unref(enter);
	cm4_image_unref(displace);

	/* A boot and a displaced image take their time, and stir the module when they are through.
	 */
	return reap || refuse || enter;
}

void admission_run(struct cm4_module *module)
{
	while (step(module))
		;
}

void admission_refuse(struct cm4_module *module, int error, const char *text)
{
	for (;;) {
		struct cm4_image *image = NULL;

		{
			LOCKED(&module->lock);
			struct claim *claim;

			TAILQ_FOREACH (claim, &module->claims, link) {
				if (claim->state == CLAIM_WANTED) {
					image = take_claim(module, claim);
					break;
				}
			}
		}
		if (!image)
			return;
		image_refuse(image, error, text);
		cm4_image_unref(image);
	}
}

void admission_abort(struct cm4_module *module, int error, const char *text)
{
	struct cm4_image *images[16];
	size_t n;

	/* In batches: abort takes an image's lock and completes requests, so no claim is held on
	 * to. */
	do {
		struct claim *claim;

		n = 0;
		{
			LOCKED(&module->lock);
			TAILQ_FOREACH (claim, &module->claims, link) {
				if (claim->state == CLAIM_HELD && !claim->aborted && n < 16) {
					claim->aborted = true;
					images[n++] = cm4_image_ref(claim->image);
				}
			}
		}
		for (size_t i = 0; i < n; i++) {
			image_abort(images[i], error, text);
			cm4_image_unref(images[i]);
		}
	} while (n == 16);
}

bool admission_idle(struct cm4_module *module)
{
	return TAILQ_EMPTY(&module->claims);
}

bool admission_held(struct cm4_module *module)
{
	struct claim *claim;

	TAILQ_FOREACH (claim, &module->claims, link)
		if (claim->writable && claim->state != CLAIM_WANTED)
			return true;
	return false;
}

bool admission_writing(struct cm4_module *module)
{
	struct claim *claim;

	TAILQ_FOREACH (claim, &module->claims, link)
		if (claim->writable && image_is_writing(claim->image) && !is_over(claim->image))
			return true;
	return false;
}

static void on_wanted(void *data, struct cm4_image *image, bool writable)
{
	struct cm4_module *module = data;
	struct claim *claim = calloc(1, sizeof(*claim));

	{
		LOCKED(&module->lock);
		if (claim && !module->left) {
			claim->image = cm4_image_ref(image);
			claim->writable = writable;
			TAILQ_INSERT_TAIL(&module->claims, claim, link);
			module->stirred = true;
			module_wake(module);
			return;
		}
	}
	image_refuse(image, claim ? -ENODEV : -ENOMEM, refusal_text(-ENODEV));
	free(claim);
}

static void on_closed(struct cm4_module *module, struct cm4_image *image)
{
	LOCKED(&module->lock);
	struct claim *claim = find_claim(module, image);

	if (claim)
		claim->state = CLAIM_CLOSED;
	module->stirred = true;
	module_wake(module);
}

static void on_event(
	void *data, struct cm4_image *image, enum image_event event, int error, const char *text)
{
	struct cm4_module *module = data;
	bool flash = image_mode(image) == CM4_IMAGE_FLASH;

	switch (event) {
	case IMAGE_BEGAN:
		if (flash)
			module_feed(module, LIFE_IMAGE_BEGAN, 0, NULL);
		break;
	case IMAGE_CHANGES:
		images_put_on_disk(module, image);
		break;
	case IMAGE_VERIFYING:
		module_feed(module, LIFE_IMAGE_VERIFYING, 0, NULL);
		break;
	case IMAGE_VERIFIED:
		module_feed(module, LIFE_IMAGE_VERIFIED, error, NULL);
		break;
	case IMAGE_WHOLE:
		if (flash)
			module_feed(module, LIFE_IMAGE_WHOLE, 0, NULL);
		break;
	case IMAGE_INCOMPLETE:
		module_feed(module, LIFE_IMAGE_INCOMPLETE, error, text);
		break;
	case IMAGE_FAILED:
		module_feed(module, LIFE_IMAGE_FAILED, error, text);
		break;
	case IMAGE_CLOSED:
		on_closed(module, image);
		break;
	}
}

static void on_sums(void *data, const char *label, struct sums_wanted *ret_wanted)
{
	sidecars_wanted(data, label, ret_wanted);
}

static int on_open_console(void *data, struct console **ret_console)
{
	struct cm4_module *module = data;
	struct backend *backend = fleet_config(module->fleet)->backend;

	return backend->ops->open_console(backend, module->port, ret_console);
}

static int on_open_block(void *data, const char *disk, struct block **ret_block)
{
	struct cm4_module *module = data;
	struct backend *backend = fleet_config(module->fleet)->backend;

	return backend->ops->open_block(backend, module->port, disk, false, ret_block);
}

static void on_released(void *data)
{
	cm4_module_unref(data);
}

static int new_image(struct cm4_module *module, enum cm4_image_mode mode, const char *disk,
	const char *label, struct cm4_image **ret_image)
{
	struct image_owner owner = {
		.wanted = on_wanted,
		.event = on_event,
		.sums = on_sums,
		.open_console = on_open_console,
		.open_block = on_open_block,
		.released = on_released,
		.data = cm4_module_ref(module),
	};
	struct image_policy policy = {
		.verify = fleet_config(module->fleet)->verify,
		.raw = fleet_config(module->fleet)->raw,
	};
	int r = image_new(mode, disk, label, &owner, &policy, ret_image);

	if (r < 0)
		cm4_module_unref(module);
	return r;
}

int cm4_module_drop(struct cm4_module *module, const char *disk, const char *label,
	struct cm4_image **ret_image)
{
	{
		LOCKED(&module->lock);
		if (module->left)
			return -ENODEV;
		if (disk && !module_find_disk(module, disk))
			return -ENXIO;
	}
	return new_image(module, CM4_IMAGE_FLASH, disk ? disk : MODULE_MAIN_DISK, label, ret_image);
}

int cm4_module_raw(struct cm4_module *module, const char *name, struct cm4_image **ret_image)
{
	LOCKED(&module->lock);
	struct module_disk *disk = module_find_disk(module, name);
	int r;

	if (module->left)
		return -ENODEV;
	if (!disk || !disk->status.bytes)
		return -ENXIO;
	if (!disk->raw) {
		r = new_image(module, CM4_IMAGE_RAW, name, name, &disk->raw);
		if (r < 0)
			return r;
		image_set_size(disk->raw, disk->status.bytes);
	}
	*ret_image = cm4_image_ref(disk->raw);
	return 0;
}
