#pragma once

#include <cm4fs/diagnosis.h>
#include <cm4fs/fleet.h>
#include <cm4fs/module.h>

#include "text.h"

/*
 * The lines of `events`, each an object of JSON with its newline. Each function appends one to @text, with the time
 * that it is now: 0, or -ENOMEM with @text as it was. Pure but for the memory and the clock; any thread.
 */
int fs_event_hello(struct fs_text *text);
int fs_event_attach(struct fs_text *text, const struct cm4_status *status);
int fs_event_state(struct fs_text *text, const struct cm4_status *status);
int fs_event_progress(struct fs_text *text, const struct cm4_status *status);
int fs_event_file(struct fs_text *text, const struct cm4_news *news);

/* It left the bus. @kept: its directory stays, and there will be another one when that goes. */
int fs_event_detach(struct fs_text *text, const struct cm4_status *status, bool kept);

/* @serial: of the finding's module; NULL where it has none, or is no module's. */
int fs_event_finding(
	struct fs_text *text, const struct cm4_finding *finding, const char *serial, bool over);

int fs_event_lost(struct fs_text *text, uint64_t lines);
