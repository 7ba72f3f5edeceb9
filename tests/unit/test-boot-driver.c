#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "boot-conversation.h"
#include "scratch.h"

#include "boot/driver.h"
#include "payload/payload.h"
#include "seam/usb.h"

/*
 * The driver on a USB device that plays back what a module says, and keeps what it is sent: bytes, sizes and
 * timeouts. One transfer of a kind can be made to fail.
 */

#define CALLS_MAX 64

struct says {
	const void *bytes;
	ssize_t n; /* or -errno */
};

struct fake {
	struct usb_device device;
	const struct says *says;
	size_t n_says;

	uint32_t announced[CALLS_MAX];
	size_t n_announced;
	size_t chunks[CALLS_MAX];
	size_t n_chunks;
	uint8_t sent[256 * 1024];
	size_t n_sent;

	size_t bad_announce; /* counted from 1 */
	size_t bad_chunk;
	ssize_t bad_result;

	void (*on_announce)(struct fake *fake);
	struct scratch *scratch;
};

static int fake_control_out(
	struct usb_device *device, uint16_t value, uint16_t index, unsigned timeout_ms)
{
	struct fake *fake = (struct fake *)device;

	assert_int_equal(timeout_ms, 1000);
	assert_true(fake->n_announced < CALLS_MAX);
	fake->announced[fake->n_announced++] = wire_join(value, index);
	if (fake->on_announce)
		fake->on_announce(fake);
	return fake->n_announced == fake->bad_announce ? (int)fake->bad_result : 0;
}

static ssize_t fake_control_in(struct usb_device *device, uint16_t value, uint16_t index,
	void *buffer, size_t size, unsigned timeout_ms)
{
	struct fake *fake = (struct fake *)device;
	ssize_t n;

	assert_int_equal(timeout_ms, 20000);
	assert_int_equal(wire_join(value, index), size);
	if (fake->n_says == 0)
		return -ENODEV;
	n = fake->says->n;
	if (n > 0 && fake->says->bytes)
		memcpy(buffer, fake->says->bytes, (size_t)n < size ? (size_t)n : size);
	fake->says++;
	fake->n_says--;
	return n;
}

static ssize_t fake_bulk_out(
	struct usb_device *device, const void *buffer, size_t size, unsigned timeout_ms)
{
	struct fake *fake = (struct fake *)device;

	assert_int_equal(timeout_ms, 5000);
	assert_true(fake->n_chunks < CALLS_MAX);
	assert_true(size <= sizeof(fake->sent) - fake->n_sent);
	fake->chunks[fake->n_chunks++] = size;
	if (fake->n_chunks == fake->bad_chunk)
		return fake->bad_result;
	memcpy(fake->sent + fake->n_sent, buffer, size);
	fake->n_sent += size;
	return (ssize_t)size;
}

static const struct usb_device_ops fake_ops = {
	.control_out = fake_control_out,
	.control_in = fake_control_in,
	.bulk_out = fake_bulk_out,
};

static struct fake *fake_new(const struct says *says, size_t n)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	fake->device.ops = &fake_ops;
	fake->says = says;
	fake->n_says = n;
	return fake;
}

/* 40 000 bytes: two chunks and a bit. */
#define STAGE_SIZE 40000
static uint8_t stage[STAGE_SIZE];

static struct payload *payload_of_test(void)
{
	static const struct payload_blob blobs[] = {
		{"bootcode4.bin", stage, sizeof(stage)},
		{"bootcode.bin", stage, 100},
		{"bootcode.sig", "0123456789abcdefghij and more", 29},
		{"2711/mcb.bin", stage + 5, 16384},
		{"config.txt", "", 0},
	};
	struct payload *payload;

	for (size_t i = 0; i < sizeof(stage); i++)
		stage[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(
		payload_new_blobs("test", blobs, sizeof(blobs) / sizeof(blobs[0]), &payload), 0);
	return payload;
}

static int run_rom(struct fake *fake, const char *model)
{
	struct payload *payload = payload_of_test();
	int r = boot_run_rom(&fake->device, boot_chip_by_model(model), payload, "1-1", NULL);

	payload_free(payload);
	return r;
}

static int run_server(struct fake *fake, const struct boot_observer *observer)
{
	struct payload *payload = payload_of_test();
	int r = boot_run_server(&fake->device, boot_chip_by_model("cm4"), payload, "1-1", observer);

	payload_free(payload);
	return r;
}

static const struct says good_status = {"\0\0\0\0", 4};

static void a_rom_gets_header_and_stage_in_chunks(void **state)
{
	struct fake *fake = fake_new(&good_status, 1);

	assert_int_equal(run_rom(fake, "cm4"), 0);
	assert_int_equal(fake->n_announced, 2);
	assert_int_equal(fake->announced[0], 24);
	assert_int_equal(fake->announced[1], STAGE_SIZE);
	assert_int_equal(fake->n_chunks, 4);
	assert_int_equal(fake->chunks[0], 24);
	assert_int_equal(fake->chunks[1], 16384);
	assert_int_equal(fake->chunks[2], 16384);
	assert_int_equal(fake->chunks[3], STAGE_SIZE - 2 * 16384);
	assert_int_equal(wire_get_le32(fake->sent), STAGE_SIZE);
	assert_memory_equal(fake->sent + 24, stage, STAGE_SIZE);
	free(fake);
}

static void an_older_rom_gets_the_signature(void **state)
{
	struct fake *fake = fake_new(&good_status, 1);

	assert_int_equal(run_rom(fake, "cm3"), 0);
	assert_memory_equal(fake->sent,
		"\x64\0\0\0"
		"0123456789abcdefghij",
		24);
	assert_memory_equal(fake->sent + 24, stage, 100);
	free(fake);
}

static void a_chip_without_a_stage_is_sent_nothing(void **state)
{
	struct fake *fake = fake_new(&good_status, 1);

	assert_int_equal(run_rom(fake, "cm5"), -ENOPKG);
	assert_int_equal(fake->n_announced + fake->n_chunks, 0);
	free(fake);
}

static void a_rom_may_reset_before_its_status(void **state)
{
	struct fake *fake = fake_new(NULL, 0);

	assert_int_equal(run_rom(fake, "cm4"), 0);
	free(fake);
}

static void a_chunk_that_is_not_taken_whole_ends_it(void **state)
{
	static const struct {
		ssize_t result;
		int error;
	} rows[] = {
		{0, -EPROTO},
		{16383, -EPROTO},
		{16385, -EPROTO},
		{-ENODEV, -ENODEV},
		{-EIO, -ENODEV},
		{-ETIMEDOUT, -ETIMEDOUT},
		{-EPIPE, -EPROTO},
		{-ECANCELED, -ECANCELED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake *fake = fake_new(&good_status, 1);

		fake->bad_chunk = 3;
		fake->bad_result = rows[i].result;
		assert_int_equal(run_rom(fake, "cm4"), rows[i].error);
		assert_int_equal(fake->n_chunks, 3);
		free(fake);
	}
}

static void an_announcement_that_fails_is_followed_by_nothing(void **state)
{
	for (size_t n = 1; n <= 2; n++) {
		struct fake *fake = fake_new(&good_status, 1);

		fake->bad_announce = n;
		fake->bad_result = -EPIPE;
		assert_int_equal(run_rom(fake, "cm4"), -EPROTO);
		assert_int_equal(fake->n_chunks, n - 1);
		free(fake);
	}
}

struct told {
	char lines[1024];
	char files[256];
	char metadata[256];
};

static void on_line(void *data, const char *line)
{
	struct told *told = data;

	strcat(told->lines, line);
	strcat(told->lines, "\n");
}

static void on_served(void *data, const char *name, uint64_t bytes, bool found)
{
	struct told *told = data;
	size_t n = strlen(told->files);

	snprintf(told->files + n, sizeof(told->files) - n, "%s:%d:%d ", name, (int)bytes, found);
}

static void on_metadata(void *data, const char *key, const char *value)
{
	struct told *told = data;
	size_t n = strlen(told->metadata);

	snprintf(told->metadata + n, sizeof(told->metadata) - n, "%s=%s ", key, value);
}

static struct wire_message asks(uint32_t command, const char *name)
{
	struct wire_message message;

	wire_message_make(&message, command, name);
	return message;
}

static void files_are_served_and_told_of(void **state)
{
	const struct wire_message messages[] = {
		asks(WIRE_GET_FILE_SIZE, "mcb.bin"),
		asks(WIRE_READ_FILE, "mcb.bin"),
		asks(WIRE_GET_FILE_SIZE, "boot.sig"),
		asks(WIRE_READ_FILE, "config.txt"),
		asks(WIRE_READ_FILE, "*MAC_ADDR*00:11"),
		asks(WIRE_DONE, ""),
	};
	struct says says[6];
	struct told told = {0};
	const struct boot_observer observer = {on_line, on_served, on_metadata, &told};
	static const uint32_t announced[] = {16384, 16384, 0, 0, 0, 0};
	struct fake *fake = fake_new(says, 6);

	for (size_t i = 0; i < 6; i++)
		says[i] = (struct says){&messages[i], sizeof(messages[i])};

	assert_int_equal(run_server(fake, &observer), 0);
	assert_int_equal(fake->n_announced, 6);
	assert_memory_equal(fake->announced, announced, sizeof(announced));
	assert_int_equal(fake->n_sent, 16384);
	assert_memory_equal(fake->sent, stage + 5, 16384);
	assert_string_equal(told.lines, "Second stage boot server\n"
					"File read: mcb.bin\n"
					"Cannot open file boot.sig\n"
					"File read: config.txt\n"
					"Metadata: MAC_ADDR = 00:11\n"
					"Second stage boot server done\n");
	assert_string_equal(told.files, "mcb.bin:16384:1 boot.sig:0:0 config.txt:0:1 ");
	assert_string_equal(told.metadata, "MAC_ADDR=00:11 ");
	free(fake);
}

static void an_observer_need_not_care(void **state)
{
	const struct wire_message message = asks(WIRE_READ_FILE, "mcb.bin");
	const struct says says[] = {{&message, sizeof(message)}};
	const struct boot_observer observer = {0};
	struct fake *fake = fake_new(says, 1);

	assert_int_equal(run_server(fake, &observer), -ENODEV);
	assert_int_equal(fake->n_sent, 16384);
	free(fake);
}

static void messages_of_a_wrong_size_are_garbage(void **state)
{
	const struct wire_message message = asks(WIRE_READ_FILE, "mcb.bin");
	const struct says says[] = {
		{&message, 12}, {&message, 0}, {&message, 261}, {&message, 100000}};
	struct fake *fake = fake_new(says, 4);

	assert_int_equal(run_server(fake, NULL), -EPROTO);
	assert_int_equal(fake->n_announced, 0);
	free(fake);
}

static void truncate_file(struct fake *fake)
{
	assert_int_equal(truncate(scratch_path(fake->scratch, "boot.img"), 20000), 0);
}

static void a_file_that_shrinks_is_not_sent_with_made_up_bytes(void **state)
{
	const struct wire_message message = asks(WIRE_READ_FILE, "boot.img");
	const struct says says[] = {{&message, sizeof(message)}};
	struct fake *fake = fake_new(says, 1);
	struct scratch scratch;
	struct payload *payload;
	char sentence[256];
	size_t before = open_descriptors();

	scratch_new(&scratch);
	scratch_write(&scratch, "bootcode4.bin", stage, sizeof(stage));
	scratch_write(&scratch, "boot.img", stage, sizeof(stage));
	assert_int_equal(payload_open(scratch.path, &payload, sentence, sizeof(sentence)), 0);

	fake->scratch = &scratch;
	fake->on_announce = truncate_file;
	assert_int_equal(
		boot_run_server(&fake->device, boot_chip_by_model("cm4"), payload, "1-1", NULL),
		-EIO);
	assert_int_equal(fake->n_sent, 16384);

	payload_free(payload);
	scratch_free(&scratch);
	free(fake);
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rom_gets_header_and_stage_in_chunks),
		cmocka_unit_test(an_older_rom_gets_the_signature),
		cmocka_unit_test(a_chip_without_a_stage_is_sent_nothing),
		cmocka_unit_test(a_rom_may_reset_before_its_status),
		cmocka_unit_test(a_chunk_that_is_not_taken_whole_ends_it),
		cmocka_unit_test(an_announcement_that_fails_is_followed_by_nothing),
		cmocka_unit_test(files_are_served_and_told_of),
		cmocka_unit_test(an_observer_need_not_care),
		cmocka_unit_test(messages_of_a_wrong_size_are_garbage),
		cmocka_unit_test(a_file_that_shrinks_is_not_sent_with_made_up_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
