#include <stdio.h>
#include <stdlib.h>

#include <cm4fs/log.h>

#include "module/internal.h"
#include "util/cleanup.h"

/*
 * Changes of one module come from several threads: the bus's, its own, an image's. Each adds what it has done while it
 * has the lock; then one of them, and only one at a time, takes the news off the list and tells it without the lock.
 */

struct news {
	TAILQ_ENTRY(news) link;
	struct cm4_news told;
};

static struct news *add(struct cm4_module *module, enum cm4_change change)
{
	struct news *news = calloc(1, sizeof(*news));

	if (!news) {
		cm4_log(LOG_ERR, "%s: no memory to tell of a change", module->name);
		return NULL;
	}
	news->told.change = change;
	module_copy_status(module, &news->told.status);
	TAILQ_INSERT_TAIL(&module->news, news, link);
	return news;
}

void news_add(struct cm4_module *module, enum cm4_change change)
{
	add(module, change);
}

void news_add_file(struct cm4_module *module, const char *name, uint64_t bytes, bool found)
{
	LOCKED(&module->lock);
	struct news *news = add(module, CM4_CHANGE_SERVED);

	if (!news)
		return;
	snprintf(news->told.file.name, sizeof(news->told.file.name), "%s", name);
	news->told.file.bytes = bytes;
	news->told.file.found = found;
}

static bool begin_telling(struct cm4_module *module)
{
	LOCKED(&module->lock);
	if (module->telling || TAILQ_EMPTY(&module->news))
		return false;
	module->telling = true;
	return true;
}

/* NULL: there is none any more, and from now on somebody else may tell. */
static struct news *take(struct cm4_module *module)
{
	LOCKED(&module->lock);
	struct news *news = TAILQ_FIRST(&module->news);

	if (news)
		TAILQ_REMOVE(&module->news, news, link);
	else
		module->telling = false;
	return news;
}

void news_tell(struct cm4_fleet *fleet, struct cm4_module *module)
{
	const struct cm4_fleet_config *config = fleet_config(fleet);
	struct news *news;

	if (!begin_telling(module))
		return;
	while ((news = take(module))) {
		if (config->changed)
			config->changed(config->data, module, &news->told);
		free(news);
	}
}

void news_forget(struct cm4_module *module)
{
	struct news *news;

	while ((news = TAILQ_FIRST(&module->news))) {
		TAILQ_REMOVE(&module->news, news, link);
		free(news);
	}
}
