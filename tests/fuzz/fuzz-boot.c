#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/machine.h"
#include "fuzz.h"

/*
 * The boot machine against a module, a bus and a payload that are all played by the input:
 *
 *   1 byte      bits 0-1: the chip; bit 2: the file server, else the ROM
 *   and for each action of the machine
 *   FIND        1 byte: 0 missing, 1 unreadable, 2 no memory, 3 found with the size in 8 bytes (little-
 *               endian), else found with a size of so many thousands
 *   READ_FILE   1 byte: odd unreadable, even read
 *   ANNOUNCE, SEND
 *               1 byte: from 0xf0 on an error of the bus, and 0xff one of the file, else it went well
 *   RECEIVE     1 byte: 0xf0 to 0xf7 an error of the bus; 0xf8 and above: 1 byte of length follows, and so
 *               many bytes are all that comes; else as many bytes as the machine asks for
 *
 * Where the input ends the module is gone. So each byte steers what it seems to, and a message is 260 bytes
 * in a row, for the fuzzer to learn from.
 */

struct input {
	const uint8_t *bytes;
	size_t left;
};

struct world {
	struct input input;
	bool has_file;
	uint64_t file_size;
	uint8_t message[WIRE_NAME_SIZE + 4];
};

static uint8_t take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->bytes++;
}

static int bus_error(uint8_t byte)
{
	static const int errors[8] = {
		-ENODEV, -EIO, -EPIPE, -ETIMEDOUT, -EPROTO, -ECANCELED, -EOVERFLOW, -ENOMEM};

	return errors[byte & 7];
}

static bool is_text(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

static bool leads_out(const char *name)
{
	char slashed[WIRE_NAME_SIZE + 2];

	snprintf(slashed, sizeof(slashed), "%s/", name);
	return name[0] == '/' || strncmp(slashed, "../", 3) == 0 || strstr(slashed, "/../");
}

static void check_news(const struct boot_action *action)
{
	if (action->line)
		CHECK(is_text(action->line));
	if (action->served)
		CHECK(is_text(action->served->name) &&
			(action->served->found || !action->served->size));
	if (action->metadata) {
		CHECK(action->metadata->key[0] && is_text(action->metadata->key));
		CHECK(is_text(action->metadata->value));
	}
}

static void check_result(int result)
{
	switch (-result) {
	case 0:
	case ENODEV:
	case ETIMEDOUT:
	case EPROTO:
	case ENOEXEC:
	case ENOPKG:
	case ECANCELED:
	case EIO:
	case ENOMEM:
		return;
	default:
		CHECK(!"a result of the contract");
	}
}

static void check_action(const struct world *world, const struct boot_action *action)
{
	check_news(action);
	switch (action->kind) {
	case BOOT_ACTION_FIND:
		CHECK(action->name[0] && is_text(action->name) && !leads_out(action->name));
		CHECK(strlen(action->name) < WIRE_NAME_SIZE);
		break;
	case BOOT_ACTION_FIND_SECOND_STAGE:
		CHECK(strncmp(action->name, "bootcode", 8) == 0);
		break;
	case BOOT_ACTION_READ_FILE:
		CHECK(world->has_file && action->size == 20 && world->file_size >= 20);
		break;
	case BOOT_ACTION_ANNOUNCE:
		CHECK(action->size == 0 || (world->has_file && action->size == world->file_size));
		break;
	case BOOT_ACTION_SEND_BYTES:
		CHECK(action->size == sizeof(struct wire_header));
		CHECK(wire_get_le32(action->bytes) == world->file_size);
		break;
	case BOOT_ACTION_SEND_FILE:
		CHECK(world->has_file && action->size == world->file_size);
		CHECK(action->size <= WIRE_SIZE_MAX);
		break;
	case BOOT_ACTION_RECEIVE:
		CHECK(action->size == 4 || action->size == sizeof(struct wire_message));
		break;
	case BOOT_ACTION_END:
		check_result(action->result);
		break;
	}
}

static void find(struct world *world, struct boot_completion *completion)
{
	static const int errors[3] = {-ENOENT, -EACCES, -ENOMEM};
	uint8_t byte = take(&world->input);

	world->has_file = byte > 2;
	if (byte <= 2) {
		completion->file = errors[byte];
		return;
	}
	if (byte == 3)
		for (int i = 0; i < 8; i++)
			completion->size |= (uint64_t)take(&world->input) << 8 * i;
	else
		completion->size = byte * 1000u;
	world->file_size = completion->size;
}

static void receive(struct world *world, size_t size, struct boot_completion *completion)
{
	uint8_t byte = take(&world->input);

	if (world->input.left == 0) {
		completion->bus = -ENODEV;
		return;
	}
	if (byte >= 0xf0 && byte <= 0xf7) {
		completion->bus = bus_error(byte);
		return;
	}
	if (byte >= 0xf8) {
		size_t n = take(&world->input);

		size = n < size ? n : size;
	}
	for (size_t i = 0; i < size; i++)
		world->message[i] = take(&world->input);
	completion->bytes = world->message;
	completion->n_bytes = size;
}

static void perform(
	struct world *world, const struct boot_action *action, struct boot_completion *completion)
{
	static const uint8_t signature[20] = "0123456789abcdefghi";
	uint8_t byte;

	switch (action->kind) {
	case BOOT_ACTION_FIND:
	case BOOT_ACTION_FIND_SECOND_STAGE:
		find(world, completion);
		break;
	case BOOT_ACTION_READ_FILE:
		completion->file = take(&world->input) & 1 ? -EIO : 0;
		completion->bytes = signature;
		completion->n_bytes = sizeof(signature);
		break;
	case BOOT_ACTION_ANNOUNCE:
	case BOOT_ACTION_SEND_BYTES:
	case BOOT_ACTION_SEND_FILE:
		byte = take(&world->input);
		if (byte == 0xff && action->kind == BOOT_ACTION_SEND_FILE)
			completion->file = -EIO;
		else if (byte >= 0xf0)
			completion->bus = bus_error(byte);
		break;
	case BOOT_ACTION_RECEIVE:
		receive(world, action->size, completion);
		break;
	case BOOT_ACTION_END:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct world world = {.input = {bytes, size}};
	const struct boot_action *action;
	struct boot_machine machine;
	uint8_t setting = take(&world.input);
	size_t steps = 0;

	if (setting & 4)
		boot_machine_init_server(&machine);
	else
		boot_machine_init_rom(&machine, boot_chip_at(setting & 3));

	for (action = boot_machine_step(&machine, NULL); action->kind != BOOT_ACTION_END;) {
		struct boot_completion completion = {0};

		check_action(&world, action);
		perform(&world, action, &completion);
		action = boot_machine_step(&machine, &completion);
		CHECK(++steps <= 3 * BOOT_REQUESTS_MAX + 8);
	}
	check_action(&world, action);
	CHECK(boot_machine_step(&machine, NULL)->kind == BOOT_ACTION_END);
	return 0;
}
