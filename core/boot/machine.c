#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "boot/dialogue.h"

static void init(struct boot_machine *machine, enum boot_state state)
{
	*machine = (struct boot_machine){.state = state};
}

void boot_machine_init_rom(struct boot_machine *machine, const struct boot_chip *chip)
{
	init(machine, BOOT_STATE_ROM_START);
	machine->chip = chip;
}

void boot_machine_init_server(struct boot_machine *machine)
{
	init(machine, BOOT_STATE_SERVER_START);
}

const struct boot_action *boot_machine_step(
	struct boot_machine *machine, const struct boot_completion *completion)
{
	if (machine->state == BOOT_STATE_ENDED) {
		boot_do_end(machine, machine->action.result);
		return &machine->action;
	}

	machine->action = (struct boot_action){0};

	switch (machine->state) {
	case BOOT_STATE_ROM_START:
	case BOOT_STATE_ROM_FIND_SIGNATURE:
	case BOOT_STATE_ROM_READ_SIGNATURE:
	case BOOT_STATE_ROM_FIND_STAGE:
	case BOOT_STATE_ROM_SEND_HEADER:
	case BOOT_STATE_ROM_SEND_STAGE:
	case BOOT_STATE_ROM_STATUS:
		boot_rom_step(machine, completion);
		break;
	case BOOT_STATE_SERVER_START:
	case BOOT_STATE_SERVER_LISTEN:
	case BOOT_STATE_SERVER_FIND_FOR_SIZE:
	case BOOT_STATE_SERVER_FIND_FOR_READ:
	case BOOT_STATE_SERVER_ANSWER:
	case BOOT_STATE_SERVER_SEND_FILE:
	case BOOT_STATE_SERVER_ANSWER_DONE:
		boot_server_step(machine, completion);
		break;
	case BOOT_STATE_ENDED:
		break;
	}
	return &machine->action;
}

void boot_do_find(struct boot_machine *machine, const char *name, enum boot_state then)
{
	machine->action.kind = BOOT_ACTION_FIND;
	machine->action.name = name;
	machine->has_file = false;
	machine->state = then;
}

void boot_do_announce(struct boot_machine *machine, uint32_t size, enum boot_state then)
{
	machine->action.kind = BOOT_ACTION_ANNOUNCE;
	machine->action.size = size;
	machine->state = then;
}

void boot_do_send_file(struct boot_machine *machine, enum boot_state then)
{
	machine->action.kind = BOOT_ACTION_SEND_FILE;
	machine->action.size = machine->file_size;
	machine->state = then;
}

void boot_do_receive(struct boot_machine *machine, uint32_t size, enum boot_state then)
{
	machine->action.kind = BOOT_ACTION_RECEIVE;
	machine->action.size = size;
	machine->state = then;
}

void boot_do_end(struct boot_machine *machine, int result)
{
	struct boot_action end = {
		.kind = BOOT_ACTION_END,
		.result = result,
	};

	/* The news that came up with the end are told with it, and once. */
	if (machine->state != BOOT_STATE_ENDED) {
		end.line = machine->action.line;
		end.served = machine->action.served;
		end.metadata = machine->action.metadata;
	}
	machine->action = end;
	machine->state = BOOT_STATE_ENDED;
}

void boot_tell(struct boot_machine *machine, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(machine->line, sizeof(machine->line), format, args);
	va_end(args);
	machine->action.line = machine->line;
}

void boot_tell_served(struct boot_machine *machine, const char *name, uint64_t size, bool found)
{
	machine->served = (struct boot_served){.name = name, .size = size, .found = found};
	machine->action.served = &machine->served;
}

/*
 * A module that stalls what it has itself asked for, or breaks the protocol on the bus, is talking
 * nonsense; whatever else can befall a transfer means that the module, or its cable, is not there
 * as it was.
 */
int boot_result_of_bus(int error)
{
	switch (-error) {
	case ECANCELED:
	case ETIMEDOUT:
	case ENOMEM:
		return error;
	case EPIPE:
	case EPROTO:
	case EOVERFLOW:
		return -EPROTO;
	default:
		return -ENODEV;
	}
}

int boot_result_of_file(int error)
{
	return error == -ENOMEM ? -ENOMEM : -EIO;
}
