#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "module/internal.h"
#include "util/cleanup.h"

/* The verbs of the control file. Only boot takes time; its askers wait in a list of the module's.
 */

static const struct {
	const char *word;
	enum cm4_verb verb;
} verbs[] = {
	{"boot", CM4_VERB_BOOT},
	{"cancel", CM4_VERB_CANCEL},
	{"eject", CM4_VERB_EJECT},
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

void control_answer_boot(struct cm4_module *module, int result)
{
	struct waiter_list waiters = TAILQ_HEAD_INITIALIZER(waiters);
	struct waiter *waiter;

	{
		LOCKED(&module->lock);
		TAILQ_CONCAT(&waiters, &module->boot_waiters, link);
	}
	while ((waiter = TAILQ_FIRST(&waiters))) {
		TAILQ_REMOVE(&waiters, waiter, link);
		waiter->done(waiter->data, result);
		free(waiter);
	}
}

/* 0: in line, and answered when the boot has ended. */
static int wait_for_boot(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	struct waiter *waiter = malloc(sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){.done = done, .data = data};

	LOCKED(&module->lock);
	if (module->left || module->life.gone) {
		free(waiter);
		return -ENODEV;
	}
	TAILQ_INSERT_TAIL(&module->boot_waiters, waiter, link);
	return 0;
}

static void boot(struct cm4_module *module, void (*done)(void *, int), void *data)
{
	int r = wait_for_boot(module, done, data);

	if (r < 0)
		done(data, r);
	else
		module_feed(module, LIFE_BOOT, 0, NULL);
}

static int cancel(struct cm4_module *module)
{
	journal_add(module->journal, "cancel");
	module_feed(module, LIFE_CANCEL, 0, NULL);
	return 0;
}

/* A disk is synced and given back at its last close; what is left to say is whether that has
 * happened. */
static int eject(struct cm4_module *module)
{
	{
		LOCKED(&module->lock);
		if (module->life.state == CM4_STATE_BOOTING || admission_writing(module))
			return -EBUSY;
	}
	journal_add(module->journal, "eject: nothing is being written, safe to unplug");
	return 0;
}

static int clear(struct cm4_module *module)
{
	struct cm4_image *image;

	{
		LOCKED(&module->lock);
		if (module->life.state == CM4_STATE_BOOTING || admission_writing(module))
			return -EBUSY;
		image = module->image;
		module->image = NULL;
	}
	if (image)
		image_supersede(image);
	cm4_image_unref(image);
	module_feed(module, LIFE_CLEAR, 0, NULL);
	fleet_changed(module->fleet, module, CM4_CHANGE_IMAGE);
	return 0;
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
		done(data, cancel(module));
		return;
	case CM4_VERB_EJECT:
		done(data, eject(module));
		return;
	case CM4_VERB_CLEAR:
		done(data, clear(module));
		return;
	}
	done(data, -EINVAL);
}
