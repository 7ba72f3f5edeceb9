#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"
#include "json.h"
#include "text.h"
#include "util/hex.h"

/*
 * Keys and their order are the interface's. jansson gives NULL for a string that is no UTF-8, so
 * everything goes through the cleaners first; a NULL from anywhere makes json_pack fail, which is
 * -ENOMEM in the end.
 */

static json_t *metadata(const struct cm4_status *status)
{
	json_t *object = json_object();

	for (size_t i = 0; i < status->n_metadata; i++)
		if (json_object_set_new(object, FS_ASCII(status->metadata[i].key),
			    json_string(FS_ASCII(status->metadata[i].value))) < 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static json_t *disks(const struct cm4_status *status)
{
	json_t *array = json_array();

	for (size_t i = 0; i < status->n_disks; i++)
		if (json_array_append_new(
			    array, json_pack("{s:s, s:I}", "name", FS_ASCII(status->disks[i].name),
					   "bytes", (json_int_t)status->disks[i].bytes)) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *sum(bool known, const unsigned char hash[32])
{
	char text[65];

	if (!known)
		return json_null();
	hex_encode(hash, 32, text);
	return json_string(text);
}

json_t *fs_json_image(const struct cm4_status *status)
{
	const struct cm4_image_status *image = &status->image;

	if (!status->has_image)
		return json_null();
	return json_pack("{s:s, s:s, s:I, s:o, s:I, s:I, s:I, s:o, s:o, s:s, s:s, s:b}", "name",
		FS_UTF8(image->name), "format", image->format, "bytes_in",
		(json_int_t)image->bytes_in, "bytes_total",
		image->bytes_total ? json_integer((json_int_t)image->bytes_total) : json_null(),
		"bytes_written", (json_int_t)image->bytes_written, "bytes_proved",
		(json_int_t)image->bytes_proved, "bytes_per_second",
		(json_int_t)image->bytes_per_second, "sha256_dropped",
		sum(image->has_sha256_dropped, image->sha256_dropped), "sha256_raw",
		sum(image->has_sha256_raw, image->sha256_raw), "verify",
		cm4_verify_to_string(image->verify), "verify_reason",
		FS_ASCII(image->verify_reason), "whole", image->whole);
}

json_t *fs_json_error(const struct cm4_failure *failure)
{
	const char *name = strerrorname_np(failure->error);

	if (!failure->error)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s}", "errno", name ? name : "EIO", "type",
		cm4_blame_to_string(failure->blame), "text", FS_UTF8(failure->text), "advice",
		FS_UTF8(failure->advice));
}

/* "name" and "boot_ms" are additions to the interface's keys. */
static json_t *module(const struct cm4_status *status)
{
	char since[32];

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:s, s:i}",
		"name", FS_ASCII(status->name), "serial", FS_ASCII(status->serial), "port",
		FS_ASCII(status->port), "model", FS_ASCII(status->model), "link_mbps",
		(int)status->link_mbps, "stage", cm4_stage_to_string(status->stage), "state",
		cm4_state_to_string(status->state), "gone", status->gone, "payload",
		FS_UTF8(status->payload), "metadata", metadata(status), "disks", disks(status),
		"image", fs_json_image(status), "error", fs_json_error(&status->failure), "since",
		fs_clean_time(&status->since, since), "boot_ms", (int)status->boot_ms);
}

/* Takes @root over. */
static int dump(json_t *root, struct fs_text *ret_text)
{
	struct fs_text text = {0};
	char *data;

	if (!root)
		return -ENOMEM;
	text.size = json_dumpb(root, NULL, 0, JSON_INDENT(2));
	data = malloc(text.size + 1);
	if (!data || !text.size) {
		free(data);
		json_decref(root);
		return -ENOMEM;
	}
	json_dumpb(root, data, text.size, JSON_INDENT(2));
	json_decref(root);
	data[text.size++] = '\n';
	text.data = data;
	*ret_text = text;
	return 0;
}

int fs_json_module(const struct cm4_status *status, struct fs_text *ret_text)
{
	return dump(module(status), ret_text);
}

int fs_json_root(const struct cm4_status *statuses, size_t n, const struct cm4_report *report,
	struct fs_text *ret_text)
{
	json_t *modules = json_array();

	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(modules, module(&statuses[i])) < 0) {
			json_decref(modules);
			return -ENOMEM;
		}
	return dump(json_pack("{s:i, s:o, s:o}", "version", 1, "modules", modules, "findings",
			    fs_findings_json(report)),
		ret_text);
}
