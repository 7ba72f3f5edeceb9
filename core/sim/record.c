#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/record.h"

#define ITEMS_MAX 4096 /* a dialogue without end must not fill the memory */

const char *sim_event_to_string(enum sim_event event)
{
	switch (event) {
	case SIM_EVENT_PLUGGED:
		return "plugged";
	case SIM_EVENT_UNPLUGGED:
		return "unplugged";
	case SIM_EVENT_ROM:
		return "rom";
	case SIM_EVENT_HEADER:
		return "header";
	case SIM_EVENT_SECOND_STAGE:
		return "second-stage";
	case SIM_EVENT_STATUS:
		return "status";
	case SIM_EVENT_SECOND:
		return "second";
	case SIM_EVENT_SIZE:
		return "size";
	case SIM_EVENT_FILE:
		return "file";
	case SIM_EVENT_OTP:
		return "otp";
	case SIM_EVENT_EEPROM:
		return "eeprom";
	case SIM_EVENT_METADATA:
		return "metadata";
	case SIM_EVENT_BLINKS:
		return "blinks";
	case SIM_EVENT_DONE:
		return "done";
	case SIM_EVENT_DISK:
		return "disk";
	case SIM_EVENT_REFUSED:
		return "refused";
	}
	return "?";
}

int sim_record_init(struct sim_record *record, const char *path)
{
	*record = (struct sim_record){.fd = -1};
	if (!path)
		return 0;
	record->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	return record->fd < 0 ? -errno : 0;
}

void sim_record_finish(struct sim_record *record)
{
	free(record->items);
	if (record->fd >= 0)
		close(record->fd);
	*record = (struct sim_record){.fd = -1};
}

static void write_line(const struct sim_record *record, const struct sim_item *item)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "%s%s%s %llu%s%s\n", sim_event_to_string(item->event),
		*item->name ? " " : "", item->name, (unsigned long long)item->size,
		*item->digest ? " " : "", item->digest);

	/* A name may be hostile by order; a line is one all the same. */
	for (int i = 0; i + 1 < n; i++)
		line[i] = iscntrl((unsigned char)line[i]) ? '?' : line[i];
	/* A full disk loses lines of the record; the module goes on as if nothing were recorded. */
	if (write(record->fd, line, (size_t)n) < 0)
		return;
}

void sim_record_add(struct sim_record *record, enum sim_event event, const char *name,
	uint64_t size, const char *digest)
{
	struct sim_item *items = record->items, *item;

	if (record->n == ITEMS_MAX)
		return;
	/* Grown at every power of two. */
	if ((record->n & (record->n - 1)) == 0) {
		items = realloc(items, (record->n ? record->n * 2 : 1) * sizeof(*items));
		if (!items)
			return;
		record->items = items;
	}
	item = &items[record->n++];
	*item = (struct sim_item){.event = event, .size = size};
	snprintf(item->name, sizeof(item->name), "%s", name ? name : "");
	snprintf(item->digest, sizeof(item->digest), "%s", digest ? digest : "");

	if (record->fd >= 0)
		write_line(record, item);
}

int sim_inflow_begin(struct sim_inflow *inflow, uint64_t announced)
{
	sim_inflow_drop(inflow);
	inflow->hash = EVP_MD_CTX_new();
	if (!inflow->hash || !EVP_DigestInit_ex(inflow->hash, EVP_sha256(), NULL)) {
		sim_inflow_drop(inflow);
		return -ENOMEM;
	}
	inflow->announced = announced;
	inflow->received = 0;
	return 0;
}

int sim_inflow_take(struct sim_inflow *inflow, const void *data, size_t size, size_t packet)
{
	if (!inflow->hash || size == 0 || size > inflow->announced - inflow->received)
		return -EPIPE;
	if (size % packet && inflow->received + size < inflow->announced)
		return -EPIPE;
	EVP_DigestUpdate(inflow->hash, data, size);
	inflow->received += size;
	return 0;
}

int sim_inflow_end(struct sim_inflow *inflow, char digest[SIM_DIGEST_MAX])
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!inflow->hash || inflow->received < inflow->announced)
		return 0;
	if (!EVP_DigestFinal_ex(inflow->hash, raw, &n))
		return -ENOMEM;
	for (unsigned i = 0; i < n; i++)
		sprintf(digest + 2 * i, "%02x", raw[i]);
	sim_inflow_drop(inflow);
	return 1;
}

void sim_inflow_drop(struct sim_inflow *inflow)
{
	EVP_MD_CTX_free(inflow->hash);
	*inflow = (struct sim_inflow){0};
}
