#include <errno.h>

#include "boot-conversation.h"
#include "boot/metadata.h"
#include "boot/request.h"

static void words_are_little_endian(void **state)
{
	const uint8_t bytes[4] = {0x78, 0x56, 0x34, 0xf2};
	uint8_t out[4];

	assert_int_equal(wire_get_le32(bytes), 0xf2345678);
	wire_put_le32(out, 0xf2345678);
	assert_memory_equal(out, bytes, 4);
}

static void a_size_is_split_over_value_and_index(void **state)
{
	static const uint32_t sizes[] = {0, 1, 0xffff, 0x10000, 31u << 20, 0x7fffffff, UINT32_MAX};
	uint16_t value, index;

	wire_split(0x00123456, &value, &index);
	assert_int_equal(value, 0x3456);
	assert_int_equal(index, 0x0012);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		wire_split(sizes[i], &value, &index);
		assert_int_equal(wire_join(value, index), sizes[i]);
	}
}

static int parse(uint32_t command, const char *name, struct boot_request *ret_request)
{
	struct wire_message message;

	wire_message_make(&message, command, name);
	return boot_request_parse(&message, sizeof(message), ret_request);
}

static void assert_verb(uint32_t command, const char *name, enum boot_verb verb)
{
	struct boot_request request;

	assert_int_equal(parse(command, name, &request), 0);
	assert_int_equal(request.verb, verb);
	assert_string_equal(request.name, name);
}

static void each_command_has_its_verb(void **state)
{
	assert_verb(0, "config.txt", BOOT_VERB_SIZE);
	assert_verb(1, "config.txt", BOOT_VERB_READ);
	assert_verb(2, "config.txt", BOOT_VERB_DONE);
	assert_verb(0, "*MAC_ADDR*x", BOOT_VERB_METADATA);
	assert_verb(1, "*MAC_ADDR*x", BOOT_VERB_METADATA);
	assert_verb(2, "*MAC_ADDR*x", BOOT_VERB_DONE);
}

static void an_empty_name_is_done_under_any_command(void **state)
{
	assert_verb(0, "", BOOT_VERB_DONE);
	assert_verb(1, "", BOOT_VERB_DONE);
	assert_verb(2, "", BOOT_VERB_DONE);
	assert_verb(3, "", BOOT_VERB_DONE);
	assert_verb(UINT32_MAX, "", BOOT_VERB_DONE);
}

static void an_unknown_command_is_garbage(void **state)
{
	struct boot_request request = {.name = "untouched"};

	assert_int_equal(parse(3, "config.txt", &request), -EOPNOTSUPP);
	assert_int_equal(parse(UINT32_MAX, "config.txt", &request), -EOPNOTSUPP);
	assert_int_equal(parse(0x01000000, "config.txt", &request), -EOPNOTSUPP);
	assert_int_equal(parse(9, "*KEY*VALUE", &request), -EOPNOTSUPP);
	assert_string_equal(request.name, "untouched");
}

static void any_other_size_is_garbage(void **state)
{
	struct wire_message messages[2] = {0};
	struct boot_request request;

	for (size_t size = 0; size < sizeof(messages); size++)
		if (size != sizeof(messages[0]))
			assert_int_equal(boot_request_parse(messages, size, &request), -EMSGSIZE);
	assert_int_equal(boot_request_parse(NULL, 0, &request), -EMSGSIZE);
}

static void a_name_must_end(void **state)
{
	struct wire_message message = {0};
	struct boot_request request;

	memset(message.name, 'a', sizeof(message.name));
	assert_int_equal(boot_request_parse(&message, sizeof(message), &request), -EILSEQ);

	message.name[WIRE_NAME_SIZE - 1] = '\0';
	assert_int_equal(boot_request_parse(&message, sizeof(message), &request), 0);
	assert_int_equal(strlen(request.name), 255);
}

static void a_name_that_is_not_printable_is_refused_and_made_so(void **state)
{
	struct boot_request request;
	char name[] = "boot?img";

	for (int c = 1; c < 256; c++) {
		bool printable = c >= 0x20 && c <= 0x7e;

		name[4] = (char)c;
		if (c == '/')
			continue;
		assert_int_equal(parse(1, name, &request), 0);
		assert_int_equal(request.refusal == NULL, printable);
		assert_int_equal(request.name[4], printable ? c : '?');
	}
	assert_int_equal(parse(1, "*KEY*\033[2J", &request), 0);
	assert_non_null(request.refusal);
	assert_string_equal(request.name, "*KEY*?[2J");
}

static void what_follows_the_nul_is_not_looked_at(void **state)
{
	struct wire_message message;
	struct boot_request request;

	wire_message_make(&message, 1, "mcb.bin");
	memset(message.name + 8, 0xff, sizeof(message.name) - 8);
	assert_int_equal(boot_request_parse(&message, sizeof(message), &request), 0);
	assert_string_equal(request.name, "mcb.bin");
}

static bool is_refused(const char *name)
{
	struct boot_request request;

	assert_int_equal(parse(1, name, &request), 0);
	return request.refusal != NULL;
}

static void names_that_lead_out_are_refused(void **state)
{
	assert_true(is_refused("/etc/shadow"));
	assert_true(is_refused(".."));
	assert_true(is_refused("../config.txt"));
	assert_true(is_refused("overlays/../../x"));
	assert_true(is_refused("overlays//.."));
	assert_true(is_refused("a/.."));

	assert_false(is_refused("config.txt"));
	assert_false(is_refused("overlays/dwc2.dtbo"));
	assert_false(is_refused("..."));
	assert_false(is_refused("a..b"));
	assert_false(is_refused("..config.txt"));
	assert_false(is_refused("config.txt.."));
	assert_false(is_refused("*KEY*a/../b"));
}

static void metadata_is_a_key_and_a_value(void **state)
{
	struct cm4_metadata metadata;

	assert_int_equal(boot_metadata_parse("*MAC_ADDR*d8:3a:dd:00:11:22", &metadata), 0);
	assert_string_equal(metadata.key, "MAC_ADDR");
	assert_string_equal(metadata.value, "d8:3a:dd:00:11:22");

	assert_int_equal(boot_metadata_parse("*CUSTOMER_KEY_HASH*", &metadata), 0);
	assert_string_equal(metadata.key, "CUSTOMER_KEY_HASH");
	assert_string_equal(metadata.value, "");

	assert_int_equal(boot_metadata_parse("*BOOT_ROM*0000c8b0*", &metadata), 0);
	assert_string_equal(metadata.value, "0000c8b0");
}

static void what_is_no_metadata_is_rejected_and_changes_nothing(void **state)
{
	struct cm4_metadata metadata = {.key = "untouched"};

	assert_int_equal(boot_metadata_parse("", &metadata), -EINVAL);
	assert_int_equal(boot_metadata_parse("KEY*VALUE", &metadata), -EINVAL);
	assert_int_equal(boot_metadata_parse("*", &metadata), -EINVAL);
	assert_int_equal(boot_metadata_parse("**", &metadata), -EINVAL);
	assert_int_equal(boot_metadata_parse("**VALUE", &metadata), -EINVAL);
	assert_int_equal(boot_metadata_parse("*KEY", &metadata), -EINVAL);
	assert_int_equal(boot_metadata_parse("*KEY*a\nb", &metadata), -EINVAL);
	assert_int_equal(boot_metadata_parse("*K\033Y*value", &metadata), -EINVAL);
	assert_int_equal(boot_metadata_parse("*KEY*\xc3\xa9", &metadata), -EINVAL);
	assert_string_equal(metadata.key, "untouched");
}

static int parse_sized(size_t key_size, size_t value_size)
{
	struct cm4_metadata metadata;
	char name[1024];

	snprintf(name, sizeof(name), "*%0*d*%0*d", (int)key_size, 0, (int)value_size, 0);
	return boot_metadata_parse(name, &metadata);
}

static void metadata_is_never_cut_short(void **state)
{
	assert_int_equal(parse_sized(63, 1), 0);
	assert_int_equal(parse_sized(64, 1), -ENAMETOOLONG);
	assert_int_equal(parse_sized(1, 191), 0);
	assert_int_equal(parse_sized(1, 192), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_little_endian),
		cmocka_unit_test(a_size_is_split_over_value_and_index),
		cmocka_unit_test(each_command_has_its_verb),
		cmocka_unit_test(an_empty_name_is_done_under_any_command),
		cmocka_unit_test(an_unknown_command_is_garbage),
		cmocka_unit_test(any_other_size_is_garbage),
		cmocka_unit_test(a_name_must_end),
		cmocka_unit_test(a_name_that_is_not_printable_is_refused_and_made_so),
		cmocka_unit_test(what_follows_the_nul_is_not_looked_at),
		cmocka_unit_test(names_that_lead_out_are_refused),
		cmocka_unit_test(metadata_is_a_key_and_a_value),
		cmocka_unit_test(what_is_no_metadata_is_rejected_and_changes_nothing),
		cmocka_unit_test(metadata_is_never_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
