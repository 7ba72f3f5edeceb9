#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "proof/dialogue.h"

/*
 * The dialogue with a module's shell, the console being played by the input. Every byte is one that the console says,
 * but for
 *
 *   0xff  the time for a greeting passes      0xfe  the time for an answer passes
 *   0xfd  the next range is asked for         0xfc  a result is taken
 *   0xfb  half of what is to be said is sent  0xfa  goodbye
 *
 * The nonce is always the same, so that seeds can know it.
 */
#define NONCE  0x0123456789abcdef
#define PLAIN  "Q0123456789abcdef"
#define RANGES 256

struct world {
	struct dialogue dialogue;
	bool asked[RANGES]; /* and not answered */
	size_t n;
	size_t said; /* bytes of output that were looked at */
};

/* What is said is lines of text and the two keys, and never what an answer begins with. */
static void check_said(const struct dialogue *dialogue)
{
	char said[sizeof(dialogue->out) + 1];
	size_t n;
	const char *output = dialogue_output(dialogue, &n);

	CHECK(n < sizeof(said));
	memcpy(said, output, n);
	said[n] = '\0';
	CHECK(strlen(said) == n && !strstr(said, PLAIN));
	for (size_t i = 0; i < n; i++)
		CHECK((said[i] >= ' ' && said[i] <= '~') || strchr("\n\x03\x15", said[i]));
}

static void check(struct world *world)
{
	const struct dialogue *dialogue = &world->dialogue;
	int error = dialogue_error(dialogue);

	if (dialogue->n_out != world->said)
		check_said(dialogue);
	world->said = dialogue->n_out;
	CHECK(error == 0 || error == -ETIMEDOUT || error == -EOPNOTSUPP || error == -EPROTO);
	CHECK(error == 0 || dialogue->state == DIALOGUE_OVER);
	CHECK((error != 0) == (*dialogue_explain(dialogue) != '\0'));
	CHECK(dialogue_patience(dialogue) > 0);
	CHECK(dialogue->garbage <= DIALOGUE_GARBAGE_MAX + 1);
}

static void ask(struct world *world)
{
	bool room = dialogue_has_room(&world->dialogue);
	int r = dialogue_ask(&world->dialogue, &world->asked[world->n], world->n << 20, 1 << 20);

	CHECK(r == (room ? 0 : -EAGAIN));
	if (r == 0) {
		world->asked[world->n] = true;
		world->n = (world->n + 1) % RANGES;
	}
}

/* Each range that was asked for has one result. */
static bool take(struct world *world)
{
	struct dialogue_result result;
	bool *asked;

	if (!dialogue_take(&world->dialogue, &result))
		return false;
	asked = result.tag;
	CHECK(asked >= world->asked && asked < world->asked + RANGES && *asked);
	CHECK(result.error == 0 || result.error == -EIO);
	*asked = false;
	return true;
}

static void send_half(struct dialogue *dialogue)
{
	size_t n;

	dialogue_output(dialogue, &n);
	dialogue_sent(dialogue, (n + 1) / 2);
}

static void play(struct world *world, uint8_t byte)
{
	struct dialogue *dialogue = &world->dialogue;

	switch (byte) {
	case 0xff:
		dialogue_pass(dialogue, DIALOGUE_HELLO_MS);
		break;
	case 0xfe:
		dialogue_pass(dialogue, DIALOGUE_ANSWER_MS);
		break;
	case 0xfd:
		ask(world);
		break;
	case 0xfc:
		take(world);
		break;
	case 0xfb:
		send_half(dialogue);
		break;
	case 0xfa:
		dialogue_bye(dialogue);
		break;
	default:
		dialogue_feed(dialogue, &byte, 1);
		break;
	}
	check(world);
}

/* Whatever was before: when nobody says anything any more, it ends, or waits for nothing. */
static void check_end(struct world *world)
{
	struct dialogue *dialogue = &world->dialogue;

	for (unsigned i = 0; i < DIALOGUE_HELLO_TRIES + DIALOGUE_JOB_TRIES; i++)
		dialogue_pass(dialogue, DIALOGUE_ANSWER_MS);
	check(world);
	CHECK(dialogue_patience(dialogue) == UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct world world = {.n = 0};

	CHECK(dialogue_init(&world.dialogue, "/dev/mmcblk0", NONCE) == 0);
	for (size_t i = 0; i < size; i++)
		play(&world, bytes[i]);
	while (take(&world))
		;
	check_end(&world);
	return 0;
}
