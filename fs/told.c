#include "told.h"

#include <stdlib.h>
#include <string.h>

#include <cm4fs/log.h>

#include "event.h"

#define NEVER UINT64_MAX

struct fs_told_module {
	TAILQ_ENTRY(fs_told_module) link;
	struct cm4_status status; /* as of its last news */
	bool detached;		  /* ... and that has been told */
	uint64_t progress_at;	  /* when its progress was told last; 0: it was not */
	uint64_t due;		  /* of its next progress; NEVER: none */
};

void fs_told_init(struct fs_told *told)
{
	memset(told, 0, sizeof(*told));
	TAILQ_INIT(&told->modules);
}

static void remove_module(struct fs_told *told, struct fs_told_module *module)
{
	TAILQ_REMOVE(&told->modules, module, link);
	free(module);
}

void fs_told_fini(struct fs_told *told)
{
	while (!TAILQ_EMPTY(&told->modules))
		remove_module(told, TAILQ_FIRST(&told->modules));
	cm4_report_fini(&told->report);
}

static struct fs_told_module *find(struct fs_told *told, uint64_t id)
{
	struct fs_told_module *module;

	TAILQ_FOREACH (module, &told->modules, link)
		if (module->status.id == id)
			return module;
	return NULL;
}

static bool is_flashing(const struct cm4_status *status)
{
	return status->state == CM4_STATE_FLASHING || status->state == CM4_STATE_VERIFYING;
}

static bool is_same_failure(const struct cm4_failure *a, const struct cm4_failure *b)
{
	return a->error == b->error && strcmp(a->text, b->text) == 0;
}

static void add_module(
	struct fs_told *told, const struct cm4_status *status, uint64_t now, struct fs_text *text)
{
	struct fs_told_module *module = calloc(1, sizeof(*module));

	if (!module) {
		cm4_log(LOG_ERR, "no memory to tell readers of a module");
		return;
	}
	module->status = *status;
	module->due = is_flashing(status) ? now + FS_TOLD_PROGRESS_MS : NEVER;
	TAILQ_INSERT_TAIL(&told->modules, module, link);
	if (text) {
		fs_event_attach(text, status);
		fs_event_state(text, status);
	}
}

/* It is told now where the last one is long enough ago; else it stays due until it is. */
static void end_progress(struct fs_told_module *module, const struct cm4_status *status,
	uint64_t now, struct fs_text *text)
{
	uint64_t earliest = module->progress_at ? module->progress_at + FS_TOLD_PROGRESS_MS : 0;

	module->due = NEVER;
	if (!text || !status->has_image)
		return;
	if (now < earliest) {
		module->due = earliest;
		return;
	}
	fs_event_progress(text, status);
	module->progress_at = now;
}

static void detach(struct fs_told_module *module, const struct cm4_status *status, bool kept,
	struct fs_text *text)
{
	module->detached = true;
	if (text)
		fs_event_detach(text, status, kept);
}

/* A directory stays behind after a failure, and where an image is not whole. */
static bool is_kept(const struct cm4_status *status)
{
	return status->state == CM4_STATE_FAILED || status->state == CM4_STATE_INCOMPLETE;
}

static void change_module(struct fs_told_module *module, const struct cm4_status *status,
	uint64_t now, struct fs_text *text)
{
	const struct cm4_status *before = &module->status;

	if (is_flashing(status) && !is_flashing(before))
		module->due = now + FS_TOLD_PROGRESS_MS;
	else if (!is_flashing(status) && is_flashing(before))
		end_progress(module, status, now, text);
	if (text && (status->state != before->state ||
			    !is_same_failure(&status->failure, &before->failure)))
		fs_event_state(text, status);
	if (status->gone && !before->gone)
		detach(module, status, is_kept(status), text);
	module->status = *status;
}

void fs_told_news(
	struct fs_told *told, const struct cm4_news *news, uint64_t now, struct fs_text *text)
{
	struct fs_told_module *module = find(told, news->status.id);

	if (news->change == CM4_CHANGE_APPEARED) {
		add_module(told, &news->status, now, text);
		return;
	}
	if (!module)
		return;
	switch (news->change) {
	case CM4_CHANGE_APPEARED:
		return;
	case CM4_CHANGE_LEFT:
		if (!module->detached || is_kept(&module->status))
			detach(module, &news->status, false, text);
		remove_module(told, module);
		return;
	case CM4_CHANGE_STATE:
	case CM4_CHANGE_IMAGE:
		change_module(module, &news->status, now, text);
		return;
	case CM4_CHANGE_SERVED:
		if (text && news->file.found)
			fs_event_file(text, news);
		return;
	}
}

uint64_t fs_told_due(const struct fs_told *told, uint64_t *ret_module)
{
	const struct fs_told_module *module;
	uint64_t due = NEVER;

	TAILQ_FOREACH (module, &told->modules, link)
		if (module->due < due) {
			due = module->due;
			*ret_module = module->status.id;
		}
	return due;
}

void fs_told_progress(
	struct fs_told *told, const struct cm4_status *status, uint64_t now, struct fs_text *text)
{
	struct fs_told_module *module = find(told, status->id);

	if (!module || module->due > now)
		return;
	module->due = is_flashing(&module->status) ? now + FS_TOLD_PROGRESS_MS : NEVER;
	module->progress_at = now;
	if (text && status->has_image)
		fs_event_progress(text, status);
}

void fs_told_no_progress(struct fs_told *told, uint64_t id)
{
	struct fs_told_module *module = find(told, id);

	if (module)
		module->due = NEVER;
}

/* Findings that are of one port, one module and one kind are the same, whatever else was seen meanwhile. */
static bool has(const struct cm4_report *report, const struct cm4_finding *finding)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct cm4_finding *other = &report->findings[i];

		if (!other->earlier && strcmp(other->id, finding->id) == 0 &&
			strcmp(other->port, finding->port) == 0 &&
			strcmp(other->module, finding->module) == 0)
			return true;
	}
	return false;
}

static void tell_finding(const struct fs_told *told, const struct cm4_finding *finding, bool over,
	struct fs_text *text)
{
	const struct fs_told_module *module;
	const char *serial = NULL;

	TAILQ_FOREACH (module, &told->modules, link)
		if (*finding->module && strcmp(module->status.name, finding->module) == 0 &&
			*module->status.serial)
			serial = module->status.serial;
	fs_event_finding(text, finding, serial, over);
}

static void tell_findings(const struct fs_told *told, const struct cm4_report *of,
	const struct cm4_report *not_in, bool over, struct fs_text *text)
{
	for (size_t i = 0; i < of->n; i++)
		if (!of->findings[i].earlier && !has(not_in, &of->findings[i]))
			tell_finding(told, &of->findings[i], over, text);
}

void fs_told_report(struct fs_told *told, const struct cm4_report *report, struct fs_text *text)
{
	if (text) {
		tell_findings(told, &told->report, report, true, text);
		tell_findings(told, report, &told->report, false, text);
	}
	cm4_report_fini(&told->report);
	told->report = *report;
}

void fs_told_greet(const struct fs_told *told, struct fs_text *text)
{
	const struct cm4_report none = {0};
	const struct fs_told_module *module;

	fs_event_hello(text);
	TAILQ_FOREACH (module, &told->modules, link)
		fs_event_state(text, &module->status);
	tell_findings(told, &told->report, &none, false, text);
}
