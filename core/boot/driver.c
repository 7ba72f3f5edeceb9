#include <errno.h>
#include <stddef.h>

#include "boot/driver.h"
#include "boot/machine.h"
#include "payload/payload.h"
#include "seam/usb.h"

/*
 * Timeouts are rpiboot's, and the last of them is not to be shortened: a module that writes its
 * EEPROM is silent for many seconds, and a request that is cancelled under it and made again puts
 * the two sides out of step for good (rpi-imager's src/rpiboot/file_server.cpp tells the tale).
 */
#define ANNOUNCE_TIMEOUT_MS 1000
#define CHUNK_TIMEOUT_MS    5000
#define RECEIVE_TIMEOUT_MS  20000

#define CHUNK_SIZE (16 * 1024)

/* One dialogue under way. */
struct conversation {
	struct usb_device *device;
	const struct boot_chip *chip;
	struct payload *payload;
	const char *port;
	const struct boot_observer *observer;
	struct payload_file *file; /* found last; ours to close */
	uint8_t buffer[CHUNK_SIZE];
};

static void tell(const struct boot_observer *observer, const struct boot_action *news)
{
	if (!observer)
		return;
	if (news->line && observer->line)
		observer->line(observer->data, news->line);
	if (news->served && observer->served)
		observer->served(observer->data, news->served->name, news->served->size,
			news->served->found);
	if (news->metadata && observer->metadata)
		observer->metadata(observer->data, news->metadata->key, news->metadata->value);
}

static int announce(struct usb_device *device, uint32_t size)
{
	uint16_t value, index;

	wire_split(size, &value, &index);
	return device->ops->control_out(device, value, index, ANNOUNCE_TIMEOUT_MS);
}

/* The module counts bytes: after a chunk that arrived in part nobody knows where it stands. */
static int send_chunk(struct usb_device *device, const void *bytes, size_t size)
{
	ssize_t n = device->ops->bulk_out(device, bytes, size, CHUNK_TIMEOUT_MS);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EPROTO;
}

static void send_bytes(struct conversation *c, const struct boot_action *action,
	struct boot_completion *completion)
{
	completion->bus = announce(c->device, action->size);

	for (uint32_t done = 0; completion->bus == 0 && done < action->size;) {
		uint32_t left = action->size - done;
		uint32_t n = left < CHUNK_SIZE ? left : CHUNK_SIZE;

		completion->bus = send_chunk(c->device, action->bytes + done, n);
		done += n;
	}
}

static void send_file(struct conversation *c, const struct boot_action *action,
	struct boot_completion *completion)
{
	completion->bus = announce(c->device, action->size);

	for (uint32_t done = 0; completion->bus == 0 && done < action->size;) {
		uint32_t left = action->size - done;
		uint32_t n = left < CHUNK_SIZE ? left : CHUNK_SIZE;

		completion->file = payload_file_read(c->file, c->buffer, n, done);
		if (completion->file < 0)
			return;
		completion->bus = send_chunk(c->device, c->buffer, n);
		done += n;
	}
}

static void receive(struct conversation *c, const struct boot_action *action,
	struct boot_completion *completion)
{
	uint16_t value, index;
	ssize_t n;

	wire_split(action->size, &value, &index);
	n = c->device->ops->control_in(
		c->device, value, index, c->buffer, action->size, RECEIVE_TIMEOUT_MS);

	if (n < 0) {
		completion->bus = (int)n;
	} else if ((size_t)n > action->size) {
		completion->bus = -EOVERFLOW;
	} else {
		completion->bytes = c->buffer;
		completion->n_bytes = (size_t)n;
	}
}

static void found(struct conversation *c, int r, struct payload_file *file,
	struct boot_completion *completion)
{
	payload_file_close(c->file);
	c->file = r < 0 ? NULL : file;
	completion->file = r;
	completion->size = r < 0 ? 0 : payload_file_size(file);
}

static void read_file(struct conversation *c, const struct boot_action *action,
	struct boot_completion *completion)
{
	completion->file = payload_file_read(c->file, c->buffer, action->size, 0);
	completion->bytes = c->buffer;
	completion->n_bytes = action->size;
}

static void perform(struct conversation *c, const struct boot_action *action,
	struct boot_completion *completion)
{
	struct payload_file *file = NULL;
	int r;

	switch (action->kind) {
	case BOOT_ACTION_FIND:
		r = payload_find(c->payload, c->chip, c->port, action->name, &file);
		found(c, r, file, completion);
		break;
	case BOOT_ACTION_FIND_SECOND_STAGE:
		r = payload_find_second_stage(c->payload, c->chip, &file);
		found(c, r, file, completion);
		break;
	case BOOT_ACTION_READ_FILE:
		read_file(c, action, completion);
		break;
	case BOOT_ACTION_ANNOUNCE:
		completion->bus = announce(c->device, action->size);
		break;
	case BOOT_ACTION_SEND_BYTES:
		send_bytes(c, action, completion);
		break;
	case BOOT_ACTION_SEND_FILE:
		send_file(c, action, completion);
		break;
	case BOOT_ACTION_RECEIVE:
		receive(c, action, completion);
		break;
	case BOOT_ACTION_END:
		break;
	}
}

static int converse(struct conversation *c, struct boot_machine *machine)
{
	const struct boot_action *action = boot_machine_step(machine, NULL);

	for (;;) {
		struct boot_completion completion = {0};

		tell(c->observer, action);
		if (action->kind == BOOT_ACTION_END)
			break;
		perform(c, action, &completion);
		action = boot_machine_step(machine, &completion);
	}

	payload_file_close(c->file);
	return action->result;
}

int boot_run_rom(struct usb_device *device, const struct boot_chip *chip, struct payload *payload,
	const char *port, const struct boot_observer *observer)
{
	struct conversation c = {
		.device = device,
		.chip = chip,
		.payload = payload,
		.port = port,
		.observer = observer,
	};
	struct boot_machine machine;

	boot_machine_init_rom(&machine, chip);
	return converse(&c, &machine);
}

int boot_run_server(struct usb_device *device, const struct boot_chip *chip,
	struct payload *payload, const char *port, const struct boot_observer *observer)
{
	struct conversation c = {
		.device = device,
		.chip = chip,
		.payload = payload,
		.port = port,
		.observer = observer,
	};
	struct boot_machine machine;

	boot_machine_init_server(&machine);
	return converse(&c, &machine);
}
