#include "image-fixture.h"

/* The start of the disk comes last (core/image/head.h). */

#define BLOCK 4096
#define SIZE  (3 * MIB + 100)

static void the_disk_s_start_goes_before_anything_else_comes(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 2 * MIB, f.data, MIB), MIB);
	assert_int_equal(f.disk->writes[0].offset, 0);
	assert_int_equal(f.disk->writes[0].size, BLOCK);
	assert_int_equal(f.disk->writes[1].offset, BLOCK);
	assert_int_equal(f.disk->writes[1].size, MIB - BLOCK);
	assert_filled(f.disk->medium, MIB, 0);
	assert_filled(f.disk->medium + MIB, 7 * MIB, GARBAGE);
	fixture_end(&f);
}

static void the_image_s_first_block_is_the_last_to_be_written(void **state)
{
	const struct note *last;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, SIZE), SIZE);
	assert_int_equal(do_sync(f.image), 0);
	assert_filled(f.disk->medium, MIB, 0);
	assert_memory_equal(f.disk->medium + MIB, f.data + MIB, SIZE - MIB);

	assert_int_equal(do_flush(f.image), 0);
	last = &f.disk->writes[f.disk->n_writes - 1];
	assert_int_equal(last[0].offset, 0);
	assert_int_equal(last[0].size, BLOCK);
	assert_int_equal(last[-1].offset, BLOCK);
	assert_int_equal(last[-1].size, MIB - BLOCK);
	assert_memory_equal(f.disk->medium, f.data, SIZE);
	fixture_end(&f);
}

static void readers_see_the_start_as_it_was_written(void **state)
{
	static unsigned char found[MIB];
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 100, f.data, SIZE), SIZE);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 100, MIB, found), MIB);
	assert_memory_equal(found, f.data, MIB);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, 100, found), 100);
	assert_filled(found, 100, 0);
	fixture_end(&f);
}

static void a_write_after_the_end_takes_the_start_away_first(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, SIZE), SIZE);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(do_write(f.image, SIZE, f.data + SIZE, MIB), MIB);
	assert_filled(f.disk->medium, MIB, 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->medium, f.data, SIZE + MIB);
	fixture_end(&f);
}

static void a_finished_image_that_is_opened_again_keeps_its_start(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, SIZE), SIZE);
	assert_int_equal(do_flush(f.image), 0);
	fixture_close(&f);
	cm4_image_open(f.image, true);
	assert_int_equal(do_write(f.image, SIZE, f.data + SIZE, 10), 10);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->medium, f.data, SIZE + 10);
	fixture_end(&f);
}

static void an_incomplete_image_goes_on_with_its_start(void **state)
{
	unsigned char byte;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, SIZE), SIZE);
	assert_int_equal(do_killed_flush(f.image), -EBADMSG);
	fixture_close(&f);
	assert_filled(f.disk->medium, MIB, 0);
	/* Somebody looks at it in between. */
	cm4_image_open(f.image, true);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 5, 1, &byte), 1);
	assert_int_equal(byte, f.data[5]);
	fixture_close(&f);

	cm4_image_open(f.image, true);
	assert_int_equal(do_write(f.image, SIZE, f.data + SIZE, 10), 10);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->medium, f.data, SIZE + 10);
	fixture_end(&f);
}

static void a_writer_that_is_interrupted_before_its_first_byte_leaves_no_lie(void **state)
{
	struct asked write;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, SIZE), SIZE);
	assert_int_equal(do_flush(f.image), 0);
	disk_hold(f.disk, true);
	ask(&write, f.image, CM4_IO_WRITE, SIZE, 10, f.data);
	disk_await_transfer(f.disk);
	cm4_image_interrupt(f.image, &write.io);
	assert_int_equal(answer_of(&write), -EINTR);
	disk_hold(f.disk, false);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->medium, f.data, SIZE);
	fixture_end(&f);
}

/* Neither what was written nor what was synced may show a start without all that belongs to it. */
static void assert_no_half_image(const struct fixture *f, const unsigned char *disk)
{
	static const unsigned char zeros[BLOCK];
	bool touched = false;

	if (memcmp(disk, f->data, SIZE) == 0)
		return;
	for (uint64_t i = MIB; i < 8 * MIB; i++)
		touched |= disk[i] != GARBAGE;
	if (touched || disk[0] != GARBAGE)
		assert_memory_equal(disk, zeros, BLOCK);
}

static void the_power_may_go_at_any_moment(void **state)
{
	ssize_t r = -1;

	for (unsigned last = 1; r != 0; last++) {
		struct fixture f;

		assert_true(last < 100);
		fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
		f.disk->last = last;
		do_write(f.image, 0, f.data, MIB);
		do_write(f.image, 2 * MIB, f.data + 2 * MIB, SIZE - 2 * MIB);
		do_sync(f.image);
		do_write(f.image, MIB, f.data + MIB, MIB);
		r = do_flush(f.image);
		assert_no_half_image(&f, f.disk->bytes);
		assert_no_half_image(&f, f.disk->medium);
		if (r == 0)
			assert_memory_equal(f.disk->medium, f.data, SIZE);
		else
			assert_int_equal(r, -ENODEV);
		fixture_end(&f);
	}
}

/* Ctrl-C in the last moment of a copy, and the next one's O_TRUNC while the start is being written. */
static void an_image_emptied_while_its_start_is_written_tears_nothing(void **state)
{
	struct asked flush;
	struct fixture f;

	fixture_begin_with(&f, CM4_IMAGE_FLASH, 8 * MIB,
		&(struct image_policy){.verify = CM4_VERIFY_READBACK, .raw = true});
	assert_int_equal(do_write(f.image, 0, f.data, 2 * MIB), 2 * MIB);
	disk_hold_at(f.disk, 4096);
	ask(&flush, f.image, CM4_IO_FLUSH, 0, 0, NULL);
	disk_await_transfer(f.disk);
	cm4_image_interrupt(f.image, &flush.io);
	assert_int_equal(answer_of(&flush), -EINTR);
	cm4_image_restart(f.image);
	disk_hold_at(f.disk, 0);
	assert_int_equal(do_write(f.image, 0, f.data + 3 * MIB, 3 * MIB), 3 * MIB);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->medium, f.data + 3 * MIB, 3 * MIB);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 0);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_disk_s_start_goes_before_anything_else_comes),
		cmocka_unit_test(the_image_s_first_block_is_the_last_to_be_written),
		cmocka_unit_test(readers_see_the_start_as_it_was_written),
		cmocka_unit_test(a_write_after_the_end_takes_the_start_away_first),
		cmocka_unit_test(a_finished_image_that_is_opened_again_keeps_its_start),
		cmocka_unit_test(an_incomplete_image_goes_on_with_its_start),
		cmocka_unit_test(a_writer_that_is_interrupted_before_its_first_byte_leaves_no_lie),
		cmocka_unit_test(the_power_may_go_at_any_moment),
		cmocka_unit_test(an_image_emptied_while_its_start_is_written_tears_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
