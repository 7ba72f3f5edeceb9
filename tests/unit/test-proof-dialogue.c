#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proof/dialogue.h"

/*
 * Conversations with a module's shell. In what is heard @ stands for the nonce, in what is said for the nonce in
 * its disguise; # stands for the hash of the sample, % for one that a range may have.
 */
#define NONCE  0x0123456789abcdef
#define PLAIN  "Q0123456789abcdef:"
#define HIDDEN "Q''0123456789abcdef:"
#define SAMPLE "edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb"
#define HASH   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum kind { HEARD, SAID, PASSED, ASKED, GOOD, BAD, NOTHING, OVER };

struct step {
	enum kind kind;
	const char *text;
	uint64_t a, b;
};

#define STEP(...)	   ((struct step){__VA_ARGS__})
#define HEAR(words)	   STEP(.kind = HEARD, .text = words)
#define SAY(words)	   STEP(.kind = SAID, .text = words)
#define PASS(ms)	   STEP(.kind = PASSED, .a = ms)
#define ASK(offset, bytes) STEP(.kind = ASKED, .a = offset, .b = bytes)
#define GET_GOOD(offset)   STEP(.kind = GOOD, .a = offset)
#define GET_BAD(offset)	   STEP(.kind = BAD, .a = offset)
#define GET_NOTHING	   STEP(.kind = NOTHING)
#define END(error, words)  STEP(.kind = OVER, .a = error, .text = words)

/* What is said in the ordinary case. */
#define HELLO	  "\x15\nstty echo;echo @0:$?.\n"
#define SAY_HELLO SAY(HELLO)
#define SETTLE	  "set +m\n"
#define TRY_DIRECT                                                                                 \
	"dd if=/dev/mmcblk0 bs=1048576 iflag=direct,skip_bytes,count_bytes skip=4096 count=4096 "  \
	">/dev/null 2>&1;echo @1:$?.\n"
#define SAY_DIRECT SAY(SETTLE TRY_DIRECT)
#define DROP	   "sync;echo 3 >/proc/sys/vm/drop_caches"
#define SAY_DROP                                                                                   \
	SAY(DROP "&&dd if=/dev/mmcblk0 bs=1048576 iflag=skip_bytes,count_bytes skip=4096 "         \
		 "count=4096 >/dev/null 2>&1;echo @2:$?.\n")
#define SAY_SAMPLE  SAY("h=\"$(echo abc|sha256sum)\";a=@3:\"$?:$h\";echo $a $a\n")
#define HEAR_SAMPLE HEAR("@3:0:# - @3:0:# -\r\n")
#define READY	    SAY_HELLO, HEAR("@0:0.\r\n"), SAY_DIRECT, HEAR("@1:0.\r\n"), SAY_SAMPLE, HEAR_SAMPLE

/* The first job has number 6. */
#define ASK_MIB ASK(5 << 20, 1 << 20)
#define SAY_MIB SAY(LINE_MIB("6"))
#define LINE_MIB(id)                                                                               \
	"(h=\"$(dd if=/dev/mmcblk0 bs=1048576 iflag=direct,skip_bytes,count_bytes "                \
	"skip=5242880 count=1048576 2>/dev/null|sha256sum)\";a=@" id ":\"$?:$h\";echo $a $a)&\n"

/* @text with its stand-ins filled in. */
static const char *fill(const char *text, const char *nonce)
{
	static char filled[8192];
	size_t n = 0;

	for (; *text; text++) {
		char self[2] = {*text};
		const char *value = *text == '@'   ? nonce
				    : *text == '#' ? SAMPLE
				    : *text == '%' ? HASH
						   : self;

		assert_true(n + strlen(value) < sizeof(filled));
		n += (size_t)sprintf(filled + n, "%s", value);
	}
	filled[n] = '\0';
	return filled;
}

static void expect_said(struct dialogue *dialogue, const char *text)
{
	char said[sizeof(dialogue->out) + 1];
	size_t n;
	const char *output = dialogue_output(dialogue, &n);

	memcpy(said, output, n);
	said[n] = '\0';
	assert_string_equal(said, fill(text, HIDDEN));
	dialogue_sent(dialogue, n);
}

static void expect_result(struct dialogue *dialogue, const struct step *step)
{
	static const unsigned char hash[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
		0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	struct dialogue_result result;
	bool has = dialogue_take(dialogue, &result);

	assert_int_equal(has, step->kind != NOTHING);
	if (!has)
		return;
	assert_int_equal((uintptr_t)result.tag, step->a);
	assert_int_equal(result.error, step->kind == GOOD ? 0 : -EIO);
	if (step->kind == GOOD)
		assert_memory_equal(result.hash, hash, sizeof(hash));
}

static void take_step(struct dialogue *dialogue, const struct step *step)
{
	const char *heard;

	switch (step->kind) {
	case HEARD:
		heard = fill(step->text, PLAIN);
		dialogue_feed(dialogue, heard, strlen(heard));
		break;
	case SAID:
		expect_said(dialogue, step->text);
		break;
	case PASSED:
		dialogue_pass(dialogue, step->a);
		break;
	case ASKED: /* tagged by where it begins */
		assert_int_equal(
			dialogue_ask(dialogue, (void *)(uintptr_t)step->a, step->a, step->b), 0);
		break;
	case GOOD:
	case BAD:
	case NOTHING:
		expect_result(dialogue, step);
		break;
	case OVER:
		assert_int_equal(-dialogue_error(dialogue), step->a);
		assert_string_equal(dialogue_explain(dialogue), step->text);
		assert_int_equal(dialogue->state, DIALOGUE_OVER);
		break;
	}
}

static void converse(const struct step *steps, size_t n)
{
	struct dialogue dialogue;

	assert_int_equal(dialogue_init(&dialogue, "/dev/mmcblk0", NONCE), 0);
	for (size_t i = 0; i < n; i++) {
		print_message("# step %zu\n", i);
		take_step(&dialogue, &steps[i]);
	}
}

#define CONVERSE(...)                                                                              \
	do {                                                                                       \
		const struct step steps[] = {__VA_ARGS__};                                         \
		converse(steps, sizeof(steps) / sizeof(steps[0]));                                 \
	} while (0)

static void a_quiet_shell_gives_a_hash(void **state)
{
	CONVERSE(READY, ASK_MIB, SAY_MIB, GET_NOTHING, HEAR("@6:0:% - @6:0:% -\r\n"),
		GET_GOOD(5 << 20), GET_NOTHING);
}

static void echo_prompts_and_cursor_queries_are_passed_over(void **state)
{
	CONVERSE(SAY_HELLO,
		HEAR("\r\nWelcome\r\nttyGS0 login: root (automatic login)\r\n# \x1b[6n\r\n# "
		     "\x1b[6n"
		     "stty echo;echo Q''0123456789abcdef:0:$?.\r\n"),
		SAY(""), HEAR("@0:0.\r\n\x1b]0;a title\x07# "), SAY_DIRECT,
		HEAR("\x1b[1;32mroot\x1b[0m:~# \x1b[K@1:0.\r\n# "), SAY_SAMPLE, HEAR_SAMPLE,
		ASK_MIB, SAY_MIB, HEAR("[1] 234\r\n# @6:0:% -"), GET_GOOD(5 << 20));
}

static void an_answer_may_be_wrapped_anywhere(void **state)
{
	CONVERSE(READY, ASK_MIB, SAY_MIB,
		HEAR("@6\r\n:\r\n0:0011223344556677\r\n8899aabbccddeeff\x1b[K"
		     "00112233\x1b[1;1H445566778899aabbccddeeff\r\r\n -"),
		GET_GOOD(5 << 20));
}

static void a_kernel_message_in_an_answer_leaves_its_twin(void **state)
{
	CONVERSE(READY, ASK_MIB, SAY_MIB,
		HEAR("@6:0:00112233445566\r\n[    7.919000] usb0: HOST MAC 32:70:05:18:ff:01\r\n"
		     "778899aabbccddeeff00112233445566778899aabbccddeeff - "),
		GET_NOTHING, HEAR("@6:0:% -\r\n"), GET_GOOD(5 << 20));
}

static void noise_of_hex_digits_does_not_make_another_hash(void **state)
{
	CONVERSE(READY, ASK_MIB, SAY_MIB, HEAR("@6:0:abc% - "), GET_NOTHING, HEAR("@6:0:%abc - "),
		GET_NOTHING, HEAR("@6:0:% - "), GET_GOOD(5 << 20));
}

static void an_answer_that_was_lost_is_asked_for_again(void **state)
{
	CONVERSE(READY, ASK_MIB, SAY_MIB, PASS(DIALOGUE_ANSWER_MS - 1), SAY(""), PASS(1), SAY_MIB,
		HEAR("@6:0:% -"), GET_GOOD(5 << 20), HEAR("@6:0:% -"), GET_NOTHING);
}

static void a_shell_that_falls_silent_is_given_up(void **state)
{
	CONVERSE(READY, ASK_MIB, SAY_MIB, PASS(DIALOGUE_ANSWER_MS), SAY_MIB,
		PASS(DIALOGUE_ANSWER_MS), SAY_MIB, PASS(DIALOGUE_ANSWER_MS),
		END(ETIMEDOUT, "its shell fell silent"));
}

static void time_without_a_question_does_not_count(void **state)
{
	CONVERSE(READY, PASS(1000000000), ASK_MIB, SAY_MIB, PASS(DIALOGUE_ANSWER_MS - 1), SAY(""),
		HEAR("@6:0:% -"), GET_GOOD(5 << 20));
}

static void a_mute_console_is_interrupted_once_and_given_up(void **state)
{
	CONVERSE(SAY_HELLO, PASS(DIALOGUE_HELLO_MS), SAY_HELLO, PASS(DIALOGUE_HELLO_MS),
		SAY("\x03\x15\nstty echo;echo @0:$?.\n"), PASS(DIALOGUE_HELLO_MS),
		END(ETIMEDOUT, "no shell answers on its console"));
}

static void a_busy_shell_answers_after_an_interrupt(void **state)
{
	CONVERSE(SAY_HELLO, HEAR("\x15\r\nstty echo;echo Q''0123456789abcdef:0:$?.\r\n"),
		PASS(DIALOGUE_HELLO_MS), SAY_HELLO, PASS(DIALOGUE_HELLO_MS),
		SAY("\x03\x15\nstty echo;echo @0:$?.\n"), HEAR("^C\r\n# \r\n# @0:0.\r\n"),
		SAY_DIRECT);
}

static void a_login_prompt_is_told_root_once(void **state)
{
	CONVERSE(SAY_HELLO, HEAR("\r\ngadget login: "), PASS(DIALOGUE_HELLO_MS), SAY("root\n"),
		HEAR("root\r\n# "), PASS(DIALOGUE_HELLO_MS),
		SAY("\x03\x15\nstty echo;echo @0:$?.\n"), HEAR("@0:0."), SAY_DIRECT);
}

static void no_password_is_ever_given(void **state)
{
	CONVERSE(SAY_HELLO, HEAR("gadget login: \r\nPassword: "), PASS(DIALOGUE_HELLO_MS),
		SAY("\n"), HEAR("\r\nLogin incorrect\r\ngadget login: "), PASS(DIALOGUE_HELLO_MS),
		SAY("root\n"), HEAR("Password: "), PASS(DIALOGUE_HELLO_MS), SAY("\n"),
		PASS(DIALOGUE_HELLO_MS), SAY("\n"), PASS(DIALOGUE_HELLO_MS), SAY("\n"),
		PASS(DIALOGUE_HELLO_MS), END(ETIMEDOUT, "no shell answers on its console"));
}

static void without_direct_reads_the_caches_are_dropped(void **state)
{
	CONVERSE(SAY_HELLO, HEAR("@0:0."), SAY_DIRECT, HEAR("@1:1."), SAY_DROP, HEAR("@2:0."),
		SAY_SAMPLE, HEAR_SAMPLE, ASK(0, 4096),
		SAY("(sync;echo 3 >/proc/sys/vm/drop_caches;h=\"$(dd if=/dev/mmcblk0 bs=1048576 "
		    "iflag=skip_bytes,count_bytes skip=0 count=4096 2>/dev/null|sha256sum)\";"
		    "a=@6:\"$?:$h\";echo $a $a)&\n"));
}

static void a_shell_that_cannot_see_the_medium_is_not_asked(void **state)
{
	CONVERSE(SAY_HELLO, HEAR("@0:0."), SAY_DIRECT, HEAR("@1:1."), SAY_DROP, HEAR("@2:1."),
		END(EOPNOTSUPP, "its shell cannot read the disk past its cache"));
}

static void a_shell_without_sha256sum_is_not_asked(void **state)
{
	CONVERSE(SAY_HELLO, HEAR("@0:0."), SAY_DIRECT, HEAR("@1:0."), SAY_SAMPLE,
		HEAR("sh: sha256sum: not found\r\n@3:127: @3:127:\r\n"),
		END(EOPNOTSUPP, "its shell has no sha256sum"));
}

static void a_sha256sum_that_is_wrong_is_none(void **state)
{
	CONVERSE(SAY_HELLO, HEAR("@0:0."), SAY_DIRECT, HEAR("@1:0."), SAY_SAMPLE,
		HEAR("@3:0:% - @3:0:% -\r\n"), END(EOPNOTSUPP, "its shell has no sha256sum"));
}

static void a_range_that_comes_to_no_hash_is_asked_for_three_times(void **state)
{
	CONVERSE(READY, ASK_MIB, SAY_MIB, HEAR("@6:2: @6:2:\r\n"), SAY(LINE_MIB("7")),
		HEAR("@7:127: @7:127:\r\n"), SAY(LINE_MIB("8")), GET_NOTHING,
		HEAR("@8:1: @8:1:\r\n"), GET_BAD(5 << 20), GET_NOTHING, SAY(""));
	CONVERSE(READY, ASK_MIB, SAY_MIB, HEAR("@6:2: @6:2:\r\n"), SAY(LINE_MIB("7")),
		HEAR("@7:1:% -"), GET_GOOD(5 << 20));
}

static void four_ranges_are_asked_for_at_once_and_answered_in_any_order(void **state)
{
	CONVERSE(READY, ASK(0, 4 << 20), ASK(4 << 20, 4 << 20), ASK(8 << 20, 4 << 20),
		ASK(12 << 20, 4 << 20), HEAR("@8:0:% -"), GET_GOOD(8 << 20),
		HEAR("@6:0:% -@9:0:% -"), GET_GOOD(0), GET_GOOD(12 << 20), HEAR("@7:0:% -"),
		GET_GOOD(4 << 20));
}

static void a_fifth_range_waits(void **state)
{
	struct dialogue dialogue;
	const struct step steps[] = {
		READY, ASK(0, 4096), ASK(4096, 4096), ASK(8192, 4096), ASK(12288, 4096)};

	assert_int_equal(dialogue_init(&dialogue, "/dev/mmcblk0", NONCE), 0);
	assert_int_equal(dialogue_ask(&dialogue, NULL, 0, 4096), -EAGAIN);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		take_step(&dialogue, &steps[i]);
	assert_false(dialogue_has_room(&dialogue));
	assert_int_equal(dialogue_ask(&dialogue, NULL, 16384, 4096), -EAGAIN);
}

static void a_range_that_ends_within_a_block_is_read_to_its_end(void **state)
{
	CONVERSE(READY, ASK(3 << 12, (3 << 20) + 512),
		SAY("(h=\"$(dd if=/dev/mmcblk0 bs=1048576 iflag=direct,skip_bytes,count_bytes "
		    "skip=12288 count=3149824 2>/dev/null|sha256sum)\";a=@6:\"$?:$h\";"
		    "echo $a $a)&\n"));
}

static void no_line_is_longer_than_an_editor_takes(void **state)
{
	char path[DIALOGUE_PATH_MAX] = "/dev/";
	struct command command;
	struct command_target target = {PLAIN, path, false};

	memset(path + 5, 'x', sizeof(path) - 6);
	command_hash(&command, &target, 999999999, (1ull << 40) - 4096,
		4096 + (1ull << 40) + 8192 + 512);
	assert_in_range(command.n, 200, COMMAND_MAX - 1);
	assert_int_equal(command.n, strlen(command.text));
	assert_null(strstr(command.text, PLAIN));
}

static void what_was_not_asked_is_no_answer(void **state)
{
	CONVERSE(READY, ASK_MIB, SAY_MIB, HEAR("Qfedcba9876543210:6:0:% - "), GET_NOTHING,
		HEAR("@7:0:% - @5:0:% - @3:0:# - @6:0. @6:0: @0:0.@1000000006:0:% - @6:0000:% "
		     "- "),
		GET_NOTHING, HEAR("@6:0:% -"), GET_GOOD(5 << 20));
}

static void garbage_without_end_is_not_listened_to(void **state)
{
	struct dialogue dialogue;
	char garbage[4096];
	size_t fed = 0;

	memset(garbage, 'Q', sizeof(garbage));
	assert_int_equal(dialogue_init(&dialogue, "/dev/mmcblk0", NONCE), 0);
	for (; dialogue.state != DIALOGUE_OVER && fed < 2 * DIALOGUE_GARBAGE_MAX;
		fed += sizeof(garbage))
		dialogue_feed(&dialogue, garbage, sizeof(garbage));
	assert_in_range(fed, DIALOGUE_GARBAGE_MAX, DIALOGUE_GARBAGE_MAX + sizeof(garbage));
	assert_int_equal(dialogue_error(&dialogue), -EPROTO);
	assert_string_equal(dialogue_explain(&dialogue), "its console talks without end");
}

static void an_escape_sequence_that_does_not_end_hides_nothing_for_long(void **state)
{
	CONVERSE(SAY_HELLO,
		HEAR("\x1b]0;no end \x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;"
		     "1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;@0:0."),
		SAY_DIRECT);
}

static void the_shell_is_left_as_it_was(void **state)
{
	struct dialogue dialogue;
	const struct step steps[] = {READY, ASK_MIB};

	assert_int_equal(dialogue_init(&dialogue, "/dev/mmcblk0", NONCE), 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		take_step(&dialogue, &steps[i]);
	dialogue_bye(&dialogue);
	expect_said(&dialogue, "\x15\nset -m\n");
	assert_int_equal(dialogue_error(&dialogue), 0);
	assert_int_equal(dialogue_patience(&dialogue), UINT64_MAX);
}

static void a_path_that_a_shell_would_not_take_as_it_is_is_refused(void **state)
{
	static const char *const paths[] = {"", "mmcblk0", "/dev/a b", "/dev/$(reboot)", "/dev/a;b",
		"/dev/a\nb", "/dev/'", "/dev/\xc3\xa4",
		"/dev/0123456789012345678901234567890123456789012345678901234567890"};
	struct dialogue dialogue;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(dialogue_init(&dialogue, paths[i], NONCE), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quiet_shell_gives_a_hash),
		cmocka_unit_test(echo_prompts_and_cursor_queries_are_passed_over),
		cmocka_unit_test(an_answer_may_be_wrapped_anywhere),
		cmocka_unit_test(a_kernel_message_in_an_answer_leaves_its_twin),
		cmocka_unit_test(noise_of_hex_digits_does_not_make_another_hash),
		cmocka_unit_test(an_answer_that_was_lost_is_asked_for_again),
		cmocka_unit_test(a_shell_that_falls_silent_is_given_up),
		cmocka_unit_test(time_without_a_question_does_not_count),
		cmocka_unit_test(a_mute_console_is_interrupted_once_and_given_up),
		cmocka_unit_test(a_busy_shell_answers_after_an_interrupt),
		cmocka_unit_test(a_login_prompt_is_told_root_once),
		cmocka_unit_test(no_password_is_ever_given),
		cmocka_unit_test(without_direct_reads_the_caches_are_dropped),
		cmocka_unit_test(a_shell_that_cannot_see_the_medium_is_not_asked),
		cmocka_unit_test(a_shell_without_sha256sum_is_not_asked),
		cmocka_unit_test(a_sha256sum_that_is_wrong_is_none),
		cmocka_unit_test(a_range_that_comes_to_no_hash_is_asked_for_three_times),
		cmocka_unit_test(four_ranges_are_asked_for_at_once_and_answered_in_any_order),
		cmocka_unit_test(a_fifth_range_waits),
		cmocka_unit_test(a_range_that_ends_within_a_block_is_read_to_its_end),
		cmocka_unit_test(no_line_is_longer_than_an_editor_takes),
		cmocka_unit_test(what_was_not_asked_is_no_answer),
		cmocka_unit_test(garbage_without_end_is_not_listened_to),
		cmocka_unit_test(an_escape_sequence_that_does_not_end_hides_nothing_for_long),
		cmocka_unit_test(the_shell_is_left_as_it_was),
		cmocka_unit_test(a_path_that_a_shell_would_not_take_as_it_is_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
