#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cm4fs/module.h>

#include "proof/sha256.h"

struct block;
struct console;

/*
 * Proves that a disk holds what was written to it, behind the writer's back. It is told of each range once it
 * was written, with the hash of what was; on its own thread it finds out whether the hash of what is there is
 * the same.
 *
 * PROVER_MEDIUM: the module hashes its own medium, past the cache that the writes went into (dialogue.h). The
 * link stays free. PROVER_READBACK: the ranges are read back over USB; that proves the link and the host, and
 * of the medium no more than the module's cache admits.
 *
 * Where a module has no console, or nobody answers there, or whoever did falls silent in the middle, all that
 * is not yet proved is read back, and prover_status says readback from then on.
 */
enum prover_kind { PROVER_MEDIUM, PROVER_READBACK };

/* The most that is written and unproved at a time, and so what a close() may have to wait for. */
#define PROVER_BACKLOG (14u << 20)
#define PROVER_PIECES  2048 /* ranges in it */

/*
 * Where it gets its ends from. Called on its thread, one at a time, at most once each; may block. What they give
 * belongs to the prover, which closes it. The errors are those of the seam (seam/backend.h).
 */
struct prover_source {
	int (*open_console)(void *data, struct console **ret_console);
	int (*open_block)(void *data, struct block **ret_block); /* a second one, for reading */
	void *data;
};

struct prover_status {
	enum prover_kind kind;
	char reason[160];      /* why it is readback although medium was wanted; else "" */
	uint64_t bytes_proved; /* a range that was added again counts again */
	uint64_t bytes_left;
	int error; /* 0 or what sticks */
	uint64_t error_offset;
	char error_text[256]; /* a sentence, without a full stop */
};

struct prover;

/*
 * @disk: by the module's own word; @source is copied. The thread starts, and with it the conversation, so that
 * nothing is lost by the time that takes. 0; -ENOMEM, -EAGAIN (no thread), -EINVAL (a name that is no name).
 */
int prover_new(enum prover_kind kind, const char *disk, const struct prover_source *source,
	struct prover **ret_prover);

/* Aborts, and waits for the thread. Nobody else may be in a call. NULL is accepted. */
void prover_free(struct prover *prover);

/*
 * A range was written: @offset, and @length but at the end of the disk, are multiples of BLOCK_ALIGN. Pieces of
 * 1 to 4 MiB are best: smaller ones cost more than they hash, and a larger one is all one core's work. Does not
 * wait: 0; -EAGAIN, it would be more than PROVER_BACKLOG (one piece may be, alone); or the error that sticks.
 */
int prover_add(struct prover *prover, uint64_t offset, uint64_t length,
	const unsigned char hash[SHA256_SIZE]);

/*
 * Until no more than @most bytes are unproved: 0 for all of them, PROVER_BACKLOG - n for room for n. 0 or the
 * error that sticks:
 *   EIO        a range differs, or cannot be read
 *   ENODEV     the module has gone
 *   ECANCELED  prover_abort
 *   ENOMEM, and what open_block fails with
 */
int prover_wait(struct prover *prover, uint64_t most);

/*
 * A range is about to be written again. What was added within it is forgotten; what reaches beyond it is
 * waited for, since its hash will soon be of nothing. 0 or the error that sticks. To be called before the write.
 */
int prover_yield(struct prover *prover, uint64_t offset, uint64_t length);

/* Any thread, at any time before prover_free. Does not wait. */
void prover_abort(struct prover *prover);
void prover_get_status(struct prover *prover, struct prover_status *ret_status);

const char *prover_kind_to_string(
	enum prover_kind kind); /* as status.json has it: medium, readback */
