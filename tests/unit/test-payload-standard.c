#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"

#include "boot/chip.h"
#include "payload/payload.h"
#include "payload/standard.h"

/* The standard places, moved to where a test can fill them. */

#define CM3 boot_chip_by_model("cm3")
#define CM4 boot_chip_by_model("cm4")
#define CM5 boot_chip_by_model("cm5")

#define A_STAGE "\x7f second stage"

static struct scratch dir;
static char first[300], second[300], third[300];
static const char *const places[] = {first, second, third, NULL};
static char sentence[256];

static int make_scratch(void **state)
{
	scratch_new(&dir);
	snprintf(first, sizeof(first), "%s/first", dir.path);
	snprintf(second, sizeof(second), "%s/second", dir.path);
	snprintf(third, sizeof(third), "%s/third", dir.path);
	return 0;
}

static int remove_scratch(void **state)
{
	scratch_free(&dir);
	return 0;
}

static struct payload *opened(void)
{
	struct payload *payload;
	int r = standard_open(places, &payload, sentence, sizeof(sentence));

	if (r < 0)
		fail_msg("%d: %s", r, sentence);
	return payload;
}

static uint64_t size_of(struct payload *payload, const struct boot_chip *chip, const char *name)
{
	struct payload_file *file;
	uint64_t size;

	if (payload_find(payload, chip, NULL, name, &file) < 0)
		return 0;
	size = payload_file_size(file);
	payload_file_close(file);
	return size;
}

static void the_first_place_that_opens_serves(void **state)
{
	struct payload *payload;

	scratch_mkdir(&dir, "second");
	scratch_mkdir(&dir, "third");
	scratch_text(&dir, "second/bootcode4.bin", A_STAGE);
	scratch_text(&dir, "second/config.txt", "12");
	scratch_text(&dir, "third/bootcode4.bin", A_STAGE);
	scratch_text(&dir, "third/config.txt", "123");
	scratch_text(&dir, "third/start4.elf", "x");

	payload = opened();
	assert_string_equal(payload_label(payload), second);
	assert_string_equal(sentence, "");
	assert_int_equal(size_of(payload, CM4, "config.txt"), 2);
	assert_int_equal(size_of(payload, CM4, "start4.elf"), 0);
	payload_free(payload);
}

static void a_chip_unknown_to_it_is_served_by_the_next_that_knows(void **state)
{
	struct payload *payload;

	scratch_mkdir(&dir, "first");
	scratch_mkdir(&dir, "third");
	scratch_text(&dir, "first/bootcode4.bin", A_STAGE);
	scratch_text(&dir, "first/config.txt", "1");
	scratch_text(&dir, "third/bootcode.bin", A_STAGE);
	scratch_text(&dir, "third/start.elf", "1234");

	payload = opened();
	assert_true(payload_serves(payload, CM3));
	assert_true(payload_serves(payload, CM4));
	assert_false(payload_serves(payload, CM5));
	assert_int_equal(size_of(payload, CM3, "start.elf"), 4);
	assert_int_equal(size_of(payload, CM3, "config.txt"), 0);
	assert_int_equal(size_of(payload, CM4, "config.txt"), 1);
	assert_int_equal(size_of(payload, CM4, "start.elf"), 0);
	assert_int_equal(size_of(payload, CM5, "config.txt"), 0);
	assert_non_null(strstr(payload_label(payload), first));
	assert_non_null(strstr(payload_label(payload), third));
	payload_free(payload);
}

static void a_broken_place_is_passed_over_and_named(void **state)
{
	struct payload *payload;

	scratch_mkdir(&dir, "first");
	scratch_mkdir(&dir, "second");
	scratch_text(&dir, "first/bootcode4.bin", "../firmware/bootcode4.bin");
	scratch_text(&dir, "second/bootcode4.bin", A_STAGE);

	payload = opened();
	assert_string_equal(payload_label(payload), second);
	assert_non_null(strstr(sentence, first));
	payload_free(payload);
}

static void broken_places_alone_say_what_is_wrong(void **state)
{
	struct payload *payload;

	scratch_mkdir(&dir, "second");
	scratch_text(&dir, "second/bootcode4.bin", "../firmware/bootcode4.bin");
	assert_int_equal(standard_open(places, &payload, sentence, sizeof(sentence)), -EBADMSG);
	assert_non_null(strstr(sentence, "symlink"));
}

static void no_place_at_all_says_what_to_do(void **state)
{
	static const char *const nowhere[] = {NULL};
	struct payload *payload;

	assert_int_equal(standard_open(places, &payload, sentence, sizeof(sentence)), -ENOENT);
	assert_non_null(strstr(sentence, "rpiboot"));
	assert_int_equal(standard_open(nowhere, &payload, sentence, sizeof(sentence)), -ENOENT);
	assert_non_null(strstr(sentence, "rpiboot"));
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(the_first_place_that_opens_serves),
		IN_SCRATCH(a_chip_unknown_to_it_is_served_by_the_next_that_knows),
		IN_SCRATCH(a_broken_place_is_passed_over_and_named),
		IN_SCRATCH(broken_places_alone_say_what_is_wrong),
		IN_SCRATCH(no_place_at_all_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
