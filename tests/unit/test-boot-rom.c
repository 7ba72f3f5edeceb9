#include <errno.h>

#include "boot-conversation.h"

/* The dialogue with a ROM, for chips old and new. */

#define LOOKS_FOR_STAGE(s) .action = BOOT_ACTION_FIND_SECOND_STAGE, .looks_for = (s)
#define SENDS_HEADER	   .action = BOOT_ACTION_SEND_BYTES, .says = 24
#define WAITS_FOR_STATUS   .action = BOOT_ACTION_RECEIVE, .says = 4

/* Up to and without the status. */
#define CM4_BOOTS                                                                                  \
	{START, LOOKS_FOR_STAGE("bootcode4.bin")},                                                 \
		{FOUND, .size = 73120, SENDS_HEADER, .line = "Sending bootcode4.bin"},             \
		{OK, SENDS_FILE(73120)},                                                           \
	{                                                                                          \
		OK, WAITS_FOR_STATUS, .served = "bootcode4.bin"                                    \
	}

static struct boot_machine start(const char *model)
{
	struct boot_machine machine;

	boot_machine_init_rom(&machine, boot_chip_by_model(model));
	return machine;
}

static void a_cm4_is_sent_header_and_second_stage(void **state)
{
	struct boot_machine machine = start("cm4");

	CONVERSE(&machine, CM4_BOOTS,
		{BYTES, .bytes = "\0\0\0\0", .n = 4, ENDS(0), .line = "Successful read 4 bytes"});
}

static void the_header_holds_the_length_and_zeros(void **state)
{
	static const uint8_t expected[24] = {0xa0, 0x1d, 0x01, 0x00};
	struct boot_machine machine = start("cm5");

	CONVERSE(&machine, {START, LOOKS_FOR_STAGE("bootcode5.bin")},
		{FOUND, .size = 73120, SENDS_HEADER});
	assert_memory_equal(machine.action.bytes, expected, 24);
}

static void an_older_chips_header_holds_the_signature(void **state)
{
	static const char expected[] = "\x00\x01\x00\x00"
				       "0123456789abcdefghij";
	struct boot_machine machine = start("cm3");

	CONVERSE(&machine, {START, LOOKS_FOR("bootcode.sig")},
		{FOUND, .size = 256, .action = BOOT_ACTION_READ_FILE, .says = 20},
		{BYTES, .bytes = "0123456789abcdefghij", .n = 20, LOOKS_FOR_STAGE("bootcode.bin")},
		{FOUND, .size = 256, SENDS_HEADER});
	assert_memory_equal(machine.action.bytes, expected, 24);
}

static void an_older_chip_boots_without_a_signature(void **state)
{
	static const uint8_t expected[24] = {0x01};
	struct boot_machine machine = start("cm1");

	CONVERSE(&machine, {START, LOOKS_FOR("bootcode.sig")},
		{FILE_ERROR, .error = -ENOENT, LOOKS_FOR_STAGE("bootcode.bin")},
		{FOUND, .size = 1, SENDS_HEADER});
	assert_memory_equal(machine.action.bytes, expected, 24);
}

static void a_bad_signature_is_not_passed_over(void **state)
{
	struct boot_machine unreadable = start("cm3"), vanished = start("cm3"), cut = start("cm3");

	CONVERSE(&unreadable, {START, LOOKS_FOR("bootcode.sig")},
		{FILE_ERROR, .error = -EACCES, ENDS(-EIO)});
	CONVERSE(&cut, {START, LOOKS_FOR("bootcode.sig")}, {FOUND, .size = 19, ENDS(-EIO)});
	CONVERSE(&vanished, {START, LOOKS_FOR("bootcode.sig")},
		{FOUND, .size = 20, .action = BOOT_ACTION_READ_FILE, .says = 20},
		{FILE_ERROR, .error = -EIO, ENDS(-EIO)});
}

static void without_a_second_stage_nothing_is_sent(void **state)
{
	struct boot_machine missing = start("cm4"), empty = start("cm4"), huge = start("cm4");

	CONVERSE(&missing, {START, LOOKS_FOR_STAGE("bootcode4.bin")},
		{FILE_ERROR, .error = -ENOENT, ENDS(-ENOPKG), .line = "No bootcode4.bin to send"});
	CONVERSE(&empty, {START, LOOKS_FOR_STAGE("bootcode4.bin")},
		{FOUND, .size = 0, ENDS(-ENOPKG)});
	CONVERSE(&huge, {START, LOOKS_FOR_STAGE("bootcode4.bin")},
		{FOUND, .size = 0x80000000ull, ENDS(-ENOPKG)});
}

static void an_unreadable_second_stage_is_an_error_here(void **state)
{
	struct boot_machine machine = start("cm4"), poor = start("cm4"), shrunk = start("cm4");

	CONVERSE(&machine, {START, LOOKS_FOR_STAGE("bootcode4.bin")},
		{FILE_ERROR, .error = -EACCES, ENDS(-EIO)});
	CONVERSE(&poor, {START, LOOKS_FOR_STAGE("bootcode4.bin")},
		{FILE_ERROR, .error = -ENOMEM, ENDS(-ENOMEM)});
	CONVERSE(&shrunk, {START, LOOKS_FOR_STAGE("bootcode4.bin")},
		{FOUND, .size = 100, SENDS_HEADER}, {OK, SENDS_FILE(100)},
		{FILE_ERROR, .error = -EIO, ENDS(-EIO)});
}

static void a_header_that_fails_ends_it(void **state)
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
		{-ENOMEM, -ENOMEM},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct turn turns[] = {
			{START, LOOKS_FOR_STAGE("bootcode4.bin")},
			{FOUND, .size = 100, SENDS_HEADER},
			{BUS, .error = rows[i].bus, ENDS(rows[i].result)},
		};
		struct boot_machine machine = start("cm4");

		converse(&machine, turns, 3);
	}
}

static void a_module_unplugged_while_sending_is_gone(void **state)
{
	struct boot_machine machine = start("cm4");

	CONVERSE(&machine, {START, LOOKS_FOR_STAGE("bootcode4.bin")},
		{FOUND, .size = 100, SENDS_HEADER}, {OK, SENDS_FILE(100)},
		{BUS, .error = -ENODEV, ENDS(-ENODEV), .line = "Failed to send bootcode4.bin"});
}

static void a_module_that_has_reset_needs_no_status(void **state)
{
	static const int errors[] = {-ENODEV, -EIO, -EPIPE, -EPROTO};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		const struct turn end = {
			BUS, .error = errors[i], ENDS(0), .line = "The module has reset"};
		struct boot_machine machine = start("cm4");

		CONVERSE(&machine, CM4_BOOTS);
		take_turn(&machine, i, &end);
	}
}

static void silence_in_place_of_a_status_is_silence(void **state)
{
	struct boot_machine machine = start("cm4");

	CONVERSE(&machine, CM4_BOOTS, {BUS, .error = -ETIMEDOUT, ENDS(-ETIMEDOUT)});
}

static void an_abort_in_place_of_a_status_is_an_abort(void **state)
{
	struct boot_machine machine = start("cm4");

	CONVERSE(&machine, CM4_BOOTS, {BUS, .error = -ECANCELED, ENDS(-ECANCELED)});
}

static void a_bad_status_is_a_failure(void **state)
{
	struct boot_machine machine = start("cm4");

	CONVERSE(&machine, CM4_BOOTS,
		{BYTES, .bytes = "\x2a\0\0\x80", .n = 4, ENDS(-ENOEXEC),
			.line = "Failed : 0x8000002a"});
}

static void a_status_of_another_size_is_nonsense(void **state)
{
	for (size_t n = 0; n < 4; n++) {
		const struct turn end = {BYTES, .bytes = "\0\0\0\0", .n = n, ENDS(-EPROTO)};
		struct boot_machine machine = start("cm4");

		CONVERSE(&machine, CM4_BOOTS);
		take_turn(&machine, n, &end);
	}

	struct boot_machine machine = start("cm4");

	CONVERSE(&machine, CM4_BOOTS, {BUS, .error = -EOVERFLOW, ENDS(-EPROTO)});
}

static void an_ended_machine_stays_ended(void **state)
{
	struct boot_machine machine = start("cm4");

	CONVERSE(&machine, {START, LOOKS_FOR_STAGE("bootcode4.bin")},
		{FILE_ERROR, .error = -ENOENT, ENDS(-ENOPKG)}, {OK, ENDS(-ENOPKG)},
		{START, ENDS(-ENOPKG)});
	assert_null(machine.action.line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cm4_is_sent_header_and_second_stage),
		cmocka_unit_test(the_header_holds_the_length_and_zeros),
		cmocka_unit_test(an_older_chips_header_holds_the_signature),
		cmocka_unit_test(an_older_chip_boots_without_a_signature),
		cmocka_unit_test(a_bad_signature_is_not_passed_over),
		cmocka_unit_test(without_a_second_stage_nothing_is_sent),
		cmocka_unit_test(an_unreadable_second_stage_is_an_error_here),
		cmocka_unit_test(a_header_that_fails_ends_it),
		cmocka_unit_test(a_module_unplugged_while_sending_is_gone),
		cmocka_unit_test(a_module_that_has_reset_needs_no_status),
		cmocka_unit_test(silence_in_place_of_a_status_is_silence),
		cmocka_unit_test(an_abort_in_place_of_a_status_is_an_abort),
		cmocka_unit_test(a_bad_status_is_a_failure),
		cmocka_unit_test(a_status_of_another_size_is_nonsense),
		cmocka_unit_test(an_ended_machine_stays_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
