#include "event.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "findings.h"
#include "json.h"

/*
 * Every event begins with its time and its word, and with whose it is; the rest is the event's own. As in json.c all
 * strings go through the cleaners, and a NULL from anywhere makes an -ENOMEM of the whole.
 */

#define VERSION 1
#define FLAGS	(JSON_COMPACT)

/* Takes @event over. */
static int append(struct fs_text *text, json_t *event)
{
	size_t size = event ? json_dumpb(event, NULL, 0, FLAGS) : 0;
	char *grown = size ? realloc(text->data, text->size + size + 1) : NULL;

	if (grown) {
		json_dumpb(event, grown + text->size, size, FLAGS);
		text->data = grown;
		text->size += size;
		text->data[text->size++] = '\n';
	}
	json_decref(event);
	return grown ? 0 : -ENOMEM;
}

static json_t *begin(const char *word)
{
	struct timespec now;
	char time[32];

	clock_gettime(CLOCK_REALTIME, &now);
	return json_pack("{s:s, s:s}", "time", fs_clean_time(&now, time), "event", word);
}

/* Takes both over; NULL where either is. */
static json_t *join(json_t *event, json_t *rest)
{
	if (event && rest && json_object_update(event, rest) == 0) {
		json_decref(rest);
		return event;
	}
	json_decref(event);
	json_decref(rest);
	return NULL;
}

static json_t *begin_module(const char *word, const struct cm4_status *status)
{
	return join(begin(word),
		json_pack("{s:s, s:s, s:s}", "serial", FS_ASCII(status->serial), "port",
			FS_ASCII(status->port), "name", FS_ASCII(status->name)));
}

int fs_event_hello(struct fs_text *text)
{
	return append(text, join(begin("hello"), json_pack("{s:i, s:i}", "version", VERSION, "pid",
							 (int)getpid())));
}

int fs_event_attach(struct fs_text *text, const struct cm4_status *status)
{
	return append(text, join(begin_module("attach", status),
				    json_pack("{s:s, s:i, s:s}", "model", FS_ASCII(status->model),
					    "link_mbps", (int)status->link_mbps, "stage",
					    cm4_stage_to_string(status->stage))));
}

int fs_event_state(struct fs_text *text, const struct cm4_status *status)
{
	char since[32];

	return append(text,
		join(begin_module("state", status),
			json_pack("{s:s, s:s, s:b, s:o, s:o, s:s}", "state",
				cm4_state_to_string(status->state), "stage",
				cm4_stage_to_string(status->stage), "gone", status->gone, "image",
				fs_json_image(status), "error", fs_json_error(&status->failure),
				"since", fs_clean_time(&status->since, since))));
}

int fs_event_progress(struct fs_text *text, const struct cm4_status *status)
{
	const struct cm4_image_status *image = &status->image;

	return append(text,
		join(begin_module("progress", status),
			json_pack("{s:s, s:s, s:I, s:I, s:o, s:I, s:I}", "state",
				cm4_state_to_string(status->state), "image", FS_UTF8(image->name),
				"bytes_in", (json_int_t)image->bytes_in, "bytes_written",
				(json_int_t)image->bytes_written, "bytes_total",
				image->bytes_total ? json_integer((json_int_t)image->bytes_total)
						   : json_null(),
				"bytes_proved", (json_int_t)image->bytes_proved, "bytes_per_second",
				(json_int_t)image->bytes_per_second)));
}

int fs_event_file(struct fs_text *text, const struct cm4_news *news)
{
	return append(text, join(begin_module("file", &news->status),
				    json_pack("{s:s, s:I}", "file", FS_ASCII(news->file.name),
					    "bytes", (json_int_t)news->file.bytes)));
}

int fs_event_detach(struct fs_text *text, const struct cm4_status *status, bool kept)
{
	return append(text, join(begin_module("detach", status),
				    json_pack("{s:s, s:b}", "state",
					    cm4_state_to_string(status->state), "kept", kept)));
}

int fs_event_finding(
	struct fs_text *text, const struct cm4_finding *finding, const char *serial, bool over)
{
	json_t *event = begin("finding");

	if (event && serial)
		event = join(event, json_pack("{s:s}", "serial", FS_ASCII(serial)));
	return append(text,
		join(event,
			json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:o}", "port",
				FS_ASCII(finding->port), "module", FS_ASCII(finding->module), "id",
				finding->id, "type", cm4_blame_to_string(finding->blame), "note",
				finding->note, "over", over, "text", FS_UTF8(finding->text),
				"advice", fs_findings_steps(finding->advice))));
}

int fs_event_lost(struct fs_text *text, uint64_t lines)
{
	return append(text, join(begin("lost"), json_pack("{s:I}", "lines", (json_int_t)lines)));
}
