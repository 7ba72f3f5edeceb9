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
 * Only names with a long timeout need this, and of those only a module's directory goes: with it
 * goes all that is cached below. A new name needs nothing, for the kernel keeps no note that a
 * name was missing.
 */

struct left {
	TAILQ_ENTRY(left) link;
	uint64_t module;
	char name[CM4_NAME_MAX];
};
TAILQ_HEAD(left_list, left);

struct fs_notify {
	struct fs *fs;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct left_list left; /* these three under the lock */
	bool sweep;
	bool stop;
};

static void tell_left(struct fs_notify *notify, const struct left *left)
{
	uint64_t child =
		fs_ino_encode((struct fs_ino){.kind = FS_KIND_DIR, .module = left->module});
	size_t length = strlen(left->name);
	int r = fuse_lowlevel_notify_delete(
		notify->fs->session, FUSE_ROOT_ID, child, left->name, length);

	/* Not empty in the kernel's eyes, or in use: then at least the name is asked for again. */
	if (r < 0 && r != -ENOENT)
		fuse_lowlevel_notify_inval_entry(
			notify->fs->session, FUSE_ROOT_ID, left->name, length);
	fs_drops_leave(&notify->fs->drops, left->module);
}

static void tell_all(struct fs_notify *notify, struct left_list *list)
{
	struct left *left;

	while ((left = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, left, link);
		tell_left(notify, left);
		free(left);
	}
}

static void *run(void *data)
{
	struct fs_notify *notify = data;
	struct left_list work = TAILQ_HEAD_INITIALIZER(work);

	for (;;) {
		bool sweep;

		{
			LOCKED(&notify->lock);
			while (TAILQ_EMPTY(&notify->left) && !notify->sweep && !notify->stop)
				pthread_cond_wait(&notify->cond, &notify->lock);
			if (notify->stop)
				return NULL;
			sweep = notify->sweep;
			notify->sweep = false;
			TAILQ_CONCAT(&work, &notify->left, link);
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
	TAILQ_INIT(&notify->left);
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

void fs_notify_free(struct fs_notify *notify)
{
	struct left *left;

	if (!notify)
		return;
	{
		LOCKED(&notify->lock);
		notify->stop = true;
		pthread_cond_signal(&notify->cond);
	}
	pthread_join(notify->thread, NULL);
	while ((left = TAILQ_FIRST(&notify->left))) {
		TAILQ_REMOVE(&notify->left, left, link);
		free(left);
	}
	pthread_cond_destroy(&notify->cond);
	pthread_mutex_destroy(&notify->lock);
	free(notify);
}

void fs_notify_left(struct fs_notify *notify, uint64_t module, const char *name)
{
	struct left *left = calloc(1, sizeof(*left));

	if (!left) {
		cm4_log(LOG_ERR, "%s has left, and there is no memory to say so to the kernel",
			name);
		return;
	}
	left->module = module;
	snprintf(left->name, sizeof(left->name), "%s", name);

	LOCKED(&notify->lock);
	TAILQ_INSERT_TAIL(&notify->left, left, link);
	pthread_cond_signal(&notify->cond);
}

void fs_notify_sweep(struct fs_notify *notify)
{
	LOCKED(&notify->lock);
	notify->sweep = true;
	pthread_cond_signal(&notify->cond);
}
