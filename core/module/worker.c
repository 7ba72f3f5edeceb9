#include <errno.h>
#include <stdio.h>

#include <cm4fs/log.h>

#include "boot/driver.h"
#include "image/image.h"
#include "module/internal.h"
#include "payload/payload.h"
#include "util/bytes.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * The module's own thread. It does what may wait, one thing at a time: dialogues with a boot stage,
 * opening a disk, joining an image's thread. What must not wait for it (state, status, cancel) does
 * not pass through it.
 */

/* Beside the life machine's actions. */
#define TIMED_OUT (1u << 31)
#define QUIET	  (1u << 30)

static void on_line(void *data, const char *line)
{
	struct cm4_module *module = data;

	journal_add(module->journal, "%s", line);
}

static void on_served(void *data, const char *name, uint64_t bytes, bool found)
{
	struct cm4_module *module = data;

	{
		LOCKED(&module->lock);
		module_notice_served(module, name, found);
		bootfiles_notice_served(module, name);
	}
	news_add_file(module, name, bytes, found);
	news_tell(module->fleet, module);
}

static void on_metadata(void *data, const char *key, const char *value)
{
	struct cm4_module *module = data;
	struct cm4_metadata *entry;

	LOCKED(&module->lock);
	if (module->n_metadata == CM4_METADATA_MAX)
		return;
	entry = &module->metadata[module->n_metadata++];
	snprintf(entry->key, sizeof(entry->key), "%s", key);
	snprintf(entry->value, sizeof(entry->value), "%s", value);
}

/* From here on abort reaches the device; one that was called before it was open is made up for. */
static void publish(struct cm4_module *module, struct usb_device *usb)
{
	LOCKED(&module->lock);
	module->usb = usb;
	if (usb && (module->left || module->life.state != CM4_STATE_BOOTING))
		usb->ops->abort(usb);
}

static int run_dialogue(struct cm4_module *module, bool rom, char *message, size_t size)
{
	const struct cm4_fleet_config *config = fleet_config(module->fleet);
	struct boot_observer observer = {
		.line = on_line,
		.served = on_served,
		.metadata = on_metadata,
		.data = module,
	};
	const struct boot_chip *chip;
	struct usb_device *usb;
	int r;

	{
		LOCKED(&module->lock);
		chip = module->chip;
	}
	/* A second stage that is there already, when cm4fs starts, is served what there is. */
	r = !chip		      ? -ENOPKG
	    : rom || !module->serving ? bootfiles_begin(module, chip, message, size)
				      : 0;
	if (r < 0)
		return r;
	r = config->backend->ops->open_usb(config->backend, module->port, &usb);
	if (r < 0)
		return r;

	publish(module, usb);
	r = (rom ? boot_run_rom : boot_run_server)(
		usb, chip, module->serving, module->port, &observer);
	publish(module, NULL);
	usb->ops->close(usb);
	return r;
}

static void boot(struct cm4_module *module, bool rom)
{
	char message[256] = "";
	int r = run_dialogue(module, rom, message, sizeof(message)), verdict;

	/* It may leave before its last word is answered. */
	if (!rom && (r == 0 || r == -ENODEV) &&
		bootfiles_update(module, &verdict, message, sizeof(message)))
		module_feed(
			module, verdict < 0 ? LIFE_UPDATE_FAILED : LIFE_UPDATED, verdict, message);
	else
		module_feed(module, r < 0 ? LIFE_BROKE : LIFE_SERVED, r, *message ? message : NULL);
}

static void refuse(struct cm4_module *module)
{
	struct cm4_failure failure;

	{
		LOCKED(&module->lock);
		failure = module->failure;
		/* Forgotten since (clear): nobody boots it, so who waits must be told something. */
		if (!failure.error && module->life.state == CM4_STATE_ROM)
			failure_describe(FAILURE_CANCELLED, 0, NULL, &failure);
	}
	/* Tried again by whoever came in between: who waits is served then. */
	if (!failure.error)
		return;
	admission_refuse(module, -failure.error, failure.text);
	control_answer_boot(module, -failure.error);
}

static void abort_images(struct cm4_module *module)
{
	struct cm4_failure failure;

	{
		LOCKED(&module->lock);
		failure = module->failure;
	}
	admission_abort(module, failure.error ? -failure.error : -ENODEV, failure.text);
}

/* Waits for something to do: actions taken off the list, TIMED_OUT, or 0 when claims have changed.
 */
static unsigned next_work(struct cm4_module *module)
{
	LOCKED(&module->lock);
	unsigned todo;

	while (!module->todo && !module->stirred) {
		if (module->deadline_ns <= clock_ns()) {
			module->deadline_ns = UINT64_MAX;
			return TIMED_OUT;
		}
		if (module->quiet_ns <= clock_ns())
			return QUIET;
		cond_wait_until(
			&module->wake, &module->lock, min64(module->deadline_ns, module->quiet_ns));
	}
	todo = module->todo;
	module->todo = 0;
	module->stirred = false;
	return todo;
}

static struct cm4_image *take_raw(struct cm4_module *module)
{
	LOCKED(&module->lock);
	struct cm4_image *image = NULL;

	for (size_t i = 0; !image && i < module->n_disks; i++) {
		image = module->disks[i].raw;
		module->disks[i].raw = NULL;
	}
	return image;
}

static bool wait_for_claims(struct cm4_module *module)
{
	LOCKED(&module->lock);
	while (!module->stirred && !admission_idle(module))
		cond_wait_until(&module->wake, &module->lock, UINT64_MAX);
	module->stirred = false;
	return !admission_idle(module);
}

/* The end: everything that runs on this module stops, and nothing refers to an image any more. */
static void depart(struct cm4_module *module)
{
	struct cm4_image *image;

	fleet_remove(module->fleet, module);
	module_leave(module);
	admission_abort(module, -ENODEV, "the module left the bus");
	admission_refuse(module, -ENODEV, "the module left the bus");
	control_answer_boot(module, -ENODEV);
	control_answer_cancel(module, true);
	control_answer_clear(module, true);
	control_answer_eject(module, true);
	do {
		admission_run(module);
	} while (wait_for_claims(module));
	while ((image = images_take(module)) || (image = take_raw(module))) {
		image_abort(image, -ENODEV, "the module left the bus");
		cm4_image_unref(image);
	}
}

void *module_thread(void *data)
{
	struct cm4_module *module = data;

	for (;;) {
		unsigned todo = next_work(module);

		if (todo & TIMED_OUT) {
			module_feed(module, LIFE_TIMEOUT, 0, NULL);
			continue;
		}
		if (todo & QUIET) {
			bootfiles_quiet(module);
			continue;
		}
		if (todo & LIFE_DO_LEAVE)
			break;
		if (todo & LIFE_DO_ABORT)
			abort_images(module);
		if (todo & LIFE_DO_REFUSE)
			refuse(module);
		if (todo & (LIFE_DO_ROM | LIFE_DO_SERVER))
			boot(module, todo & LIFE_DO_ROM);
		if (todo & LIFE_DO_ADMIT)
			control_answer_boot(module, 0);
		admission_run(module);
		control_answer_cancel(module, false);
		control_answer_clear(module, false);
		control_answer_eject(module, false);
	}
	depart(module);
	return NULL;
}
