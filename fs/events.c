#include "events.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "event.h"
#include "fs.h"
#include "op.h"
#include "ring.h"
#include "told.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define LOOK_MS 1000 /* how often it is looked for findings */
#define NEVER	UINT64_MAX

/* The kernel's wish to hear of something new, once. */
struct wish {
	TAILQ_ENTRY(wish) link;
	struct fuse_pollhandle *poll;
};

struct fs_reader {
	TAILQ_ENTRY(fs_reader) link;
	struct fs_events *events;
	struct fs_ring_reader at;
	bool ends;
	struct fs_op_list parked; /* in the order in which they came */
	struct wish *wish;	  /* or NULL */
};

struct fs_events {
	struct fs *fs;
	pthread_t thread;

	pthread_mutex_t lock; /* guards all that follows, and readers */
	pthread_cond_t cond;  /* the thread's: there is a reader, or something is due, or the end */
	struct fs_ring ring;
	struct fs_told told;
	TAILQ_HEAD(, fs_reader) readers;
	uint64_t look_at; /* clock_ms */
	bool stop;
};

/* What has been made ready under the lock, to be sent without it. */
struct post {
	struct fs_op_list ops;
	TAILQ_HEAD(, wish) wishes;
};

static void post_init(struct post *post)
{
	TAILQ_INIT(&post->ops);
	TAILQ_INIT(&post->wishes);
}

static void post_send(struct post *post)
{
	struct wish *wish;
	struct fs_op *op;

	while ((op = TAILQ_FIRST(&post->ops))) {
		TAILQ_REMOVE(&post->ops, op, parking);
		fs_op_done(op, op->result);
	}
	while ((wish = TAILQ_FIRST(&post->wishes))) {
		TAILQ_REMOVE(&post->wishes, wish, link);
		fuse_lowlevel_notify_poll(wish->poll);
		fuse_pollhandle_destroy(wish->poll);
		free(wish);
	}
}

static int on_missed(uint64_t lines, struct fs_text *ret_text)
{
	return fs_event_lost(ret_text, lines);
}

/* Lock held, as for all that follow up to changed. */
static bool is_readable(const struct fs_reader *reader)
{
	return fs_ring_has(&reader->events->ring, &reader->at) || reader->ends ||
	       reader->events->stop;
}

static void read_now(struct fs_reader *reader, struct fs_op *op)
{
	op->result = (ssize_t)fs_ring_read(
		&reader->events->ring, &reader->at, on_missed, op->buffer, op->io.length);
}

static void serve(struct fs_reader *reader, struct post *post)
{
	struct fs_op *op;

	while (is_readable(reader) && (op = TAILQ_FIRST(&reader->parked))) {
		TAILQ_REMOVE(&reader->parked, op, parking);
		op->parked = false;
		read_now(reader, op);
		TAILQ_INSERT_TAIL(&post->ops, op, parking);
	}
	if (reader->wish)
		TAILQ_INSERT_TAIL(&post->wishes, reader->wish, link);
	reader->wish = NULL;
}

static void serve_all(struct fs_events *events, struct post *post)
{
	struct fs_reader *reader;

	TAILQ_FOREACH (reader, &events->readers, link)
		serve(reader, post);
}

/* Takes what is in @text over. */
static void say(struct fs_events *events, struct fs_text *text, struct post *post)
{
	if (text->size) {
		fs_ring_add(&events->ring, text);
		serve_all(events, post);
	}
	free(text->data);
}

static void look_soon(struct fs_events *events)
{
	events->look_at = 0;
	pthread_cond_signal(&events->cond);
}

void fs_events_changed(struct fs_events *events, const struct cm4_news *news)
{
	struct fs_text text = {0};
	struct post post;

	post_init(&post);
	{
		LOCKED(&events->lock);
		fs_told_news(&events->told, news, clock_ms(),
			TAILQ_EMPTY(&events->readers) ? NULL : &text);
		say(events, &text, &post);
		if (news->change != CM4_CHANGE_SERVED)
			look_soon(events);
	}
	post_send(&post);
}

static void look_for_findings(struct fs_events *events)
{
	struct cm4_report report;
	struct fs_text text = {0};
	struct post post;

	if (cm4_fleet_report(events->fs->fleet, &report) < 0)
		return;
	post_init(&post);
	{
		LOCKED(&events->lock);
		if (TAILQ_EMPTY(&events->readers)) {
			cm4_report_fini(&report);
			return;
		}
		fs_told_report(&events->told, &report, &text);
		say(events, &text, &post);
	}
	post_send(&post);
}

static void tell_progress(struct fs_events *events, uint64_t id)
{
	struct cm4_module *module = cm4_fleet_find_id(events->fs->fleet, id);
	struct fs_text text = {0};
	struct cm4_status status;
	struct post post;

	if (module)
		cm4_module_status(module, &status);
	cm4_module_unref(module);
	post_init(&post);
	{
		LOCKED(&events->lock);
		if (module)
			fs_told_progress(&events->told, &status, clock_ms(), &text);
		else
			fs_told_no_progress(&events->told, id);
		say(events, &text, &post);
	}
	post_send(&post);
}

struct work {
	bool look;
	uint64_t module; /* whose progress is due; 0: nobody's */
};

/* False: it is time to end. */
static bool wait_for_work(struct fs_events *events, struct work *work)
{
	LOCKED(&events->lock);

	*work = (struct work){0};
	while (!events->stop) {
		uint64_t now = clock_ms(), id = 0, due = NEVER;

		if (!TAILQ_EMPTY(&events->readers)) {
			due = fs_told_due(&events->told, &id);
			work->module = due <= now ? id : 0;
			work->look = events->look_at <= now;
			due = due < events->look_at ? due : events->look_at;
		}
		if (work->look)
			events->look_at = now + LOOK_MS;
		if (work->look || work->module)
			return true;
		cond_wait_until(
			&events->cond, &events->lock, due == NEVER ? UINT64_MAX : due * NS_PER_MS);
	}
	return false;
}

static void *run(void *data)
{
	struct fs_events *events = data;
	struct work work;

	while (wait_for_work(events, &work)) {
		if (work.look)
			look_for_findings(events);
		if (work.module)
			tell_progress(events, work.module);
	}
	return NULL;
}

int fs_events_new(struct fs *fs, struct fs_events **ret_events)
{
	struct fs_events *events = calloc(1, sizeof(*events));
	int r;

	if (!events)
		return -ENOMEM;
	events->fs = fs;
	fs_ring_init(&events->ring);
	fs_told_init(&events->told);
	TAILQ_INIT(&events->readers);
	pthread_mutex_init(&events->lock, NULL);
	cond_init(&events->cond);
	r = -pthread_create(&events->thread, NULL, run, events);
	if (r < 0) {
		pthread_cond_destroy(&events->cond);
		pthread_mutex_destroy(&events->lock);
		free(events);
		return r;
	}
	*ret_events = events;
	return 0;
}

void fs_events_stop(struct fs_events *events)
{
	struct post post;

	post_init(&post);
	{
		LOCKED(&events->lock);
		if (events->stop)
			return;
		events->stop = true;
		pthread_cond_signal(&events->cond);
		serve_all(events, &post);
	}
	post_send(&post);
	pthread_join(events->thread, NULL);
}

void fs_events_free(struct fs_events *events)
{
	if (!events)
		return;
	fs_events_stop(events);
	fs_told_fini(&events->told);
	fs_ring_fini(&events->ring);
	pthread_cond_destroy(&events->cond);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

int fs_events_open(struct fs_events *events, bool ends, struct fs_reader **ret_reader)
{
	struct fs_reader *reader = calloc(1, sizeof(*reader));
	struct fs_text text = {0};

	if (!reader)
		return -ENOMEM;
	reader->events = events;
	reader->ends = ends;
	TAILQ_INIT(&reader->parked);

	LOCKED(&events->lock);
	fs_told_greet(&events->told, &text);
	fs_ring_reader_init(&reader->at, &events->ring, text);
	if (TAILQ_EMPTY(&events->readers))
		look_soon(events);
	TAILQ_INSERT_TAIL(&events->readers, reader, link);
	*ret_reader = reader;
	return 0;
}

static void drop_wish(struct wish *wish)
{
	if (!wish)
		return;
	fuse_pollhandle_destroy(wish->poll);
	free(wish);
}

void fs_events_close(struct fs_reader *reader)
{
	struct cm4_report nothing = {0};
	struct fs_events *events;

	if (!reader)
		return;
	events = reader->events;
	{
		LOCKED(&events->lock);
		TAILQ_REMOVE(&events->readers, reader, link);
		if (TAILQ_EMPTY(&events->readers))
			fs_told_report(&events->told, &nothing, NULL);
	}
	drop_wish(reader->wish);
	fs_ring_reader_fini(&reader->at);
	free(reader);
}

void fs_events_read(struct fs_op *op, bool nonblock)
{
	struct fs_reader *reader = op->reader;
	ssize_t result = -EAGAIN;

	{
		LOCKED(&reader->events->lock);
		if (is_readable(reader)) {
			read_now(reader, op);
			result = op->result;
		} else if (!nonblock) {
			TAILQ_INSERT_TAIL(&reader->parked, op, parking);
			op->parked = true;
			return;
		}
	}
	fs_op_done(op, result);
}

/* The reader is there as long as a read of his is parked. */
void fs_events_give_up(struct fs_op *op)
{
	{
		LOCKED(&op->fs->events->lock);
		if (!op->parked)
			return;
		TAILQ_REMOVE(&op->reader->parked, op, parking);
		op->parked = false;
	}
	fs_op_done(op, -EINTR);
}

unsigned fs_events_poll(struct fs_reader *reader, struct fuse_pollhandle *poll)
{
	struct wish *wish = poll ? calloc(1, sizeof(*wish)) : NULL;

	if (wish)
		wish->poll = poll;
	else if (poll)
		fuse_pollhandle_destroy(poll);

	LOCKED(&reader->events->lock);
	if (wish) {
		drop_wish(reader->wish);
		reader->wish = wish;
	}
	return is_readable(reader) ? POLLIN | POLLRDNORM : 0;
}
