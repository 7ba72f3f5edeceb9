#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "module/internal.h"
#include "util/cleanup.h"

/*
 * The verbs of the control file. Those that take time have their askers wait in a list of the
 * module's: boot; eject; clear, until an image that is closing has said its last; and cancel, until
 * what it ended is over, so that what its asker does next is not taken for a part of that.
 */

static const struct {
	const char *word;
	enum cm4_verb verb;
} verbs[] = {
	{"boot", CM4_VERB_BOOT},
	{"cancel", CM4_VERB_CANCEL},
	{"eject", CM4_VERB_EJECT},
	{"verify", CM4_VERB_VERIFY},
	{"clear", CM4_VERB_CLEAR},
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

int cm4_verb_from_string(const char *word, enum cm4_verb *ret_verb)
{
	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcmp(word, verbs[i].word) == 0) {
			*ret_verb = verbs[i].verb;
			return 0;
		}
	}
	return -EINVAL;
}

const char *cm4_verb_to_string(enum cm4_verb verb)
{
	for (size_t i = 0; i < N_VERBS; i++)
		if (verbs[i].verb == verb)
			return verbs[i].word;
	return "";
}

/* Those who wait in @list, which is of the module's. */
static void answer(struct cm4_module *module, struct waiter_list *list, int result)
{
	struct waiter_list waiters = TAILQ_HEAD_INITIALIZER(waiters);
	struct waiter *waiter;

	{
		LOCKED(&module->lock);
		TAILQ_CONCAT(&waiters, list, link);
	}
	while ((waiter = TAILQ_FIRST(&waiters))) {
		TAILQ_REMOVE(&waiters, waiter, link);
		waiter->done(waiter->data, result);
		free(waiter);
	}
}

void control_answer_boot(struct cm4_module *module, int result)
{
	answer(module, &module->boot_waiters, result);
}

void control_answer_eject(struct cm4_module *module, bool left)
{
	{
		LOCKED(&module->lock);
		if (TAILQ_EMPTY(&module->eject_waiters) || (!left && admission_held(module)))
			return;
	}
	if (!left)
		journal_add(module->journal, "eject: nothing is being written, safe to unplug");
	answer(module, &module->eject_waiters, left ? -ENODEV : 0);
}

void control_answer_cancel(struct cm4_module *module, bool left)
{
	{
		LOCKED(&module->lock);
		if (!left && module->todo)
			return;
	}
	answer(module, &module->cancel_waiters, left ? -ENODEV : 0);
}

/* Lock held. 0: in line, and answered by the module's thread. */
static int wait_in(
	struct cm4_module *module, struct waiter_list *list, void (*done)(void *, int), void *data)
{
	struct waiter *waiter;

	if (module->left || module->life.gone)
		return -ENODEV;
	waiter = malloc(sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){.done = done, .data = data};
	TAILQ_INSERT_TAIL(list, waiter, link);
	return 0;
}

static int wait_for_boot(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	LOCKED(&module->lock);
	return wait_in(module, &module->boot_waiters, done, data);
}

static void boot(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	int r = wait_for_boot(module, done, data);

	if (r < 0)
		done(data, r);
	else
		module_feed(module, LIFE_BOOT, 0, NULL);
}

/* Fed first: what the thread finds to do when it has someone to answer is the cancel's too. */
static int wait_for_cancel(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	LOCKED(&module->lock);
	int r;

	if (module->life.gone && !module->left)
		return 1; /* nothing is under way */
	r = wait_in(module, &module->cancel_waiters, done, data);
	module->stirred = true;
	module_wake(module);
	return r;
}

static void cancel(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	int r;

	journal_add(module->journal, "cancel");
	module_feed(module, LIFE_CANCEL, 0, NULL);
	r = wait_for_cancel(module, done, data);
	if (r)
		done(data, r < 0 ? r : 0);
}

/* A disk is synced and given back at its last close; what is left to do is to wait until that has happened. */
static int wait_for_close(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	LOCKED(&module->lock);
	int r;

	if (module->life.state == CM4_STATE_BOOTING || admission_writing(module))
		return -EBUSY;
	r = wait_in(module, &module->eject_waiters, done, data);
	module->stirred = true;
	module_wake(module);
	return r;
}

static void eject(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	int r = wait_for_close(module, done, data);

	if (r < 0)
		done(data, r);
}

/* One who waits for a proof: it is a request to the image. */
struct verification {
	struct cm4_io io;
	struct cm4_image *image;
	void (*done)(void *data, int result);
	void *data;
};

static void verified(struct cm4_io *io, ssize_t result)
{
	struct verification *verification = (struct verification *)io;

	cm4_image_close(verification->image, false);
	cm4_image_unref(verification->image);
	verification->done(verification->data, (int)result);
	free(verification);
}

/* With a reference. 0 or -errno. */
static int find_verifiable(struct cm4_module *module, struct cm4_image **ret_image)
{
	const struct module_disk *disk = NULL;
	LOCKED(&module->lock);

	if (module->life.gone)
		return -ENODEV;
	if (module->life.state == CM4_STATE_BOOTING || admission_writing(module))
		return -EBUSY;
	if (module->image)
		disk = module_find_disk(module, image_disk(module->image));
	if (!disk || !disk->image)
		return -ENODATA;
	*ret_image = cm4_image_ref(disk->image);
	return 0;
}

static void verify(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	struct verification *verification = calloc(1, sizeof(*verification));
	int r = verification ? find_verifiable(module, &verification->image) : -ENOMEM;

	if (r < 0) {
		free(verification);
		done(data, r);
		return;
	}
	verification->io = (struct cm4_io){.kind = CM4_IO_VERIFY, .complete = verified};
	verification->done = done;
	verification->data = data;
	cm4_image_open(verification->image, false);
	cm4_image_submit(verification->image, &verification->io);
}

static void clear_now(struct cm4_module *module)
{
	struct cm4_image *image;

	while ((image = images_take(module))) {
		image_supersede(image);
		cm4_image_unref(image);
	}
	sidecars_clear(module);
	bootfiles_clear(module);
	module_feed(module, LIFE_CLEAR, 0, NULL);
	fleet_changed(module->fleet, module, CM4_CHANGE_IMAGE);
}

/* Lock held. Somebody still writes or proves, or means to. */
static bool is_busy(struct cm4_module *module)
{
	return module->life.state == CM4_STATE_BOOTING ||
	       module->life.state == CM4_STATE_VERIFYING || admission_writing(module);
}

/* An image whose last close has come is waited for: what it still has to say would come after the clearing. */
void control_answer_clear(struct cm4_module *module, bool left)
{
	bool busy;

	{
		LOCKED(&module->lock);
		busy = is_busy(module);
		if (TAILQ_EMPTY(&module->clear_waiters) ||
			(!left && !busy && admission_held(module)))
			return;
	}
	if (!left && !busy)
		clear_now(module);
	answer(module, &module->clear_waiters, left ? -ENODEV : busy ? -EBUSY : 0);
}

/* 0: at once; 1: in line; or -errno. */
static int may_clear(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	LOCKED(&module->lock);
	int r;

	if (is_busy(module))
		return -EBUSY;
	if (!admission_held(module))
		return 0;
	r = wait_in(module, &module->clear_waiters, done, data);
	module->stirred = true;
	module_wake(module);
	return r < 0 ? r : 1;
}

static void clear(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	int r = may_clear(module, done, data);

	if (r == 0)
		clear_now(module);
	if (r <= 0)
		done(data, r);
}

static bool has_left(struct cm4_module *module)
{
	LOCKED(&module->lock);
	return module->left;
}

void cm4_module_control(struct cm4_module *module, enum cm4_verb verb,
	void (*done)(void *data, int result), void *data)
{
	if (has_left(module)) {
		done(data, -ENODEV);
		return;
	}
	switch (verb) {
	case CM4_VERB_BOOT:
		boot(module, done, data);
		return;
	case CM4_VERB_CANCEL:
		cancel(module, done, data);
		return;
	case CM4_VERB_EJECT:
		eject(module, done, data);
		return;
	case CM4_VERB_VERIFY:
		verify(module, done, data);
		return;
	case CM4_VERB_CLEAR:
		clear(module, done, data);
		return;
	}
	done(data, -EINVAL);
}
