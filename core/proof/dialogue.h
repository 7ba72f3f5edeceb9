#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proof/command.h"
#include "proof/scan.h"

/*
 * The conversation with a shell of which nothing is known, as a machine without I/O and without a clock: it is
 * fed what the console says and told what time has passed; it has bytes to be sent, and hashes that came back.
 * medium.c is its one real world; the tests and the fuzzer are the others.
 *
 *	hello ----> try direct ----> sample ----> ready
 *	                 |             ^
 *	                 `-> try drop -'		over, from anywhere
 *
 * It begins by clearing the line that may have been typed, for a newline behind half a command would run it.
 * A shell that does not answer may be busy: it is interrupted, once. A login prompt is answered with root, once,
 * and no password is ever given: the system that is meant has no such prompt, and one that wants a password
 * is not it. The cursor's place, which a line editor asks for (ESC [6n), is not told: the editor does not
 * wait for it, and would read it as typed.
 *
 * Whatever the other side does, this ends: every wait has a limit, every question a number of times that it
 * is asked, and between two answers no more than DIALOGUE_GARBAGE_MAX bytes are listened to.
 *
 * It allocates nothing, and belongs to whoever feeds it.
 */
#define DIALOGUE_JOBS	     4 /* under way at once: the module has as many cores */
#define DIALOGUE_PATH_MAX    64
#define DIALOGUE_GARBAGE_MAX (1u << 20)

/*
 * ms. A shell that has nothing to do answers in a few; the medium may take its time, since a direct read waits
 * for the range to be written out first, and an eMMC now and then for itself.
 */
#define DIALOGUE_HELLO_MS  2000
#define DIALOGUE_CHECK_MS  10000
#define DIALOGUE_ANSWER_MS 30000 /* without any answer, with several awaited */

/* How often a question is asked. */
#define DIALOGUE_MUTE_TRIES  3 /* hello, to a console that has not said one byte */
#define DIALOGUE_HELLO_TRIES 6
#define DIALOGUE_CHECK_TRIES 2
#define DIALOGUE_JOB_TRIES   3

enum dialogue_state {
	DIALOGUE_HELLO,
	DIALOGUE_TRY_DIRECT,
	DIALOGUE_TRY_DROP,
	DIALOGUE_SAMPLE,
	DIALOGUE_READY,
	DIALOGUE_OVER,
};

enum dialogue_job_state { DIALOGUE_FREE, DIALOGUE_ASKED, DIALOGUE_ANSWERED };

struct dialogue_result {
	void *tag;
	int error; /* 0; -EIO: no hash came of it, as often as it was asked */
	unsigned char hash[SHA256_SIZE];
};

struct dialogue_job {
	enum dialogue_job_state state;
	uint32_t id;
	uint64_t offset, length;
	unsigned tries; /* that came to nothing */
	struct dialogue_result result;
};

struct dialogue {
	enum dialogue_state state;
	int error; /* over: why */
	enum dialogue_state died_in;

	char path[DIALOGUE_PATH_MAX];
	struct scanner scanner;
	bool direct; /* reads pass by the cache; else it is dropped before them */

	char out[DIALOGUE_JOBS * COMMAND_MAX + 64];
	size_t n_out;

	bool heard, said_root;
	unsigned tries;	 /* of the question that is open */
	uint64_t waited; /* ms for an answer to it */
	size_t garbage;	 /* bytes since the last answer */

	uint32_t next_id;
	struct dialogue_job jobs[DIALOGUE_JOBS];
};

/* @path: the disk, on the module. @nonce: not to be guessed. 0; -EINVAL: a shell would not take the path as it is. */
int dialogue_init(struct dialogue *dialogue, const char *path, uint64_t nonce);

/* Bytes to send; sent: so many of them were. */
const char *dialogue_output(const struct dialogue *dialogue, size_t *ret_size);
void dialogue_sent(struct dialogue *dialogue, size_t size);

void dialogue_feed(struct dialogue *dialogue, const void *data, size_t size);

/* After how many ms, at the least, time is to be told; UINT64_MAX: nothing is waited for. */
uint64_t dialogue_patience(const struct dialogue *dialogue);
void dialogue_pass(struct dialogue *dialogue, uint64_t ms);

/*
 * The hash of a range: of @offset, and @length but at the disk's end, multiples of
 * COMMAND_ALIGN. 0, or -EAGAIN: there is no room; not ready, or all jobs are taken. Results come in any order.
 */
bool dialogue_has_room(const struct dialogue *dialogue);
int dialogue_ask(struct dialogue *dialogue, void *tag, uint64_t offset, uint64_t length);
bool dialogue_take(struct dialogue *dialogue, struct dialogue_result *ret_result);
bool dialogue_is_idle(
	const struct dialogue *dialogue); /* ready, and nothing is asked or to be said */

/*
 * 0, or why it is over: -ETIMEDOUT (no shell, or one that fell silent), -EOPNOTSUPP (a shell without what it takes),
 * -EPROTO (garbage without end).
 */
int dialogue_error(const struct dialogue *dialogue);
const char *dialogue_explain(
	const struct dialogue *dialogue); /* "no shell answers"; "" if it is not over */

/* It is over, by our own will: only what leaves the shell as it was is left to send. */
void dialogue_bye(struct dialogue *dialogue);
