#include "image-fixture.h"

#include "image/whole.h"

/* What close() says: whole, or not, by the ways of the programs that copy images. */

static void the_verdict_follows_the_facts(void **state)
{
	struct whole_facts facts = {.size = 100, .bytes_in = 60};
	char text[256];

	assert_int_equal(whole_judge(&facts), WHOLE_YES);
	facts.unwritten = 40;
	assert_int_equal(whole_judge(&facts), WHOLE_YES);
	facts.wrote_since_sized = true;
	assert_int_equal(whole_judge(&facts), WHOLE_BLANK);
	facts.has_data = true;
	assert_int_equal(whole_judge(&facts), WHOLE_NO_UNWRITTEN);
	whole_explain(WHOLE_NO_UNWRITTEN, &facts, text, sizeof(text));
	assert_string_equal(text, "a size of 100 bytes was set, but 40 of them were never written");
	facts.synced = true;
	assert_int_equal(whole_judge(&facts), WHOLE_YES);
	facts.synced = false;
	facts.size_is_given = true;
	assert_int_equal(whole_judge(&facts), WHOLE_YES);
	facts.killed = true;
	assert_int_equal(whole_judge(&facts), WHOLE_NO_KILLED);
	whole_explain(WHOLE_NO_KILLED, &facts, text, sizeof(text));
	assert_string_equal(text, "the writer was killed after 60 bytes");
	facts.size = 0;
	whole_explain(WHOLE_NO_KILLED, &facts, text, sizeof(text));
	assert_non_null(strstr(text, "emptied"));
}

/* It leaves out what is zeros, and does not sync. */
static void qemu_img_creates_its_output_and_comes_back_to_write_it(void **state)
{
	const uint64_t size = 6 * MIB;
	unsigned char zeros[4096] = {0};
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_truncate(f.image, 0), 0);
	assert_int_equal(do_truncate(f.image, size), 0);
	assert_int_equal(do_write(f.image, 0, zeros, 4096), 4096);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 0);
	fixture_close(&f);
	await_told(f.owner, IMAGE_INCOMPLETE, 1);
	assert_int_equal(last_told(f.owner, IMAGE_INCOMPLETE).error, -EBADMSG);

	/* It looks at it, */
	cm4_image_open(f.image, false);
	assert_int_equal(do_flush(f.image), 0);
	cm4_image_close(f.image, false);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 0);

	/* and writes it. */
	cm4_image_open(f.image, true);
	assert_int_equal(do_write(f.image, MIB, f.data, 2 * MIB), 2 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, MIB), MIB);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 1);
	assert_memory_equal(f.disk->bytes, f.data, MIB);
	assert_memory_equal(f.disk->bytes + MIB, f.data, 2 * MIB);
	assert_filled(f.disk->bytes + 3 * MIB, 3 * MIB, 0);
	fixture_end(&f);
}

static void a_size_and_some_data_of_one_writer_are_not_whole(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_truncate(f.image, 4 * MIB), 0);
	assert_int_equal(do_write(f.image, 0, f.data, MIB), MIB);
	assert_int_equal(do_flush(f.image), -EBADMSG);
	fixture_close(&f);
	cm4_image_open(f.image, true);
	assert_int_equal(do_write(f.image, MIB, f.data, MIB), MIB);
	assert_int_equal(do_flush(f.image), -EBADMSG);
	assert_int_equal(do_write(f.image, 2 * MIB, f.data, 2 * MIB), 2 * MIB);
	assert_int_equal(do_flush(f.image), 0);
	fixture_end(&f);
}

static void bmaptool_leaves_gaps_and_stands_by_them_with_a_sync(void **state)
{
	const uint64_t size = 5 * MIB + 512;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_truncate(f.image, size), 0);
	assert_int_equal(do_write(f.image, MIB, f.data, MIB), MIB);
	assert_int_equal(do_write(f.image, 3 * MIB, f.data, 4096), 4096);
	assert_int_equal(do_flush(f.image), -EBADMSG);
	assert_int_equal(do_sync(f.image), 0);
	assert_filled(f.disk->bytes, MIB, 0);
	assert_filled(f.disk->bytes + 2 * MIB, MIB, GARBAGE);
	assert_int_equal(do_flush(f.image), 0);
	assert_filled(f.disk->bytes, MIB, 0);
	assert_memory_equal(f.disk->bytes + MIB, f.data, MIB);
	assert_filled(f.disk->bytes + 2 * MIB, MIB, 0);
	assert_filled(f.disk->bytes + 3 * MIB + 4096, 2 * MIB + 512 - 4096, 0);
	fixture_end(&f);
}

static void cp_sets_the_size_last_and_it_is_whole(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, MIB, f.data, MIB), MIB);
	assert_int_equal(do_io(f.image, CM4_IO_ZERO, 2 * MIB, MIB, NULL), 0);
	assert_int_equal(do_write(f.image, 3 * MIB, f.data, 100), 100);
	assert_int_equal(do_truncate(f.image, 6 * MIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_filled(f.disk->bytes, MIB, 0);
	assert_filled(f.disk->bytes + 3 * MIB + 100, 3 * MIB - 100, 0);
	fixture_end(&f);
}

/* Each hole when it is met, behind the end; at last the size, and the last hole again. */
static void cp_punches_every_hole_and_the_last_one_twice(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, MIB), MIB);
	for (uint64_t at = MIB; at < 6 * MIB; at += MIB)
		assert_int_equal(do_io(f.image, CM4_IO_ZERO, at, MIB, NULL), 0);
	assert_int_equal(do_truncate(f.image, 6 * MIB), 0);
	assert_int_equal(do_io(f.image, CM4_IO_ZERO, 5 * MIB, MIB, NULL), 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_filled(f.disk->bytes + MIB, 5 * MIB, 0);
	fixture_end(&f);
}

static void what_was_allocated_and_not_written_is_not_whole(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_io(f.image, CM4_IO_ALLOCATE, 0, 4 * MIB, NULL), 0);
	assert_int_equal(do_write(f.image, 0, f.data, 2 * MIB), 2 * MIB);
	assert_int_equal(do_flush(f.image), -EBADMSG);
	/* Zeros are as good as data, when somebody asks for them. */
	assert_int_equal(do_io(f.image, CM4_IO_ZERO, 2 * MIB, MIB, NULL), 0);
	assert_int_equal(do_flush(f.image), -EBADMSG);
	assert_int_equal(do_write(f.image, 3 * MIB, f.data, MIB), MIB);
	assert_int_equal(do_flush(f.image), 0);
	assert_filled(f.disk->bytes + 2 * MIB, MIB, 0);
	fixture_end(&f);
}

static void a_killed_writer_leaves_it_incomplete_and_it_can_be_resumed(void **state)
{
	struct cm4_image_attr attr;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 3 * MIB + 100), 3 * MIB + 100);
	assert_int_equal(do_killed_flush(f.image), -EBADMSG);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 0);
	/* The shell that started it closes its own descriptor. */
	assert_int_equal(do_flush(f.image), -EBADMSG);
	fixture_close(&f);
	await_told(f.owner, IMAGE_CLOSED, 1);
	assert_int_equal(told_times(f.owner, IMAGE_INCOMPLETE), 1);
	assert_string_equal(last_told(f.owner, IMAGE_INCOMPLETE).text,
		"the writer was killed after 3145828 bytes");
	assert_filled(f.disk->bytes, MIB, 0);
	assert_memory_equal(f.disk->bytes + MIB, f.data + MIB, 2 * MIB + 100);

	cm4_image_open(f.image, true);
	cm4_image_getattr(f.image, &attr);
	assert_int_equal(attr.size, 3 * MIB + 100);
	assert_int_equal(do_write(f.image, attr.size, f.data + attr.size, MIB), MIB);
	assert_int_equal(told_times(f.owner, IMAGE_BEGAN), 2);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->bytes, f.data, 4 * MIB + 100);
	fixture_end(&f);
}

static void a_killed_reader_does_no_harm(void **state)
{
	unsigned char byte;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, MIB), MIB);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, 1, &byte), 1);
	assert_int_equal(do_killed_flush(f.image), 0);
	fixture_close(&f);
	cm4_image_open(f.image, false);
	assert_int_equal(do_killed_flush(f.image), 0);
	cm4_image_close(f.image, false);
	assert_int_equal(told_times(f.owner, IMAGE_INCOMPLETE), 0);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void a_killed_close_does_not_wait_for_the_disk(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, MIB), MIB);
	disk_hold(f.disk, true);
	assert_int_equal(do_write(f.image, MIB, f.data, MIB), MIB);
	assert_int_equal(do_killed_flush(f.image), -EBADMSG);
	disk_hold(f.disk, false);
	fixture_end(&f);
}

/* (cat a; cat b) > image, and children that inherit the descriptor. */
static void a_close_in_mid_file_harms_nothing(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t at = i * 700000;

		assert_int_equal(do_write(f.image, at, f.data + at, 700000), 700000);
		assert_int_equal(do_flush(f.image), 0);
		assert_int_equal(told_times(f.owner, IMAGE_BEGAN), i + 1);
		assert_int_equal(told_times(f.owner, IMAGE_WHOLE), i + 1);
	}
	assert_memory_equal(f.disk->bytes, f.data, 2100000);
	fixture_end(&f);
}

static void a_writer_that_never_closed_left_it_incomplete(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 1000), 1000);
	fixture_close(&f);
	await_told(f.owner, IMAGE_INCOMPLETE, 1);
	assert_filled(f.disk->bytes, MIB, 0);

	cm4_image_open(f.image, true);
	assert_int_equal(do_write(f.image, 0, f.data, 1000), 1000);
	cm4_image_restart(f.image);
	fixture_close(&f);
	await_told(f.owner, IMAGE_INCOMPLETE, 2);
	assert_non_null(strstr(last_told(f.owner, IMAGE_INCOMPLETE).text, "emptied"));
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

/* rsync --append on what is whole but for the zeros that nobody waited for. */
static void a_sync_after_reopening_makes_the_gaps_count_as_meant(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_truncate(f.image, 2 * MIB), 0);
	assert_int_equal(do_write(f.image, 0, f.data, 4096), 4096);
	assert_int_equal(do_flush(f.image), -EBADMSG);
	fixture_close(&f);
	cm4_image_open(f.image, true);
	assert_int_equal(do_sync(f.image), 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 1);
	assert_filled(f.disk->bytes + 4096, 2 * MIB - 4096, 0);
	fixture_end(&f);
}

/* Somebody comes, writes and goes while the last close before him is still at its sync. */
static void a_visit_during_the_last_close_is_not_forgotten(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 4 * MIB), 4 * MIB);
	assert_int_equal(do_killed_flush(f.image), -EBADMSG);
	disk_await_writes(f.disk, 2);
	disk_hold(f.disk, true);
	cm4_image_close(f.image, true);
	disk_await_transfer(f.disk);

	cm4_image_open(f.image, true);
	assert_int_equal(do_write(f.image, 4 * MIB, f.data + 4 * MIB, MIB / 2), MIB / 2);
	assert_int_equal(do_killed_flush(f.image), -EBADMSG);
	cm4_image_close(f.image, true);
	disk_hold(f.disk, false);
	await_told(f.owner, IMAGE_CLOSED, 1);

	cm4_image_open(f.image, true);
	assert_int_equal(
		do_write(f.image, 4 * MIB + MIB / 2, f.data + 4 * MIB + MIB / 2, MIB), MIB);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->medium, f.data, 5 * MIB + MIB / 2);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_follows_the_facts),
		cmocka_unit_test(qemu_img_creates_its_output_and_comes_back_to_write_it),
		cmocka_unit_test(a_size_and_some_data_of_one_writer_are_not_whole),
		cmocka_unit_test(bmaptool_leaves_gaps_and_stands_by_them_with_a_sync),
		cmocka_unit_test(cp_sets_the_size_last_and_it_is_whole),
		cmocka_unit_test(cp_punches_every_hole_and_the_last_one_twice),
		cmocka_unit_test(what_was_allocated_and_not_written_is_not_whole),
		cmocka_unit_test(a_killed_writer_leaves_it_incomplete_and_it_can_be_resumed),
		cmocka_unit_test(a_killed_reader_does_no_harm),
		cmocka_unit_test(a_killed_close_does_not_wait_for_the_disk),
		cmocka_unit_test(a_close_in_mid_file_harms_nothing),
		cmocka_unit_test(a_writer_that_never_closed_left_it_incomplete),
		cmocka_unit_test(a_sync_after_reopening_makes_the_gaps_count_as_meant),
		cmocka_unit_test(a_visit_during_the_last_close_is_not_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
