#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proof/scan.h"

/*
 * The lines that the module's shell is sent. They want no more than busybox's ash, dd and sha256sum, and none
 * is longer than what its line editor takes (1023 bytes), for on an unknown terminal that may be what reads.
 *
 * A line never holds the nonce as it stands in an answer, but with a pair of quotes in it, which the shell takes
 * out: so the line's own echo is never taken for its answer.
 */
#define COMMAND_MAX   1000
#define COMMAND_ALIGN 4096 /* of ranges, but at the end of a disk */

/* Where a line goes, as a string. What does not fit makes it empty, and is the caller's mistake. */
struct command {
	char text[COMMAND_MAX];
	size_t n;
};

/* What they are about. Borrowed. */
struct command_target {
	const char *nonce; /* the scanner's */
	const char *path;  /* of the disk, on the module */
	bool direct; /* dd can pass by the cache; else the caches are dropped before it reads */
};

/*
 * Is there a shell? Its echo is switched on, for without it busybox's ash does not use its line editor but fgets(3),
 * and takes the signal of a background job's end, which interrupts that, for the end of the input: it exits.
 * (Seen with 1.35; read_line_input in busybox's lineedit.c. The editor itself waits on.)
 */
void command_hello(struct command *command, const struct command_target *target, uint32_t id);

/* No word of jobs that end. No answer. */
void command_settle(struct command *command);

/* Can dd read the disk as @target says? STATUS 0: it can. */
void command_try(struct command *command, const struct command_target *target, uint32_t id);

/* The hash of a text that is known; whether the answer is right, command_is_sample tells. */
void command_sample(struct command *command, const struct command_target *target, uint32_t id);
bool command_is_sample(const struct scan_answer *answer);

/*
 * The hash of a range, in the background. That dd could not read it all shows by another hash, and by that alone:
 * with pipefail, busybox was seen to call pipes failed that were not.
 */
void command_hash(struct command *command, const struct command_target *target, uint32_t id,
	uint64_t offset, uint64_t length);

/* The shell as it was. No answer. */
void command_bye(struct command *command);
