#include "layout/layout.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "layout/internal.h"
#include "util/bytes.h"
#include "util/cleanup.h"

static void say(struct layout *layout, enum layout_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct layout *layout, enum layout_kind kind, const char *format, ...)
{
	va_list arguments;

	layout->kind = kind;
	va_start(arguments, format);
	vsnprintf(layout->text, sizeof(layout->text), format, arguments);
	va_end(arguments);
}

static void judge_mbr(struct probe *probe)
{
	unsigned n = mbr_measure(probe, "");

	if (n == 0)
		say(&probe->layout, LAYOUT_MBR, "MBR with no partitions");
	else
		say(&probe->layout, LAYOUT_MBR, "MBR with %u partition%s", n, n == 1 ? "" : "s");
}

/*
 * libblkid has the word on what it is, for its checks are the stricter ones; only if it is of the
 * kind that is measured here, is it measured.
 */
static void judge_filesystem(struct probe *probe, const struct signature *signature)
{
	const char *name = NULL;

	if (strcmp(signature->type, "vfat") == 0 || strncmp(signature->type, "ext", 3) == 0)
		name = superblock_measure(probe, 0, "");
	say(&probe->layout, LAYOUT_FILESYSTEM, "%s %s", name ? name : signature->type,
		signature->filesystem ? "filesystem" : "volume");
}

static void judge_nothing(struct probe *probe)
{
	const char *text = "no partition table and no known filesystem";

	if (probe->source->size == 0)
		text = "nothing at all";
	else if (is_zeros(probe->head, LAYOUT_HEAD))
		text = "nothing but zeros";
	else if (mbr_is_protective(probe->head))
		text = "GPT with a damaged header";
	say(&probe->layout, LAYOUT_NONE, "%s", text);
}

int layout_judge(struct probe *probe, const struct signature *signature)
{
	uint32_t sector = mbr_is_protective(probe->head) ? gpt_find(probe->head) : 0;
	bool table = signature->mbr && mbr_entries(probe->head) > 0;

	if (sector)
		gpt_measure(probe, sector);
	else if (table || (signature->mbr && !signature->type[0]))
		judge_mbr(probe);
	else if (signature->type[0])
		judge_filesystem(probe, signature);
	else
		judge_nothing(probe);
	return probe->error;
}

int layout_probe(const struct layout_source *source, struct layout *ret_layout)
{
	_cleanup_(layout_head_fini) struct layout_head head = {.fd = -1};
	struct probe probe = {.source = source};
	struct signature signature;
	int r;

	r = layout_head_init(&head);
	if (r < 0)
		return r;
	if (source->size > 0) {
		r = source->read(source->data, head.bytes,
			source->size < LAYOUT_HEAD ? (size_t)source->size : LAYOUT_HEAD, 0);
		if (r < 0)
			return r;
	}
	r = signature_find(&head, &signature);
	if (r < 0)
		return r;
	probe.head = head.bytes;
	r = layout_judge(&probe, &signature);
	if (r < 0)
		return r;
	*ret_layout = probe.layout;
	return 0;
}

void layout_explain(const struct layout *layout, uint64_t size, char *text, size_t text_size)
{
	const char *one = size == 1 ? "byte is" : "bytes are";

	if (layout->reaches == UINT64_MAX)
		snprintf(text, text_size, "%s ends past all bounds, and only %" PRIu64 " %s there",
			layout->last, size, one);
	else
		snprintf(text, text_size,
			"%s ends at byte %" PRIu64 ", and only %" PRIu64 " %s there", layout->last,
			layout->reaches, size, one);
}
