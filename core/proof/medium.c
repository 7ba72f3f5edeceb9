#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "proof/dialogue.h"
#include "proof/internal.h"
#include "seam/console.h"
#include "util/clock.h"

/*
 * The thin worker under the dialogue: carries its bytes, tells it the time, and brings it the pieces.
 */
#define HEAR_MS	     1000 /* at the most, before the queue and the end are looked at again */
#define HEAR_OPEN_MS 20	  /* ... while there could be more under way than there is */
#define SAY_MS	     100
#define BUSY_MS	     5000 /* a console that another program has is asked for again */
#define BUSY_STEP_MS 100

static uint64_t nonce_new(void)
{
	uint64_t nonce;

	/* Where there is no randomness yet, what is hard to guess has to do: it is against mistakes, not attacks. */
	if (getrandom(&nonce, sizeof(nonce), GRND_NONBLOCK) != sizeof(nonce))
		nonce = clock_ns() * 0x9e3779b97f4a7c15;
	return nonce;
}

/* False: one of them is not what was written. */
static bool take_results(struct prover *prover, struct dialogue *dialogue)
{
	struct dialogue_result result;

	while (dialogue_take(dialogue, &result)) {
		struct piece *piece = result.tag;

		if (result.error)
			queue_unreadable(prover, piece, "the module makes no hash of it");
		else if (memcmp(result.hash, piece->hash, SHA256_SIZE) != 0)
			queue_differs(prover, piece);
		else
			queue_proved(prover, piece);
	}
	return !queue_is_over(prover);
}

/* True: all that can be under way is. */
static bool ask_more(struct prover *prover, struct dialogue *dialogue)
{
	while (dialogue_has_room(dialogue)) {
		struct piece *piece = queue_take(prover);

		if (!piece)
			return false;
		dialogue_ask(dialogue, piece, piece->offset, piece->length);
	}
	return true;
}

/* 0, or the console's -errno. That it takes nothing is for the dialogue's patience. */
static int speak(struct dialogue *dialogue, struct console *console)
{
	size_t n;
	const char *text = dialogue_output(dialogue, &n);
	ssize_t r;

	if (n == 0)
		return 0;
	r = console->ops->write(console, text, n, SAY_MS);
	if (r > 0)
		dialogue_sent(dialogue, (size_t)r);
	return r >= 0 || r == -ETIMEDOUT ? 0 : (int)r;
}

static int hear(struct dialogue *dialogue, struct console *console, unsigned most_ms)
{
	uint64_t patience = dialogue_patience(dialogue);
	unsigned ms = patience < most_ms ? (unsigned)patience : most_ms;
	unsigned char heard[4096];
	ssize_t r = console->ops->read(console, heard, sizeof(heard), ms);

	if (r > 0)
		dialogue_feed(dialogue, heard, (size_t)r);
	return r >= 0 || r == -ETIMEDOUT ? 0 : (int)r;
}

/* 0: it is over; or what is wrong with the console or who is behind it. */
static int converse(struct prover *prover, struct dialogue *dialogue, struct console *console)
{
	uint64_t now = clock_ms(), before;
	int r = 0;

	while (r == 0 && take_results(prover, dialogue)) {
		bool full = ask_more(prover, dialogue);

		if (dialogue_is_idle(dialogue)) {
			if (!queue_wait(prover))
				return 0;
			now = clock_ms();
			continue;
		}
		r = speak(dialogue, console);
		if (r == 0)
			r = hear(dialogue, console, full ? HEAR_MS : HEAR_OPEN_MS);
		before = now;
		now = clock_ms();
		dialogue_pass(dialogue, now - before);
		if (r == 0)
			r = dialogue_error(dialogue);
	}
	return r;
}

/* Once, for good manners. */
static void part(struct dialogue *dialogue, struct console *console)
{
	dialogue_bye(dialogue);
	speak(dialogue, console);
}

static const char *explain(const struct dialogue *dialogue, int error)
{
	const char *words = dialogue_explain(dialogue);

	if (*words)
		return words;
	return error == -ENODEV ? "its console has gone" : "its console fails";
}

static const char *explain_open(int error)
{
	switch (error) {
	case -ENXIO:
		return "it has no console";
	case -EBUSY:
		return "its console is in use by another program";
	case -EACCES:
		return "its console may not be opened by this user";
	case -ENODEV:
		return "its console has gone";
	}
	return "its console cannot be opened";
}

/* One that is busy may be let go: by a proof that has just ended, by a program that looks for modems. */
static int open_console(struct prover *prover, struct console **ret_console)
{
	uint64_t deadline = clock_ms() + BUSY_MS;
	int r;

	do {
		r = prover->source.open_console(prover->source.data, ret_console);
	} while (r == -EBUSY && clock_ms() < deadline && queue_pause(prover, BUSY_STEP_MS));
	return r;
}

int medium_run(struct prover *prover, const char **ret_reason)
{
	struct console *console;
	struct dialogue dialogue;
	char path[CM4_DISK_MAX + 8];
	int r;

	snprintf(path, sizeof(path), "/dev/%s", prover->disk);
	r = dialogue_init(&dialogue, path, nonce_new());
	if (r < 0) {
		*ret_reason = "its name for the disk is none that a shell may be told";
		return r;
	}
	r = open_console(prover, &console);
	if (r < 0) {
		*ret_reason = explain_open(r);
		return r;
	}
	if (prover_offer_console(prover, console))
		r = converse(prover, &dialogue, console);
	*ret_reason = explain(&dialogue, r);
	part(&dialogue, console);
	prover_withdraw(prover);
	console->ops->close(console);
	return queue_is_over(prover) ? 0 : r;
}
