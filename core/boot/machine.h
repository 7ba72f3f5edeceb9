#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cm4fs/module.h>

#include "boot/chip.h"
#include "boot/wire.h"

/*
 * The boot protocol as a machine without I/O: it says what to do next, is told what came of it, and
 * says what to do then, until it ends. It knows of no USB and of no files; the driver (driver.h),
 * the tests and the fuzzer are its three worlds.
 *
 * There are two dialogues. With a ROM: header, second stage, status. With a second stage: it asks
 * for files, and is answered until it has had enough. A machine has one of them, once; it allocates
 * nothing and belongs to whoever steps it.
 *
 * The module is hostile, and so may be the payload's owner: every dialogue ends, after at most
 * BOOT_REQUESTS_MAX messages, whatever the completions say.
 */

#define BOOT_REQUESTS_MAX                                                                          \
	4096 /* a locked module asks for boot.sig again and again; hundreds were seen */
#define BOOT_MISSING_MAX 256 /* ... and one file that is missing, so often in a row */
#define BOOT_GARBAGE_MAX 3   /* messages in a row that are none: a reset leaves such behind */

enum boot_action_kind {
	BOOT_ACTION_FIND,	       /* look @name up; the file found replaces the one before */
	BOOT_ACTION_FIND_SECOND_STAGE, /* likewise, the chip's own; @name is it */
	BOOT_ACTION_READ_FILE,	       /* the first @size bytes of the file found */
	BOOT_ACTION_ANNOUNCE,	       /* say that @size bytes follow, and let none follow */
	BOOT_ACTION_SEND_BYTES,	       /* announce and send the @size bytes at @bytes */
	BOOT_ACTION_SEND_FILE, /* announce and send the file found, all of its @size bytes */
	BOOT_ACTION_RECEIVE,   /* at most @size bytes from the module */
	BOOT_ACTION_END,       /* with @result; see driver.h for its meaning */
};

/* What became of a file asked for. */
struct boot_served {
	const char *name;
	uint64_t size;
	bool found;
};

/* Everything pointed at is the machine's (or constant) and holds until its next step. */
struct boot_action {
	enum boot_action_kind kind;
	const char *name;
	const uint8_t *bytes;
	uint32_t size;
	int result;

	/* News, to be told before the action is done; NULL where there are none. */
	const char *line; /* for people */
	const struct boot_served *served;
	const struct cm4_metadata *metadata;
};

/* What came of an action. What does not concern its kind is ignored. */
struct boot_completion {
	int bus;       /* ANNOUNCE, SEND, RECEIVE: 0, or the USB seam's -errno */
	int file;      /* FIND, READ_FILE, SEND_FILE: 0, or payload.h's -errno; goes before @bus */
	uint64_t size; /* FIND: the file's size */
	const uint8_t *bytes; /* RECEIVE, READ_FILE: borrowed for the step */
	size_t n_bytes;
};

enum boot_state {
	BOOT_STATE_ROM_START,
	BOOT_STATE_ROM_FIND_SIGNATURE,
	BOOT_STATE_ROM_READ_SIGNATURE,
	BOOT_STATE_ROM_FIND_STAGE,
	BOOT_STATE_ROM_SEND_HEADER,
	BOOT_STATE_ROM_SEND_STAGE,
	BOOT_STATE_ROM_STATUS,
	BOOT_STATE_SERVER_START,
	BOOT_STATE_SERVER_LISTEN,
	BOOT_STATE_SERVER_FIND_FOR_SIZE,
	BOOT_STATE_SERVER_FIND_FOR_READ,
	BOOT_STATE_SERVER_ANSWER, /* a size, a missing file, metadata: nothing follows */
	BOOT_STATE_SERVER_SEND_FILE,
	BOOT_STATE_SERVER_ANSWER_DONE,
	BOOT_STATE_ENDED,
};

struct boot_machine {
	enum boot_state state;
	const struct boot_chip *chip;
	struct boot_action action;
	struct wire_header header;

	/* The file found last, and the one being asked for. */
	char name[WIRE_NAME_SIZE];
	bool has_file;
	uint32_t file_size;

	unsigned n_requests, n_garbage;
	unsigned n_missing;	      /* answers in a row that one file, ... */
	char missing[WIRE_NAME_SIZE]; /* ... this, is missing */

	/* What the news of an action point at. */
	char line[WIRE_NAME_SIZE + 128];
	struct boot_served served;
	struct cm4_metadata metadata;
};

void boot_machine_init_rom(struct boot_machine *machine, const struct boot_chip *chip);
void boot_machine_init_server(struct boot_machine *machine);

/*
 * The next action, given what came of the last; NULL the first time. Once it is END, it stays END.
 */
const struct boot_action *boot_machine_step(
	struct boot_machine *machine, const struct boot_completion *completion);
