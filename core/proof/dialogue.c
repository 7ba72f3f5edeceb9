#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proof/dialogue.h"

/* What is typed: forget the line that was begun; interrupt what runs. */
#define CLEAR_LINE "\x15"
#define INTERRUPT  "\x03"

/* What does not fit is lost: it is asked again when its time is over. */
static void say(struct dialogue *dialogue, const char *text)
{
	size_t n = strlen(text);

	if (n > sizeof(dialogue->out) - dialogue->n_out)
		return;
	memcpy(dialogue->out + dialogue->n_out, text, n);
	dialogue->n_out += n;
}

static void end(struct dialogue *dialogue, int error)
{
	dialogue->died_in = dialogue->state;
	dialogue->state = DIALOGUE_OVER;
	dialogue->error = error;
	dialogue->n_out = 0;
}

static struct command_target target_of(const struct dialogue *dialogue)
{
	return (struct command_target){dialogue->scanner.nonce, dialogue->path, dialogue->direct};
}

/* Asks what the state is about, under its number: a late answer to an earlier one is none. */
static void ask_state(struct dialogue *dialogue)
{
	struct command_target target = target_of(dialogue);
	struct command command = {.n = 0};

	dialogue->waited = 0;
	switch (dialogue->state) {
	case DIALOGUE_HELLO:
		dialogue->n_out = 0;
		if (dialogue->tries == DIALOGUE_MUTE_TRIES - 1)
			say(dialogue, INTERRUPT);
		say(dialogue, CLEAR_LINE "\n");
		command_hello(&command, &target, DIALOGUE_HELLO);
		break;
	case DIALOGUE_TRY_DIRECT:
	case DIALOGUE_TRY_DROP:
		command_try(&command, &target, dialogue->state);
		break;
	case DIALOGUE_SAMPLE:
		command_sample(&command, &target, dialogue->state);
		break;
	case DIALOGUE_READY:
	case DIALOGUE_OVER:
		return;
	}
	say(dialogue, command.text);
}

static void enter(struct dialogue *dialogue, enum dialogue_state state)
{
	dialogue->state = state;
	dialogue->tries = 0;
	dialogue->direct = state != DIALOGUE_TRY_DROP && dialogue->direct;
	ask_state(dialogue);
}

int dialogue_init(struct dialogue *dialogue, const char *path, uint64_t nonce)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
	size_t n = strlen(path);

	if (path[0] != '/' || n >= DIALOGUE_PATH_MAX || strspn(path, plain) != n)
		return -EINVAL;
	*dialogue = (struct dialogue){.direct = true, .next_id = DIALOGUE_OVER + 1};
	memcpy(dialogue->path, path, n + 1);
	scanner_init(&dialogue->scanner, nonce);
	enter(dialogue, DIALOGUE_HELLO);
	return 0;
}

const char *dialogue_output(const struct dialogue *dialogue, size_t *ret_size)
{
	*ret_size = dialogue->n_out;
	return dialogue->out;
}

void dialogue_sent(struct dialogue *dialogue, size_t size)
{
	dialogue->n_out -= size;
	memmove(dialogue->out, dialogue->out + size, dialogue->n_out);
}

static void ask_job(struct dialogue *dialogue, struct dialogue_job *job)
{
	struct command_target target = target_of(dialogue);
	struct command command;

	command_hash(&command, &target, job->id, job->offset, job->length);
	say(dialogue, command.text);
}

/* True: it was an answer to something. */
static bool answer_job(struct dialogue *dialogue, const struct scan_answer *answer)
{
	for (size_t i = 0; i < DIALOGUE_JOBS; i++) {
		struct dialogue_job *job = &dialogue->jobs[i];

		if (job->state != DIALOGUE_ASKED || job->id != answer->id)
			continue;
		if (!answer->hashed && ++job->tries < DIALOGUE_JOB_TRIES) {
			/* Not under the same number: its twin is no second failure. */
			job->id = dialogue->next_id++;
			ask_job(dialogue, job);
			return true;
		}
		job->result.error = answer->hashed ? 0 : -EIO;
		memcpy(job->result.hash, answer->hash, SHA256_SIZE);
		job->state = DIALOGUE_ANSWERED;
		return true;
	}
	return false;
}

static void answer_state(struct dialogue *dialogue, const struct scan_answer *answer)
{
	struct command settle;

	switch (dialogue->state) {
	case DIALOGUE_HELLO:
		command_settle(&settle);
		say(dialogue, settle.text);
		enter(dialogue, DIALOGUE_TRY_DIRECT);
		return;
	case DIALOGUE_TRY_DIRECT:
		enter(dialogue, answer->status ? DIALOGUE_TRY_DROP : DIALOGUE_SAMPLE);
		return;
	case DIALOGUE_TRY_DROP:
		if (answer->status)
			end(dialogue, -EOPNOTSUPP);
		else
			enter(dialogue, DIALOGUE_SAMPLE);
		return;
	case DIALOGUE_SAMPLE:
		if (command_is_sample(answer))
			enter(dialogue, DIALOGUE_READY);
		else
			end(dialogue, -EOPNOTSUPP);
		return;
	case DIALOGUE_READY:
	case DIALOGUE_OVER:
		return;
	}
}

/* True: it was awaited. Nothing was wrong and yet there is no hash: that is no answer but noise in one. */
static bool answered(struct dialogue *dialogue, const struct scan_answer *answer)
{
	bool wants_hash = dialogue->state == DIALOGUE_SAMPLE || dialogue->state == DIALOGUE_READY;

	if (wants_hash && !answer->hashed && !answer->status)
		return false;
	if (dialogue->state == DIALOGUE_READY)
		return answer_job(dialogue, answer);
	if (answer->id != (uint32_t)dialogue->state)
		return false;
	answer_state(dialogue, answer);
	return true;
}

void dialogue_feed(struct dialogue *dialogue, const void *data, size_t size)
{
	const unsigned char *bytes = data;
	struct scan_answer answer;

	dialogue->heard = dialogue->heard || size;
	for (size_t i = 0; i < size && dialogue->state != DIALOGUE_OVER; i++) {
		if (scanner_feed(&dialogue->scanner, bytes[i], &answer) &&
			answered(dialogue, &answer)) {
			dialogue->garbage = 0;
			dialogue->waited = 0;
			dialogue->tries = 0;
		} else if (++dialogue->garbage > DIALOGUE_GARBAGE_MAX) {
			end(dialogue, -EPROTO);
		}
	}
}

static bool has_jobs(const struct dialogue *dialogue, enum dialogue_job_state state)
{
	for (size_t i = 0; i < DIALOGUE_JOBS; i++) {
		if (dialogue->jobs[i].state == state)
			return true;
	}
	return false;
}

/* ms, in all, that are waited now; 0: for nothing. */
static uint64_t limit(const struct dialogue *dialogue)
{
	switch (dialogue->state) {
	case DIALOGUE_HELLO:
		return DIALOGUE_HELLO_MS;
	case DIALOGUE_TRY_DIRECT:
	case DIALOGUE_TRY_DROP:
	case DIALOGUE_SAMPLE:
		return DIALOGUE_CHECK_MS;
	case DIALOGUE_READY:
		return has_jobs(dialogue, DIALOGUE_ASKED) ? DIALOGUE_ANSWER_MS : 0;
	case DIALOGUE_OVER:
		return 0;
	}
	return 0;
}

uint64_t dialogue_patience(const struct dialogue *dialogue)
{
	uint64_t most = limit(dialogue);

	return most ? most - dialogue->waited : UINT64_MAX;
}

/* What stands at the end of all that was heard says who listens, if it is no shell. */
static void hello_again(struct dialogue *dialogue)
{
	const struct scanner *scanner = &dialogue->scanner;
	unsigned most = dialogue->heard ? DIALOGUE_HELLO_TRIES : DIALOGUE_MUTE_TRIES;

	if (++dialogue->tries >= most) {
		end(dialogue, -ETIMEDOUT);
		return;
	}
	if (scanner_ends_with(scanner, "assword:")) {
		/* What was meant for a shell was taken for a name: back to where names are asked. */
		say(dialogue, "\n");
	} else if (scanner_ends_with(scanner, "login:") && !dialogue->said_root) {
		dialogue->said_root = true;
		say(dialogue, "root\n");
	} else {
		ask_state(dialogue);
	}
}

static void jobs_again(struct dialogue *dialogue)
{
	if (++dialogue->tries >= DIALOGUE_JOB_TRIES) {
		end(dialogue, -ETIMEDOUT);
		return;
	}
	for (size_t i = 0; i < DIALOGUE_JOBS; i++) {
		if (dialogue->jobs[i].state == DIALOGUE_ASKED)
			ask_job(dialogue, &dialogue->jobs[i]);
	}
}

void dialogue_pass(struct dialogue *dialogue, uint64_t ms)
{
	uint64_t most = limit(dialogue);

	dialogue->waited = most ? dialogue->waited + ms : 0;
	if (!most || dialogue->waited < most)
		return;
	dialogue->waited = 0;
	switch (dialogue->state) {
	case DIALOGUE_HELLO:
		hello_again(dialogue);
		return;
	case DIALOGUE_TRY_DIRECT:
	case DIALOGUE_TRY_DROP:
	case DIALOGUE_SAMPLE:
		if (++dialogue->tries >= DIALOGUE_CHECK_TRIES)
			end(dialogue, -ETIMEDOUT);
		else
			ask_state(dialogue);
		return;
	case DIALOGUE_READY:
		jobs_again(dialogue);
		return;
	case DIALOGUE_OVER:
		return;
	}
}

bool dialogue_has_room(const struct dialogue *dialogue)
{
	return dialogue->state == DIALOGUE_READY && has_jobs(dialogue, DIALOGUE_FREE);
}

int dialogue_ask(struct dialogue *dialogue, void *tag, uint64_t offset, uint64_t length)
{
	for (size_t i = 0; dialogue->state == DIALOGUE_READY && i < DIALOGUE_JOBS; i++) {
		struct dialogue_job *job = &dialogue->jobs[i];

		if (job->state != DIALOGUE_FREE)
			continue;
		*job = (struct dialogue_job){.state = DIALOGUE_ASKED,
			.id = dialogue->next_id++,
			.offset = offset,
			.length = length,
			.result.tag = tag};
		ask_job(dialogue, job);
		return 0;
	}
	return -EAGAIN;
}

bool dialogue_take(struct dialogue *dialogue, struct dialogue_result *ret_result)
{
	for (size_t i = 0; i < DIALOGUE_JOBS; i++) {
		struct dialogue_job *job = &dialogue->jobs[i];

		if (job->state != DIALOGUE_ANSWERED)
			continue;
		job->state = DIALOGUE_FREE;
		*ret_result = job->result;
		return true;
	}
	return false;
}

bool dialogue_is_idle(const struct dialogue *dialogue)
{
	return dialogue->state == DIALOGUE_READY && !dialogue->n_out &&
	       !has_jobs(dialogue, DIALOGUE_ASKED) && !has_jobs(dialogue, DIALOGUE_ANSWERED);
}

int dialogue_error(const struct dialogue *dialogue)
{
	return dialogue->error;
}

const char *dialogue_explain(const struct dialogue *dialogue)
{
	if (dialogue->error == -EPROTO)
		return "its console talks without end";
	if (dialogue->error == -EOPNOTSUPP)
		return dialogue->died_in == DIALOGUE_SAMPLE
			       ? "its shell has no sha256sum"
			       : "its shell cannot read the disk past its cache";
	if (dialogue->error == -ETIMEDOUT)
		return dialogue->died_in == DIALOGUE_HELLO ? "no shell answers on its console"
							   : "its shell fell silent";
	return "";
}

void dialogue_bye(struct dialogue *dialogue)
{
	bool spoke = dialogue->state != DIALOGUE_HELLO && dialogue->state != DIALOGUE_OVER;
	struct command command;

	end(dialogue, 0);
	if (!spoke)
		return;
	command_bye(&command);
	say(dialogue, CLEAR_LINE "\n");
	say(dialogue, command.text);
}
