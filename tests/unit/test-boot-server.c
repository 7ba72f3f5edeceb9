#include <errno.h>

#include "boot-conversation.h"

/* The dialogue with a second stage, as PROTOCOL has it, and as it must not be. */

enum { SIZE = 0, READ = 1, DONE = 2 };

static struct boot_machine start(void)
{
	struct boot_machine machine;

	boot_machine_init_server(&machine);
	return machine;
}

/* In most tests it is all the same how the server got there. */
static struct boot_machine listening(void)
{
	struct boot_machine machine = start();

	CONVERSE(&machine, {START, LISTENS, .line = "Second stage boot server"});
	return machine;
}

static void a_gadget_boots(void **state)
{
	struct boot_machine machine = start();

	CONVERSE(&machine, {START, LISTENS, .line = "Second stage boot server"},
		{ASKS, .command = SIZE, .name = "mcb.bin", LOOKS_FOR("mcb.bin")},
		{FOUND, .size = 11696, ANSWERS(11696)}, {OK, LISTENS},
		{ASKS, .command = READ, .name = "mcb.bin", SENDS_FILE(11696),
			.line = "File read: mcb.bin"},
		{OK, LISTENS, .served = "mcb.bin"},
		{ASKS, .command = SIZE, .name = "boot.sig", LOOKS_FOR("boot.sig")},
		{FILE_ERROR, .error = -ENOENT, ANSWERS(0), .line = "Cannot open file boot.sig",
			.missing = "boot.sig"},
		{OK, LISTENS}, {ASKS, .command = READ, .name = "boot.img", LOOKS_FOR("boot.img")},
		{FOUND, .size = 31 << 20, SENDS_FILE(31 << 20)},
		{OK, LISTENS, .served = "boot.img"},
		{ASKS, .command = DONE, .name = "boot.img", ENDS(0),
			.line = "Second stage boot server done"});
}

static void an_empty_name_is_answered_and_done(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, {ASKS, .command = SIZE, .name = "", ANSWERS(0)},
		{OK, ENDS(0), .line = "Second stage boot server done"});
}

static void who_is_done_may_leave_before_the_answer(void **state)
{
	struct boot_machine machine = listening(), aborted = listening();

	CONVERSE(&machine, {ASKS, .command = DONE, .name = "", ANSWERS(0)},
		{BUS, .error = -ENODEV, ENDS(0)});
	CONVERSE(&aborted, {ASKS, .command = DONE, .name = "", ANSWERS(0)},
		{BUS, .error = -ECANCELED, ENDS(-ECANCELED)});
}

static void what_was_looked_up_for_its_size_is_what_is_sent(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, {ASKS, .command = SIZE, .name = "a", LOOKS_FOR("a")},
		{FOUND, .size = 7, ANSWERS(7)}, {OK, LISTENS},
		{ASKS, .command = READ, .name = "a", SENDS_FILE(7)}, {OK, LISTENS, .served = "a"});
}

static void another_name_is_looked_up_anew(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, {ASKS, .command = SIZE, .name = "a", LOOKS_FOR("a")},
		{FOUND, .size = 7, ANSWERS(7)}, {OK, LISTENS},
		{ASKS, .command = READ, .name = "b", LOOKS_FOR("b")},
		{FOUND, .size = 9, SENDS_FILE(9)}, {OK, LISTENS, .served = "b"},
		{ASKS, .command = SIZE, .name = "a", LOOKS_FOR("a")},
		{FILE_ERROR, .error = -ENOENT, ANSWERS(0), .missing = "a"}, {OK, LISTENS},
		{ASKS, .command = READ, .name = "a", LOOKS_FOR("a")});
}

static void an_empty_file_is_there(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, {ASKS, .command = SIZE, .name = "config.txt", LOOKS_FOR("config.txt")},
		{FOUND, .size = 0, ANSWERS(0), .line = "WARNING: config.txt is empty"},
		{OK, LISTENS}, {ASKS, .command = READ, .name = "config.txt", SENDS_FILE(0)},
		{OK, LISTENS, .served = "config.txt"});
}

static void a_file_that_cannot_be_counted_is_missing(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, {ASKS, .command = SIZE, .name = "a", LOOKS_FOR("a")},
		{FOUND, .size = 0x7fffffff, ANSWERS(0x7fffffff)}, {OK, LISTENS},
		{ASKS, .command = READ, .name = "b", LOOKS_FOR("b")},
		{FOUND, .size = 0x80000000ull, ANSWERS(0), .missing = "b"}, {OK, LISTENS},
		{ASKS, .command = READ, .name = "b", LOOKS_FOR("b")},
		{FOUND, .size = UINT64_MAX, ANSWERS(0), .missing = "b"});
}

static void names_that_lead_out_are_missing(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine,
		{ASKS, .command = READ, .name = "/etc/shadow", ANSWERS(0), .missing = "/etc/shadow",
			.line = "Refused /etc/shadow: it leads out of the boot files"},
		{OK, LISTENS},
		{ASKS, .command = SIZE, .name = "../x", ANSWERS(0), .missing = "../x"},
		{OK, LISTENS},
		{ASKS, .command = SIZE, .name = "a/../../x", ANSWERS(0), .missing = "a/../../x"},
		{OK, LISTENS}, {ASKS, .command = READ, .name = "a", LOOKS_FOR("a")});
}

static void a_refused_name_does_not_stand_for_the_file_before(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, {ASKS, .command = SIZE, .name = "a", LOOKS_FOR("a")},
		{FOUND, .size = 7, ANSWERS(7)}, {OK, LISTENS},
		{ASKS, .command = READ, .name = "../a", ANSWERS(0), .missing = "../a"},
		{OK, LISTENS},
		{ASKS, .command = READ, .name = "../a", ANSWERS(0), .missing = "../a"},
		{OK, LISTENS}, {ASKS, .command = READ, .name = "a", LOOKS_FOR("a")});
}

static void names_that_cannot_be_shown_are_missing(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine,
		{ASKS, .command = SIZE, .name = "mcb\n\033[2J.bin", ANSWERS(0),
			.missing = "mcb??[2J.bin",
			.line = "Refused mcb??[2J.bin: it holds what no name does"},
		{OK, LISTENS},
		{ASKS, .command = READ, .name = "\xff\xfe", ANSWERS(0), .missing = "??"},
		{OK, LISTENS},
		{ASKS, .command = READ, .name = "*KEY*\a", ANSWERS(0),
			.line = "Metadata not understood: *KEY*?"},
		{OK, LISTENS}, {ASKS, .command = DONE, .name = "\a", ENDS(0)});
}

static void metadata_is_reported_and_answered_with_nothing(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine,
		{ASKS, .command = SIZE, .name = "*EEPROM_UPDATE*success", ANSWERS(0),
			.key = "EEPROM_UPDATE", .value = "success",
			.line = "Metadata: EEPROM_UPDATE = success"},
		{OK, LISTENS},
		{ASKS, .command = READ, .name = "*JTAG_LOCKED*0", ANSWERS(0), .key = "JTAG_LOCKED",
			.value = "0"},
		{OK, LISTENS});
}

static void odd_metadata_is_answered_and_not_reported(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine,
		{ASKS, .command = READ, .name = "*KEY", ANSWERS(0),
			.line = "Metadata not understood: *KEY"},
		{OK, LISTENS}, {ASKS, .command = READ, .name = "**", ANSWERS(0)}, {OK, LISTENS},
		{ASKS, .command = READ, .name = "*../../etc/passwd", ANSWERS(0)}, {OK, LISTENS});
}

#define UNKNOWN                                                                                    \
	{                                                                                          \
		ASKS, .command = 7, .name = "x", LISTENS,                                          \
		      .line = "Garbage instead of a message: an unknown command"                   \
	}

static void three_garbage_messages_are_read_past(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, UNKNOWN, UNKNOWN, UNKNOWN,
		{ASKS, .command = READ, .name = "a", LOOKS_FOR("a")});
}

static void a_fourth_is_too_much(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, UNKNOWN, UNKNOWN, UNKNOWN,
		{ASKS, .command = 7, .name = "x", ENDS(-EPROTO)});
}

static void a_good_message_forgives_the_garbage_before(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, UNKNOWN, UNKNOWN, UNKNOWN,
		{ASKS, .command = READ, .name = "*K*V", ANSWERS(0), .key = "K", .value = "V"},
		{OK, LISTENS}, UNKNOWN, UNKNOWN, UNKNOWN,
		{ASKS, .command = 7, .name = "x", ENDS(-EPROTO)});
}

static void every_kind_of_garbage_counts(void **state)
{
	static uint8_t endless[260];
	struct boot_machine machine = listening();

	memset(endless + 4, 'a', 256);
	CONVERSE(&machine, {BYTES, .bytes = "\0\0\0\0x", .n = 6, LISTENS},
		{BYTES, .bytes = endless, .n = 260, LISTENS},
		{BUS, .error = -EPIPE, LISTENS,
			.line = "Garbage instead of a message: the request for it was stalled"},
		{BYTES, .bytes = endless, .n = 259, ENDS(-EPROTO)});
}

static void a_broken_receive_is_garbage(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, {BUS, .error = -EPROTO, LISTENS}, {BUS, .error = -EOVERFLOW, LISTENS},
		{BYTES, .bytes = "", .n = 0, LISTENS}, {BUS, .error = -EPROTO, ENDS(-EPROTO)});
}

static void a_module_that_leaves_without_done_is_gone(void **state)
{
	struct boot_machine unplugged = listening(), broken = listening();

	CONVERSE(&unplugged, {BUS, .error = -ENODEV, ENDS(-ENODEV)});
	CONVERSE(&broken, {BUS, .error = -EIO, ENDS(-ENODEV)});
}

static void a_silent_module_is_not_asked_again(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, {BUS, .error = -ETIMEDOUT, ENDS(-ETIMEDOUT)});
}

static void an_abort_ends_it(void **state)
{
	struct boot_machine machine = listening();

	CONVERSE(&machine, {BUS, .error = -ECANCELED, ENDS(-ECANCELED)});
}

static void a_file_sent_in_part_ends_it(void **state)
{
	static const struct {
		int bus, result;
	} rows[] = {
		{-ENODEV, -ENODEV},
		{-EIO, -ENODEV},
		{-ETIMEDOUT, -ETIMEDOUT},
		{-EPIPE, -EPROTO},
		{-EPROTO, -EPROTO},
		{-ECANCELED, -ECANCELED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct turn end = {BUS, .error = rows[i].bus, ENDS(rows[i].result)};
		struct boot_machine machine = listening();

		CONVERSE(&machine, {ASKS, .command = READ, .name = "a", LOOKS_FOR("a")},
			{FOUND, .size = 9, SENDS_FILE(9)});
		take_turn(&machine, i, &end);
	}
}

static void an_answer_that_fails_ends_it(void **state)
{
	struct boot_machine stalled = listening(), gone = listening();

	CONVERSE(&stalled, {ASKS, .command = SIZE, .name = "a", LOOKS_FOR("a")},
		{FOUND, .size = 9, ANSWERS(9)}, {BUS, .error = -EPIPE, ENDS(-EPROTO)});
	CONVERSE(&gone,
		{ASKS, .command = READ, .name = "*K*V", ANSWERS(0), .key = "K", .value = "V"},
		{BUS, .error = -EIO, ENDS(-ENODEV)});
}

static void a_file_that_cannot_be_read_ends_it(void **state)
{
	struct boot_machine unreadable = listening(), shrunk = listening(), poor = listening();

	CONVERSE(&unreadable, {ASKS, .command = SIZE, .name = "a", LOOKS_FOR("a")},
		{FILE_ERROR, .error = -EACCES, ENDS(-EIO), .line = "Cannot read a"});
	CONVERSE(&shrunk, {ASKS, .command = READ, .name = "a", LOOKS_FOR("a")},
		{FOUND, .size = 9, SENDS_FILE(9)}, {FILE_ERROR, .error = -EIO, ENDS(-EIO)});
	CONVERSE(&poor, {ASKS, .command = READ, .name = "a", LOOKS_FOR("a")},
		{FILE_ERROR, .error = -ENOMEM, ENDS(-ENOMEM)});
}

static void a_module_cannot_ask_without_end(void **state)
{
	static const struct turn asks[] = {
		{ASKS, .command = READ, .name = "boot.sig", LOOKS_FOR("boot.sig")},
		{ASKS, .command = READ, .name = "a", LOOKS_FOR("a")}};
	static const struct turn missing[] = {
		{FILE_ERROR, .error = -ENOENT, ANSWERS(0), .missing = "boot.sig"},
		{FILE_ERROR, .error = -ENOENT, ANSWERS(0), .missing = "a"}};
	static const struct turn listens = {OK, LISTENS};
	static const struct turn ends = {OK, ENDS(-EPROTO), .line = "The module asks without end"};
	struct boot_machine machine = listening();

	for (size_t i = 1; i <= BOOT_REQUESTS_MAX; i++) {
		take_turn(&machine, i, &asks[i % 2]);
		take_turn(&machine, i, &missing[i % 2]);
		take_turn(&machine, i, i < BOOT_REQUESTS_MAX ? &listens : &ends);
	}
}

static void nor_for_one_missing_file_again_and_again(void **state)
{
	static const struct turn asks = {
		ASKS, .command = SIZE, .name = "boot.sig", LOOKS_FOR("boot.sig")};
	static const struct turn missing = {
		FILE_ERROR, .error = -ENOENT, ANSWERS(0), .missing = "boot.sig"};
	static const struct turn listens = {OK, LISTENS};
	static const struct turn ends = {FILE_ERROR, .error = -ENOENT, ENDS(-EPROTO),
		.line = "The module asks for boot.sig again and again"};
	struct boot_machine machine = listening();

	for (size_t i = 1; i <= BOOT_MISSING_MAX; i++) {
		take_turn(&machine, i, &asks);
		take_turn(&machine, i, &missing);
		take_turn(&machine, i, &listens);
	}
	take_turn(&machine, 0, &asks);
	take_turn(&machine, 0, &ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gadget_boots),
		cmocka_unit_test(an_empty_name_is_answered_and_done),
		cmocka_unit_test(who_is_done_may_leave_before_the_answer),
		cmocka_unit_test(what_was_looked_up_for_its_size_is_what_is_sent),
		cmocka_unit_test(another_name_is_looked_up_anew),
		cmocka_unit_test(an_empty_file_is_there),
		cmocka_unit_test(a_file_that_cannot_be_counted_is_missing),
		cmocka_unit_test(names_that_lead_out_are_missing),
		cmocka_unit_test(a_refused_name_does_not_stand_for_the_file_before),
		cmocka_unit_test(names_that_cannot_be_shown_are_missing),
		cmocka_unit_test(metadata_is_reported_and_answered_with_nothing),
		cmocka_unit_test(odd_metadata_is_answered_and_not_reported),
		cmocka_unit_test(three_garbage_messages_are_read_past),
		cmocka_unit_test(a_fourth_is_too_much),
		cmocka_unit_test(a_good_message_forgives_the_garbage_before),
		cmocka_unit_test(every_kind_of_garbage_counts),
		cmocka_unit_test(a_broken_receive_is_garbage),
		cmocka_unit_test(a_module_that_leaves_without_done_is_gone),
		cmocka_unit_test(a_silent_module_is_not_asked_again),
		cmocka_unit_test(an_abort_ends_it),
		cmocka_unit_test(a_file_sent_in_part_ends_it),
		cmocka_unit_test(an_answer_that_fails_ends_it),
		cmocka_unit_test(a_file_that_cannot_be_read_ends_it),
		cmocka_unit_test(a_module_cannot_ask_without_end),
		cmocka_unit_test(nor_for_one_missing_file_again_and_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
