#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <cm4fs/log.h>

#include "fs.h"
#include "ino.h"
#include "notify.h"
#include "util/cleanup.h"

/*
 * Only names with a long timeout need this. Of those a module's directory goes, and with it all
 * that is cached below; and control changes while a verb is under way. A new name needs nothing,
 * for the kernel keeps no note that a name was missing.
 */

struct news {
	TAILQ_ENTRY(news) link;
	uint64_t module;
	char name[CM4_NAME_MAX]; /* "": it is here, and its control is what changed */
};
TAILQ_HEAD(news_list, news);

struct fs_notify {
	struct fs *fs;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct news_list news; /* these three under the lock */
	bool sweep;
	bool stop;
};

static void tell_left(struct fs_notify *notify, const struct news *news)
{
	uint64_t child =
		fs_ino_encode((struct fs_ino){.kind = FS_KIND_DIR, .module = news->module});
	size_t length = strlen(news->name);
	int r = fuse_lowlevel_notify_delete(
		notify->fs->session, FUSE_ROOT_ID, child, news->name, length);

	/* Not empty in the kernel's eyes, or in use: then at least the name is asked for again. */
	if (r < 0 && r != -ENOENT)
		fuse_lowlevel_notify_inval_entry(
			notify->fs->session, FUSE_ROOT_ID, news->name, length);
	fs_drops_leave(&notify->fs->drops, news->module);
}

static void tell_control(struct fs_notify *notify, uint64_t module)
{
	static const char name[] = "control";
	uint64_t parent = fs_ino_encode((struct fs_ino){.kind = FS_KIND_DIR, .module = module});

	fuse_lowlevel_notify_inval_entry(notify->fs->session, parent, name, strlen(name));
}

static void tell_all(struct fs_notify *notify, struct news_list *list)
{
	struct news *news;

	while ((news = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, news, link);
		if (*news->name)
			tell_left(notify, news);
		else
			tell_control(notify, news->module);
		free(news);
	}
}

static void *run(void *data)
{
	struct fs_notify *notify = data;
	struct news_list work = TAILQ_HEAD_INITIALIZER(work);

	for (;;) {
		bool sweep;

		{
			LOCKED(&notify->lock);
			while (TAILQ_EMPTY(&notify->news) && !notify->sweep && !notify->stop)
				pthread_cond_wait(&notify->cond, &notify->lock);
			if (notify->stop)
				return NULL;
			sweep = notify->sweep;
			notify->sweep = false;
			TAILQ_CONCAT(&work, &notify->news, link);
		}
		if (sweep)
			fs_drops_sweep(&notify->fs->drops);
		tell_all(notify, &work);
	}
}

int fs_notify_new(struct fs *fs, struct fs_notify **ret_notify)
{
	struct fs_notify *notify = calloc(1, sizeof(*notify));
	int r;

	if (!notify)
		return -ENOMEM;
	notify->fs = fs;
	TAILQ_INIT(&notify->news);
	pthread_mutex_init(&notify->lock, NULL);
	pthread_cond_init(&notify->cond, NULL);
	r = -pthread_create(&notify->thread, NULL, run, notify);
	if (r < 0) {
		pthread_cond_destroy(&notify->cond);
		pthread_mutex_destroy(&notify->lock);
		free(notify);
		return r;
	}
	*ret_notify = notify;
	return 0;
}

void fs_notify_stop(struct fs_notify *notify)
{
	{
		LOCKED(&notify->lock);
		if (notify->stop)
			return;
		notify->stop = true;
		pthread_cond_signal(&notify->cond);
	}
	pthread_join(notify->thread, NULL);
}

void fs_notify_free(struct fs_notify *notify)
{
	struct news *news;

	if (!notify)
		return;
	fs_notify_stop(notify);
	while ((news = TAILQ_FIRST(&notify->news))) {
		TAILQ_REMOVE(&notify->news, news, link);
		free(news);
	}
	pthread_cond_destroy(&notify->cond);
	pthread_mutex_destroy(&notify->lock);
	free(notify);
}

static void add(struct fs_notify *notify, uint64_t module, const char *name)
{
	struct news *news = calloc(1, sizeof(*news));

	if (!news) {
		cm4_log(LOG_ERR, "no memory to tell the kernel what has changed");
		return;
	}
	news->module = module;
	snprintf(news->name, sizeof(news->name), "%s", name);

	LOCKED(&notify->lock);
	TAILQ_INSERT_TAIL(&notify->news, news, link);
	pthread_cond_signal(&notify->cond);
}

void fs_notify_left(struct fs_notify *notify, uint64_t module, const char *name)
{
	add(notify, module, name);
}

void fs_notify_control(struct fs_notify *notify, uint64_t module)
{
	add(notify, module, "");
}

void fs_notify_sweep(struct fs_notify *notify)
{
	LOCKED(&notify->lock);
	notify->sweep = true;
	pthread_cond_signal(&notify->cond);
}
