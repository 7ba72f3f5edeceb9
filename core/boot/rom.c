#include <errno.h>
#include <string.h>

#include "boot/dialogue.h"

/*
 * The dialogue with a ROM: 24 bytes of header, the second stage, four bytes of status.
 *
 * The last of these may well not come: a module whose second stage has started is off the bus
 * already. So a status that cannot be had is no failure, and neither does a good one prove
 * anything: what enumerates next on the port tells. Silence for the whole of the timeout, though,
 * from a module that is still there, is silence.
 */

static void find_stage(struct boot_machine *machine)
{
	boot_do_find(machine, machine->chip->second_stage, BOOT_STATE_ROM_FIND_STAGE);
	machine->action.kind = BOOT_ACTION_FIND_SECOND_STAGE;
}

static void start(struct boot_machine *machine)
{
	if (machine->chip->signature)
		boot_do_find(machine, machine->chip->signature, BOOT_STATE_ROM_FIND_SIGNATURE);
	else
		find_stage(machine);
}

/* Most payloads have none, and the header's field stays zero. */
static void signature_found(struct boot_machine *machine, const struct boot_completion *completion)
{
	if (completion->file == -ENOENT) {
		find_stage(machine);
	} else if (completion->file < 0) {
		boot_tell(machine, "Cannot read %s", machine->chip->signature);
		boot_do_end(machine, boot_result_of_file(completion->file));
	} else if (completion->size < sizeof(machine->header.signature)) {
		boot_tell(machine, "%s is shorter than a signature", machine->chip->signature);
		boot_do_end(machine, -EIO);
	} else {
		machine->action.kind = BOOT_ACTION_READ_FILE;
		machine->action.size = sizeof(machine->header.signature);
		machine->state = BOOT_STATE_ROM_READ_SIGNATURE;
	}
}

static void signature_read(struct boot_machine *machine, const struct boot_completion *completion)
{
	if (completion->file < 0 || completion->n_bytes != sizeof(machine->header.signature)) {
		boot_tell(machine, "Cannot read %s", machine->chip->signature);
		boot_do_end(machine, boot_result_of_file(completion->file));
		return;
	}
	memcpy(machine->header.signature, completion->bytes, completion->n_bytes);
	find_stage(machine);
}

static void stage_found(struct boot_machine *machine, const struct boot_completion *completion)
{
	const char *name = machine->chip->second_stage;

	if (completion->file < 0 && completion->file != -ENOENT) {
		boot_tell(machine, "Cannot read %s", name);
		boot_do_end(machine, boot_result_of_file(completion->file));
		return;
	}
	if (completion->file < 0 || completion->size == 0 || completion->size > WIRE_SIZE_MAX) {
		boot_tell(machine, "No %s to send", name);
		boot_do_end(machine, -ENOPKG);
		return;
	}

	machine->has_file = true;
	machine->file_size = (uint32_t)completion->size;
	wire_put_le32(machine->header.length, machine->file_size);

	boot_tell(machine, "Sending %s", name);
	machine->action.kind = BOOT_ACTION_SEND_BYTES;
	machine->action.bytes = (const uint8_t *)&machine->header;
	machine->action.size = sizeof(machine->header);
	machine->state = BOOT_STATE_ROM_SEND_HEADER;
}

static void header_sent(struct boot_machine *machine, const struct boot_completion *completion)
{
	if (completion->bus < 0) {
		boot_tell(machine, "Failed to send the header");
		boot_do_end(machine, boot_result_of_bus(completion->bus));
		return;
	}
	boot_do_send_file(machine, BOOT_STATE_ROM_SEND_STAGE);
}

static void stage_sent(struct boot_machine *machine, const struct boot_completion *completion)
{
	const char *name = machine->chip->second_stage;

	if (completion->file < 0) {
		boot_tell(machine, "Cannot read %s", name);
		boot_do_end(machine, boot_result_of_file(completion->file));
	} else if (completion->bus < 0) {
		boot_tell(machine, "Failed to send %s", name);
		boot_do_end(machine, boot_result_of_bus(completion->bus));
	} else {
		boot_tell_served(machine, name, machine->file_size, true);
		boot_do_receive(machine, sizeof(struct wire_status), BOOT_STATE_ROM_STATUS);
	}
}

static void status_failed(struct boot_machine *machine, int error)
{
	switch (-error) {
	case ECANCELED:
	case ENOMEM:
	case EOVERFLOW:
		boot_do_end(machine, boot_result_of_bus(error));
		break;
	case ETIMEDOUT:
		boot_tell(machine, "The module has taken %s and fell silent",
			machine->chip->second_stage);
		boot_do_end(machine, -ETIMEDOUT);
		break;
	default:
		boot_tell(machine, "The module has reset");
		boot_do_end(machine, 0);
	}
}

static void status_received(struct boot_machine *machine, const struct boot_completion *completion)
{
	const struct wire_status *status = (const struct wire_status *)completion->bytes;
	uint32_t code;

	if (completion->bus < 0) {
		status_failed(machine, completion->bus);
		return;
	}
	if (completion->n_bytes != sizeof(*status)) {
		boot_tell(machine, "Failed: a status of %zu bytes", completion->n_bytes);
		boot_do_end(machine, -EPROTO);
		return;
	}

	code = wire_get_le32(status->code);
	if (code == 0)
		boot_tell(machine, "Successful read 4 bytes");
	else
		boot_tell(machine, "Failed : 0x%x", code);
	boot_do_end(machine, code == 0 ? 0 : -ENOEXEC);
}

void boot_rom_step(struct boot_machine *machine, const struct boot_completion *completion)
{
	switch (machine->state) {
	case BOOT_STATE_ROM_START:
		start(machine);
		break;
	case BOOT_STATE_ROM_FIND_SIGNATURE:
		signature_found(machine, completion);
		break;
	case BOOT_STATE_ROM_READ_SIGNATURE:
		signature_read(machine, completion);
		break;
	case BOOT_STATE_ROM_FIND_STAGE:
		stage_found(machine, completion);
		break;
	case BOOT_STATE_ROM_SEND_HEADER:
		header_sent(machine, completion);
		break;
	case BOOT_STATE_ROM_SEND_STAGE:
		stage_sent(machine, completion);
		break;
	case BOOT_STATE_ROM_STATUS:
		status_received(machine, completion);
		break;
	case BOOT_STATE_SERVER_START:
	case BOOT_STATE_SERVER_LISTEN:
	case BOOT_STATE_SERVER_FIND_FOR_SIZE:
	case BOOT_STATE_SERVER_FIND_FOR_READ:
	case BOOT_STATE_SERVER_ANSWER:
	case BOOT_STATE_SERVER_SEND_FILE:
	case BOOT_STATE_SERVER_ANSWER_DONE:
	case BOOT_STATE_ENDED:
		break;
	}
}
