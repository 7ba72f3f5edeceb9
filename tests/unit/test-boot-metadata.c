#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/metadata.h"
#include "boot/uuid.h"

/* FACTORY_UUID decoded, and the verdict on an EEPROM update. What a name may look like: test-boot-request. */

#define HASH_TEXT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static unsigned char hash[BOOT_EEPROM_HASH_SIZE];

static int make_hash(void **state)
{
	for (size_t i = 0; i < sizeof(hash); i++)
		hash[i] = (unsigned char)i;
	hash[31] = 0xff;
	return 0;
}

static const char *uuid_of(const char *words)
{
	static char uuid[BOOT_UUID_SIZE];

	strcpy(uuid, "untouched");
	assert_int_equal(boot_uuid_decode(words, uuid), 0);
	return uuid;
}

static void assert_no_uuid(const char *words)
{
	char uuid[BOOT_UUID_SIZE] = "untouched";

	if (boot_uuid_decode(words, uuid) != -EINVAL)
		fail_msg("%s: %s", words, uuid);
	assert_string_equal(uuid, "untouched");
}

static void three_characters_are_in_each_half_word(void **state)
{
	assert_string_equal(uuid_of("19a519a6_19ab520e_1ac0212b"), "001000911006186073");
	assert_string_equal(uuid_of("19A519A6_19AB520E_1AC0212B"), "001000911006186073");
	assert_string_equal(uuid_of("fa00"), "ZZZ");
	assert_string_equal(uuid_of("19a5"), "000");
	assert_string_equal(uuid_of("59e9"), "ABC");
}

static void zeros_end_it(void **state)
{
	assert_string_equal(uuid_of("59e959e9_0"), "ABCABC");
	assert_string_equal(uuid_of("59e959e9_00000000_00000000"), "ABCABC");
	assert_string_equal(uuid_of("000059e9_00000000"), "ABC");
	assert_no_uuid("59e9_59e9");
	assert_no_uuid("59e959e9_0_59e959e9");
	assert_no_uuid("59e90000");
	assert_no_uuid("0");
}

static void what_is_no_hex_word_is_not_decoded(void **state)
{
	static const char *const odd[] = {"", "_", "59e9_", "_59e9", "59e9__59e9", " 59e9", "+59e9",
		"0x59e9", "59eg", "159e959e9", "-1", "59e959e9 59e959e9"};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		assert_no_uuid(odd[i]);
}

static void shifts_spaces_and_what_is_beyond_c40_are_not_decoded(void **state)
{
	assert_no_uuid("1");	/* three of value 0 */
	assert_no_uuid("133c"); /* three of value 3: spaces */
	assert_no_uuid("fa01"); /* a first value of 40 */
	assert_no_uuid("ffff");
}

static void it_is_never_longer_than_it_may_be(void **state)
{
	assert_string_equal(uuid_of("fa00fa00_fa00fa00_fa00fa00_fa00fa00_fa00fa00_fa00fa00"),
		"ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ");
	assert_no_uuid("fa00fa00_fa00fa00_fa00fa00_fa00fa00_fa00fa00_fa00fa00_fa00");
}

static void metadata_holds_it_decoded_or_else_as_it_came(void **state)
{
	struct cm4_metadata metadata;

	assert_int_equal(
		boot_metadata_parse("*FACTORY_UUID*19a519a6_19ab520e_1ac0212b", &metadata), 0);
	assert_string_equal(metadata.value, "001000911006186073");
	assert_int_equal(boot_metadata_parse("*FACTORY_UUID*ffff_nonsense", &metadata), 0);
	assert_string_equal(metadata.value, "ffff_nonsense");
	assert_int_equal(boot_metadata_parse("*FACTORY_UUID*", &metadata), 0);
	assert_string_equal(metadata.value, "");
	assert_int_equal(boot_metadata_parse("*BOARD_ATTR*59e959e9", &metadata), 0);
	assert_string_equal(metadata.value, "59e959e9");
}

static void assert_verdict(
	const struct cm4_metadata *metadata, size_t n, int expected, const char *word)
{
	char message[256] = "untouched";
	int r = boot_eeprom_verdict(metadata, n, hash, message, sizeof(message));

	if (r != expected || !strstr(message, word) || (r == 0 && *message))
		fail_msg("%d, and no \"%s\" in: %s", r, word, message);
}

static void success_needs_the_modules_word_and_the_hash(void **state)
{
	const struct cm4_metadata metadata[] = {
		{"MAC_ADDR", "d8:3a:dd:00:11:22"},
		{"EEPROM_UPDATE", "success"},
		{"EEPROM_HASH", HASH_TEXT},
	};

	assert_verdict(metadata, 3, 0, "");
	assert_verdict(metadata, 2, -EIO, "no EEPROM_HASH");
	assert_verdict(metadata, 1, -EIO, "wrote nothing");
	assert_verdict(metadata, 0, -EIO, "no metadata came");
}

static void a_hash_may_be_in_capitals(void **state)
{
	struct cm4_metadata metadata[] = {{"EEPROM_UPDATE", "success"}, {"EEPROM_HASH", HASH_TEXT}};

	for (char *c = metadata[1].value; *c; c++)
		if (*c >= 'a')
			*c = (char)(*c - 32);
	assert_verdict(metadata, 2, 0, "");
}

static void another_hash_is_a_failure(void **state)
{
	struct cm4_metadata metadata[] = {{"EEPROM_UPDATE", "success"}, {"EEPROM_HASH", HASH_TEXT}};

	metadata[1].value[63] = 'e';
	assert_verdict(metadata, 2, -EIO, "does not hold");
	metadata[1].value[63] = '\0';
	assert_verdict(metadata, 2, -EIO, "does not hold");
	strcpy(metadata[1].value, HASH_TEXT "00");
	assert_verdict(metadata, 2, -EIO, "does not hold");
	strcpy(metadata[1].value, "");
	assert_verdict(metadata, 2, -EIO, "does not hold");
}

static void who_contradicts_himself_is_not_believed(void **state)
{
	const struct cm4_metadata twice[] = {
		{"EEPROM_UPDATE", "success"},
		{"EEPROM_HASH", HASH_TEXT},
		{"EEPROM_UPDATE", "failed"},
	};
	const struct cm4_metadata hashes[] = {
		{"EEPROM_UPDATE", "success"},
		{"EEPROM_HASH", HASH_TEXT},
		{"EEPROM_HASH", "00"},
	};
	const struct cm4_metadata nearly[] = {
		{"EEPROM_UPDATE", "success!"},
		{"EEPROM_HASH", HASH_TEXT},
	};

	assert_verdict(twice, 3, -EIO, "failed");
	assert_verdict(hashes, 3, -EIO, "does not hold");
	assert_verdict(nearly, 2, -EIO, "not written");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_characters_are_in_each_half_word),
		cmocka_unit_test(zeros_end_it),
		cmocka_unit_test(what_is_no_hex_word_is_not_decoded),
		cmocka_unit_test(shifts_spaces_and_what_is_beyond_c40_are_not_decoded),
		cmocka_unit_test(it_is_never_longer_than_it_may_be),
		cmocka_unit_test(metadata_holds_it_decoded_or_else_as_it_came),
		cmocka_unit_test(success_needs_the_modules_word_and_the_hash),
		cmocka_unit_test(a_hash_may_be_in_capitals),
		cmocka_unit_test(another_hash_is_a_failure),
		cmocka_unit_test(who_contradicts_himself_is_not_believed),
	};

	return cmocka_run_group_tests(tests, make_hash, NULL);
}
