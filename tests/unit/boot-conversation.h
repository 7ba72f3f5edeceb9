#pragma once

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/machine.h"

/*
 * A dialogue of the boot machine as a table: each turn is what came of the machine's last action, and what it
 * must do next. What an expectation leaves out is not looked at, but for news: a file that is reported served
 * or missing, and metadata, must be expected.
 */

enum came { START, OK, BUS, FILE_ERROR, FOUND, ASKS, BYTES };

struct turn {
	enum came came;
	int error;	   /* BUS, FILE_ERROR */
	uint64_t size;	   /* FOUND */
	uint32_t command;  /* ASKS */
	const char *name;  /* ASKS */
	const void *bytes; /* BYTES */
	size_t n;	   /* BYTES */

	enum boot_action_kind action;
	const char *looks_for; /* FIND */
	uint32_t says;	       /* ANNOUNCE, SEND, RECEIVE, READ_FILE: the size */
	int result;	       /* END */
	const char *line;
	const char *served, *missing;
	const char *key, *value;
};

/* What stands at the end of most rows. */
#define LISTENS	       .action = BOOT_ACTION_RECEIVE, .says = 260
#define ANSWERS(n_)    .action = BOOT_ACTION_ANNOUNCE, .says = (n_)
#define LOOKS_FOR(s)   .action = BOOT_ACTION_FIND, .looks_for = (s)
#define SENDS_FILE(n_) .action = BOOT_ACTION_SEND_FILE, .says = (n_)
#define ENDS(r)	       .action = BOOT_ACTION_END, .result = (r)

static inline void wire_message_make(
	struct wire_message *message, uint32_t command, const char *name)
{
	memset(message, 0, sizeof(*message));
	wire_put_le32(message->command, command);
	memcpy(message->name, name, strlen(name));
}

static inline void check_same(size_t i, const char *what, const char *expected, const char *got)
{
	if (!expected != !got || (expected && strcmp(expected, got) != 0))
		fail_msg("turn %zu: %s is \"%s\", not \"%s\"", i, what, got ? got : "(none)",
			expected ? expected : "(none)");
}

static inline void check_turn(size_t i, const struct turn *turn, const struct boot_action *action)
{
	if (action->kind != turn->action)
		fail_msg("turn %zu: action %d, not %d (line: %s)", i, action->kind, turn->action,
			action->line ? action->line : "(none)");
	if (turn->action == BOOT_ACTION_END && action->result != turn->result)
		fail_msg("turn %zu: ends with %d, not %d", i, action->result, turn->result);
	if (turn->action != BOOT_ACTION_END && action->size != turn->says)
		fail_msg("turn %zu: %u bytes, not %u", i, action->size, turn->says);
	if (turn->looks_for)
		check_same(i, "name looked for", turn->looks_for, action->name);
	if (turn->line)
		check_same(i, "line", turn->line, action->line);
	check_same(i, "file served", turn->served,
		action->served && action->served->found ? action->served->name : NULL);
	check_same(i, "file missing", turn->missing,
		action->served && !action->served->found ? action->served->name : NULL);
	check_same(i, "key", turn->key, action->metadata ? action->metadata->key : NULL);
	check_same(i, "value", turn->value, action->metadata ? action->metadata->value : NULL);
}

static inline void take_turn(struct boot_machine *machine, size_t i, const struct turn *turn)
{
	struct boot_completion completion = {.size = turn->size};
	struct wire_message message;

	switch (turn->came) {
	case START:
		check_turn(i, turn, boot_machine_step(machine, NULL));
		return;
	case OK:
	case FOUND:
		break;
	case BUS:
		completion.bus = turn->error;
		break;
	case FILE_ERROR:
		completion.file = turn->error;
		break;
	case ASKS:
		wire_message_make(&message, turn->command, turn->name);
		completion.bytes = (const uint8_t *)&message;
		completion.n_bytes = sizeof(message);
		break;
	case BYTES:
		completion.bytes = turn->bytes;
		completion.n_bytes = turn->n;
		break;
	}
	check_turn(i, turn, boot_machine_step(machine, &completion));
}

static inline void converse(struct boot_machine *machine, const struct turn *turns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		take_turn(machine, i, &turns[i]);
}

#define CONVERSE(machine, ...)                                                                     \
	do {                                                                                       \
		static const struct turn turns_[] = {__VA_ARGS__};                                 \
		converse(machine, turns_, sizeof(turns_) / sizeof(turns_[0]));                     \
	} while (0)
