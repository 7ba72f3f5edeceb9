#include "verbs.h"

#include <errno.h>
#include <stdlib.h>

#include "util/cleanup.h"

struct fs_verbs_entry {
	TAILQ_ENTRY(fs_verbs_entry) link;
	uint64_t module;
	unsigned n;
};

void fs_verbs_init(struct fs_verbs *verbs)
{
	pthread_mutex_init(&verbs->lock, NULL);
	TAILQ_INIT(&verbs->entries);
	verbs->turn = 0;
}

void fs_verbs_fini(struct fs_verbs *verbs)
{
	struct fs_verbs_entry *entry;

	while ((entry = TAILQ_FIRST(&verbs->entries))) {
		TAILQ_REMOVE(&verbs->entries, entry, link);
		free(entry);
	}
	pthread_mutex_destroy(&verbs->lock);
}

static struct fs_verbs_entry *find(struct fs_verbs *verbs, uint64_t module)
{
	struct fs_verbs_entry *entry;

	TAILQ_FOREACH (entry, &verbs->entries, link)
		if (entry->module == module)
			return entry;
	return NULL;
}

int fs_verbs_begin(struct fs_verbs *verbs, uint64_t module)
{
	struct fs_verbs_entry *entry;
	LOCKED(&verbs->lock);

	entry = find(verbs, module);
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		entry->module = module;
		TAILQ_INSERT_TAIL(&verbs->entries, entry, link);
	}
	entry->n++;
	return 0;
}

void fs_verbs_end(struct fs_verbs *verbs, uint64_t module)
{
	struct fs_verbs_entry *entry;
	LOCKED(&verbs->lock);

	entry = find(verbs, module);
	if (--entry->n > 0)
		return;
	TAILQ_REMOVE(&verbs->entries, entry, link);
	free(entry);
}

unsigned fs_verbs_index(struct fs_verbs *verbs, uint64_t module)
{
	LOCKED(&verbs->lock);

	if (!find(verbs, module))
		return 0;
	verbs->turn = verbs->turn % (FS_INO_CONTROLS_MAX - 1) + 1;
	return verbs->turn;
}
