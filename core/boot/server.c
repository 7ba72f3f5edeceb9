#include <errno.h>
#include <string.h>

#include "boot/dialogue.h"
#include "boot/metadata.h"
#include "boot/request.h"

/*
 * The dialogue with a second stage: it names a file, is told its size or given its bytes, and names
 * the next one, until it says Done or leaves the bus.
 *
 * Host and module take turns strictly, and nothing on the wire says whose turn it is. So a turn
 * that was not taken in full cannot be made up for: a file that breaks off in the middle, or a
 * request that was cancelled while the module still meant to speak, ends the dialogue. Garbage is
 * the exception, for it is what a module that has just reset leaves in the pipe; it is read past,
 * and not answered.
 */

static void listen(struct boot_machine *machine)
{
	if (machine->n_requests == BOOT_REQUESTS_MAX) {
		boot_tell(machine, "The module asks without end");
		boot_do_end(machine, -EPROTO);
		return;
	}
	machine->n_requests++;
	boot_do_receive(machine, sizeof(struct wire_message), BOOT_STATE_SERVER_LISTEN);
}

/* A locked module without a boot.sig would go on for hours (rpi-sb-provisioner#97). */
static void answer_missing(struct boot_machine *machine)
{
	if (strcmp(machine->missing, machine->name) != 0)
		machine->n_missing = 0;
	strcpy(machine->missing, machine->name);
	if (++machine->n_missing > BOOT_MISSING_MAX) {
		boot_tell(machine, "The module asks for %s again and again", machine->name);
		boot_do_end(machine, -EPROTO);
		return;
	}
	boot_tell_served(machine, machine->name, 0, false);
	boot_do_announce(machine, 0, BOOT_STATE_SERVER_ANSWER);
}

/* What was looked up for its size is not looked up again to be read: the size said stays true. */
static void asked_for_file(struct boot_machine *machine, const struct boot_request *request)
{
	bool reading = request->verb == BOOT_VERB_READ;
	bool at_hand = machine->has_file && strcmp(machine->name, request->name) == 0;

	strcpy(machine->name, request->name);

	if (request->refusal) {
		machine->has_file = false;
		boot_tell(machine, "Refused %s: %s", machine->name, request->refusal);
		answer_missing(machine);
	} else if (reading && at_hand) {
		boot_tell(machine, "File read: %s", machine->name);
		boot_do_send_file(machine, BOOT_STATE_SERVER_SEND_FILE);
	} else {
		boot_do_find(machine, machine->name,
			reading ? BOOT_STATE_SERVER_FIND_FOR_READ
				: BOOT_STATE_SERVER_FIND_FOR_SIZE);
	}
}

static void told_metadata(struct boot_machine *machine, const struct boot_request *request)
{
	if (request->refusal || boot_metadata_parse(request->name, &machine->metadata) < 0) {
		boot_tell(machine, "Metadata not understood: %s", request->name);
	} else {
		boot_tell(machine, "Metadata: %s = %s", machine->metadata.key,
			machine->metadata.value);
		machine->action.metadata = &machine->metadata;
	}
	boot_do_announce(machine, 0, BOOT_STATE_SERVER_ANSWER);
}

static void done(struct boot_machine *machine)
{
	boot_tell(machine, "Second stage boot server done");
	boot_do_end(machine, 0);
}

static void garbage(struct boot_machine *machine, int error)
{
	boot_tell(machine, "Garbage instead of a message: %s", boot_request_fault(error));
	if (++machine->n_garbage > BOOT_GARBAGE_MAX)
		boot_do_end(machine, -EPROTO);
	else
		listen(machine);
}

static void not_received(struct boot_machine *machine, int error)
{
	int result = boot_result_of_bus(error);

	if (result == -EPROTO) {
		garbage(machine, error);
		return;
	}
	if (result == -ENODEV)
		boot_tell(machine, "The module has left without Done");
	else if (result == -ETIMEDOUT)
		boot_tell(machine, "The module asks for nothing, and did not say Done");
	boot_do_end(machine, result);
}

static void received(struct boot_machine *machine, const struct boot_completion *completion)
{
	struct boot_request request;
	int r;

	if (completion->bus < 0) {
		not_received(machine, completion->bus);
		return;
	}

	r = boot_request_parse(completion->bytes, completion->n_bytes, &request);
	if (r < 0) {
		garbage(machine, r);
		return;
	}
	machine->n_garbage = 0;

	switch (request.verb) {
	case BOOT_VERB_SIZE:
	case BOOT_VERB_READ:
		asked_for_file(machine, &request);
		break;
	case BOOT_VERB_METADATA:
		told_metadata(machine, &request);
		break;
	case BOOT_VERB_DONE:
		/* Who says Done with a name expects no answer; usbboot gives none. */
		if (request.name[0])
			done(machine);
		else
			boot_do_announce(machine, 0, BOOT_STATE_SERVER_ANSWER_DONE);
		break;
	}
}

/* False when it was not, and the action says what follows from that. */
static bool file_found(struct boot_machine *machine, const struct boot_completion *completion)
{
	if (completion->file == -ENOENT) {
		boot_tell(machine, "Cannot open file %s", machine->name);
		answer_missing(machine);
		return false;
	}
	if (completion->file < 0) {
		boot_tell(machine, "Cannot read %s", machine->name);
		boot_do_end(machine, boot_result_of_file(completion->file));
		return false;
	}
	if (completion->size > WIRE_SIZE_MAX) {
		boot_tell(machine, "%s is too large to be announced", machine->name);
		answer_missing(machine);
		return false;
	}
	machine->has_file = true;
	machine->n_missing = 0;
	machine->file_size = (uint32_t)completion->size;
	return true;
}

static void found_for_size(struct boot_machine *machine, const struct boot_completion *completion)
{
	if (!file_found(machine, completion))
		return;
	if (machine->file_size == 0)
		boot_tell(machine, "WARNING: %s is empty", machine->name);
	boot_do_announce(machine, machine->file_size, BOOT_STATE_SERVER_ANSWER);
}

static void found_for_read(struct boot_machine *machine, const struct boot_completion *completion)
{
	if (!file_found(machine, completion))
		return;
	boot_tell(machine, "File read: %s", machine->name);
	boot_do_send_file(machine, BOOT_STATE_SERVER_SEND_FILE);
}

static void answered(struct boot_machine *machine, const struct boot_completion *completion)
{
	if (completion->bus < 0) {
		boot_tell(machine, "Failed to answer the module");
		boot_do_end(machine, boot_result_of_bus(completion->bus));
		return;
	}
	listen(machine);
}

/* It may have left before it could be answered, having said all it had to say. */
static void answered_done(struct boot_machine *machine, const struct boot_completion *completion)
{
	if (completion->bus == -ECANCELED)
		boot_do_end(machine, -ECANCELED);
	else
		done(machine);
}

static void file_sent(struct boot_machine *machine, const struct boot_completion *completion)
{
	if (completion->file < 0) {
		boot_tell(machine, "Cannot read %s", machine->name);
		boot_do_end(machine, boot_result_of_file(completion->file));
	} else if (completion->bus < 0) {
		boot_tell(machine, "Failed to send %s", machine->name);
		boot_do_end(machine, boot_result_of_bus(completion->bus));
	} else {
		boot_tell_served(machine, machine->name, machine->file_size, true);
		listen(machine);
	}
}

void boot_server_step(struct boot_machine *machine, const struct boot_completion *completion)
{
	switch (machine->state) {
	case BOOT_STATE_SERVER_START:
		boot_tell(machine, "Second stage boot server");
		listen(machine);
		break;
	case BOOT_STATE_SERVER_LISTEN:
		received(machine, completion);
		break;
	case BOOT_STATE_SERVER_FIND_FOR_SIZE:
		found_for_size(machine, completion);
		break;
	case BOOT_STATE_SERVER_FIND_FOR_READ:
		found_for_read(machine, completion);
		break;
	case BOOT_STATE_SERVER_ANSWER:
		answered(machine, completion);
		break;
	case BOOT_STATE_SERVER_SEND_FILE:
		file_sent(machine, completion);
		break;
	case BOOT_STATE_SERVER_ANSWER_DONE:
		answered_done(machine, completion);
		break;
	case BOOT_STATE_ROM_START:
	case BOOT_STATE_ROM_FIND_SIGNATURE:
	case BOOT_STATE_ROM_READ_SIGNATURE:
	case BOOT_STATE_ROM_FIND_STAGE:
	case BOOT_STATE_ROM_SEND_HEADER:
	case BOOT_STATE_ROM_SEND_STAGE:
	case BOOT_STATE_ROM_STATUS:
	case BOOT_STATE_ENDED:
		break;
	}
}
