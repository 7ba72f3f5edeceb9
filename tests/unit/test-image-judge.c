#include "image-fixture.h"

/* Nothing of the disk is changed before it is known for what an image is; and how far it reaches by its own word. */

#define DISK  (24 * MIB)
#define IMAGE (6 * MIB)

static void begin(struct fixture *f)
{
	const struct image_policy policy = {.verify = CM4_VERIFY_OFF};

	fixture_begin_with(f, CM4_IMAGE_FLASH, DISK, &policy);
}

static ssize_t write_all(struct fixture *f, uint64_t from, uint64_t end, uint64_t step)
{
	for (uint64_t at = from; at < end; at += step) {
		uint64_t n = end - at < step ? end - at : step;
		ssize_t r = do_write(f->image, at, f->data + at, n);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Its bytes are answered for by the image's thread, which has then seen all that came before. */
static void reads_as_written(struct fixture *f, uint64_t offset, uint64_t n)
{
	static unsigned char buffer[2 * MIB];

	assert_int_equal(do_io(f->image, CM4_IO_READ, offset, n, buffer), n);
	assert_memory_equal(buffer, f->data + offset, n);
}

static void holds_image(struct fixture *f, uint64_t size)
{
	assert_memory_equal(f->disk->medium, f->data, size);
}

static void what_is_no_disk_image_is_refused_and_the_disk_left_alone(void **state)
{
	struct fixture f;

	begin(&f);
	write_all(&f, 0, IMAGE, 128 * KIB);
	assert_int_equal(do_flush(f.image), -EINVAL);
	assert_int_equal(do_write(f.image, 0, f.data, 512), -EINVAL);
	assert_int_equal(cm4_image_rename(f.image, "y.img"), -EINVAL);
	await_told(f.owner, IMAGE_FAILED, 1);
	assert_int_equal(last_told(f.owner, IMAGE_FAILED).error, -EINVAL);
	assert_non_null(strstr(last_told(f.owner, IMAGE_FAILED).text, "no partition table"));
	fixture_close(&f);
	assert_true(medium_is_untouched(f.disk));
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void it_is_judged_when_its_first_mib_is_there(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, IMAGE);
	assert_int_equal(write_all(&f, 0, MIB - 4096, 65536), 0);
	reads_as_written(&f, 0, MIB - 4096);
	assert_true(medium_is_untouched(f.disk));

	assert_int_equal(write_all(&f, MIB - 4096, MIB, 4096), 0);
	disk_await_writes(f.disk, 1); /* its old start goes */
	assert_int_equal(write_all(&f, MIB, IMAGE, MIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	holds_image(&f, IMAGE);
	fixture_end(&f);
}

/* What was leapt over counts for zeros, but may be filled yet: it is not held against it. */
static void a_gap_in_the_first_mib_is_waited_for(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, IMAGE);
	assert_int_equal(write_all(&f, 4096, MIB, 4096), 0);
	assert_int_equal(write_all(&f, MIB, 4 * MIB, MIB), 0);
	reads_as_written(&f, 2 * MIB + 5, MIB);
	assert_true(medium_is_untouched(f.disk));
	assert_int_equal(write_all(&f, 0, 4096, 4096), 0);
	assert_int_equal(write_all(&f, 4 * MIB, IMAGE, MIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	holds_image(&f, IMAGE);
	fixture_end(&f);
}

/* Pieces that meet within the first block, the second of them first; the size may have been set before. */
static void half_a_block_of_it_is_waited_for(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, IMAGE);
	assert_int_equal(do_truncate(f.image, IMAGE), 0);
	assert_int_equal(do_write(f.image, 2000, f.data + 2000, 2 * MIB - 2000), 2 * MIB - 2000);
	reads_as_written(&f, 2 * MIB - 5, 5);
	assert_true(medium_is_untouched(f.disk));
	assert_int_equal(do_write(f.image, 0, f.data, 2000), 2000);
	assert_int_equal(write_all(&f, 2 * MIB, IMAGE, MIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	holds_image(&f, IMAGE);
	fixture_end(&f);
}

static void zeros_wait_for_what_may_come_before_memory_is_full(void **state)
{
	struct fixture f;
	ssize_t r = 0;
	uint64_t at;

	begin(&f);
	memset(f.data, 0, FIXTURE_DATA);
	for (at = 0; r >= 0 && at < DISK; at += MIB)
		r = do_write(f.image, at, f.data + at, MIB);
	assert_int_equal(r, -EINVAL);
	assert_in_range(at, 16 * MIB, 20 * MIB);
	fixture_close(&f);
	assert_true(medium_is_untouched(f.disk));
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void a_writer_may_begin_elsewhere(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, 16 * MIB);
	for (uint64_t mib = 15; mib > 0; mib--)
		assert_int_equal(do_write(f.image, mib * MIB, f.data + mib * MIB, MIB), MIB);
	reads_as_written(&f, 15 * MIB, MIB);
	assert_true(medium_is_untouched(f.disk));
	assert_int_equal(write_all(&f, 0, MIB, MIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	holds_image(&f, 16 * MIB);
	fixture_end(&f);
}

/* (cat a; cat b) > f closes it in the middle. */
static void a_close_that_refuses_it_lets_more_follow(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, 8192);
	assert_int_equal(do_write(f.image, 0, f.data, 100), 100);
	assert_int_equal(do_flush(f.image), -EINVAL);
	assert_int_equal(cm4_image_rename(f.image, "y.img"), -EINVAL);
	assert_int_equal(do_write(f.image, 100, f.data + 100, 8092), 8092);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(cm4_image_rename(f.image, "z.img"), 0);
	holds_image(&f, 8192);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 0);
	fixture_end(&f);
}

static void the_last_close_of_what_is_none_fails_it(void **state)
{
	struct fixture f;

	begin(&f);
	assert_int_equal(do_write(f.image, 0, f.data, 8192), 8192);
	assert_int_equal(do_flush(f.image), -EINVAL);
	fixture_close(&f);
	await_told(f.owner, IMAGE_FAILED, 1);
	assert_int_equal(last_told(f.owner, IMAGE_FAILED).error, -EINVAL);
	assert_int_equal(told_times(f.owner, IMAGE_INCOMPLETE), 0);
	assert_true(medium_is_untouched(f.disk));
	cm4_image_open(f.image, true);
	assert_int_equal(do_write(f.image, 0, f.data, 8192), -EINVAL);
	cm4_image_restart(f.image);
	fixture_make_image(&f, 8192);
	assert_int_equal(do_write(f.image, 0, f.data, 8192), 8192);
	assert_int_equal(do_flush(f.image), 0);
	fixture_end(&f);
}

static void a_writer_killed_early_has_changed_nothing_and_can_go_on(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, IMAGE);
	assert_int_equal(write_all(&f, 2 * MIB, 3 * MIB, 4096), 0);
	assert_int_equal(do_killed_flush(f.image), -EBADMSG);
	fixture_close(&f);
	await_told(f.owner, IMAGE_INCOMPLETE, 1);
	assert_non_null(strstr(last_told(f.owner, IMAGE_INCOMPLETE).text, "killed"));
	assert_true(medium_is_untouched(f.disk));

	cm4_image_open(f.image, true);
	reads_as_written(&f, 2 * MIB, MIB);
	assert_int_equal(write_all(&f, 0, 2 * MIB, 65536), 0);
	assert_int_equal(write_all(&f, 3 * MIB, IMAGE, 65536), 0);
	assert_int_equal(do_flush(f.image), 0);
	holds_image(&f, IMAGE);
	fixture_end(&f);
}

static void what_is_held_back_is_let_go_when_another_takes_its_place(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, IMAGE);
	assert_int_equal(write_all(&f, 2 * MIB, 3 * MIB, MIB), 0);
	assert_int_equal(do_killed_flush(f.image), -EBADMSG);
	fixture_close(&f);
	await_told(f.owner, IMAGE_CLOSED, 1);
	image_supersede(f.image);
	cm4_image_open(f.image, true);
	assert_int_equal(do_write(f.image, 0, f.data, 512), -ESTALE);
	cm4_image_restart(f.image);
	assert_int_equal(write_all(&f, 0, IMAGE, MIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	holds_image(&f, IMAGE);
	fixture_end(&f);
}

static void a_partition_past_the_disk_s_end_is_ENOSPC_before_the_disk_is_changed(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, DISK + 512);
	write_all(&f, 0, 4 * MIB, 128 * KIB);
	assert_int_equal(do_flush(f.image), -ENOSPC);
	await_told(f.owner, IMAGE_FAILED, 1);
	assert_non_null(strstr(last_told(f.owner, IMAGE_FAILED).text, "partition 1 ends at byte"));
	fixture_close(&f);
	assert_true(medium_is_untouched(f.disk));
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void an_image_that_ends_before_its_partition_is_not_whole(void **state)
{
	struct cm4_image_status status;
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, IMAGE);
	assert_int_equal(write_all(&f, 0, 4 * MIB, 128 * KIB), 0);
	assert_int_equal(do_flush(f.image), -EBADMSG);
	image_status(f.image, &status);
	assert_int_equal(status.bytes_total, IMAGE);
	assert_false(status.whole);
	assert_int_equal(cm4_image_rename(f.image, "y.img"), 0);
	fixture_close(&f);
	await_told(f.owner, IMAGE_INCOMPLETE, 1);
	assert_non_null(strstr(last_told(f.owner, IMAGE_INCOMPLETE).text,
		"partition 1 ends at byte 6291456, and only 4194304 bytes are there"));
	assert_filled(f.disk->medium, MIB, 0);

	cm4_image_open(f.image, true);
	assert_int_equal(write_all(&f, 4 * MIB, IMAGE, 128 * KIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	holds_image(&f, IMAGE);
	fixture_end(&f);
}

static void a_sync_of_what_is_held_back_changes_nothing(void **state)
{
	struct fixture f;

	begin(&f);
	assert_int_equal(do_write(f.image, 0, f.data, 8192), 8192);
	assert_int_equal(do_sync(f.image), 0);
	assert_true(medium_is_untouched(f.disk));
	fixture_make_image(&f, IMAGE);
	assert_int_equal(write_all(&f, 0, 64 * KIB, 4096), 0);
	assert_int_equal(do_sync(f.image), 0);
	assert_int_equal(write_all(&f, 64 * KIB, IMAGE, 64 * KIB), 0);
	assert_int_equal(do_sync(f.image), 0);
	assert_memory_equal(f.disk->medium + MIB, f.data + MIB, IMAGE - MIB);
	assert_filled(f.disk->medium, MIB, 0);
	assert_int_equal(do_flush(f.image), 0);
	holds_image(&f, IMAGE);
	fixture_end(&f);
}

/* It makes its output with a size and a block of zeros, closes it, and comes back to write what is not zeros. */
static void qemu_img_comes_back_to_what_was_blank(void **state)
{
	static const unsigned char zeros[4096];
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, IMAGE);
	memset(f.data + MIB, 0, MIB);
	assert_int_equal(do_truncate(f.image, IMAGE), 0);
	assert_int_equal(do_write(f.image, 0, zeros, sizeof(zeros)), sizeof(zeros));
	assert_int_equal(do_flush(f.image), 0);
	fixture_close(&f);
	await_told(f.owner, IMAGE_INCOMPLETE, 1);
	assert_true(medium_is_untouched(f.disk));

	cm4_image_open(f.image, true);
	assert_int_equal(write_all(&f, 0, MIB, MIB), 0);
	assert_int_equal(write_all(&f, 2 * MIB, IMAGE, MIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	holds_image(&f, IMAGE);
	fixture_end(&f);
}

static void a_size_alone_is_no_image(void **state)
{
	struct fixture f;

	begin(&f);
	assert_int_equal(do_truncate(f.image, IMAGE), 0);
	assert_int_equal(do_flush(f.image), -EINVAL);
	fixture_close(&f);
	assert_true(medium_is_untouched(f.disk));
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void a_new_content_is_judged_anew(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, IMAGE);
	assert_int_equal(write_all(&f, 0, IMAGE, MIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	cm4_image_restart(f.image);
	for (uint64_t at = 7 * MIB; at < 10 * MIB; at += MIB)
		do_write(f.image, at - 7 * MIB, f.data + at, MIB);
	assert_int_equal(do_flush(f.image), -EINVAL);
	fixture_close(&f);
	holds_image(&f, IMAGE);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void what_was_an_image_once_must_be_one_at_each_close(void **state)
{
	struct fixture f;

	begin(&f);
	fixture_make_image(&f, IMAGE);
	assert_int_equal(write_all(&f, 0, IMAGE, MIB), 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(do_write(f.image, 0, f.data + MIB, 4096), 4096);
	assert_int_equal(do_flush(f.image), -EINVAL);
	await_told(f.owner, IMAGE_FAILED, 1);
	fixture_close(&f);
	assert_filled(f.disk->medium, MIB, 0);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_disk_image_is_refused_and_the_disk_left_alone),
		cmocka_unit_test(it_is_judged_when_its_first_mib_is_there),
		cmocka_unit_test(a_gap_in_the_first_mib_is_waited_for),
		cmocka_unit_test(half_a_block_of_it_is_waited_for),
		cmocka_unit_test(zeros_wait_for_what_may_come_before_memory_is_full),
		cmocka_unit_test(a_writer_may_begin_elsewhere),
		cmocka_unit_test(a_close_that_refuses_it_lets_more_follow),
		cmocka_unit_test(the_last_close_of_what_is_none_fails_it),
		cmocka_unit_test(a_writer_killed_early_has_changed_nothing_and_can_go_on),
		cmocka_unit_test(what_is_held_back_is_let_go_when_another_takes_its_place),
		cmocka_unit_test(
			a_partition_past_the_disk_s_end_is_ENOSPC_before_the_disk_is_changed),
		cmocka_unit_test(an_image_that_ends_before_its_partition_is_not_whole),
		cmocka_unit_test(a_sync_of_what_is_held_back_changes_nothing),
		cmocka_unit_test(qemu_img_comes_back_to_what_was_blank),
		cmocka_unit_test(a_size_alone_is_no_image),
		cmocka_unit_test(a_new_content_is_judged_anew),
		cmocka_unit_test(what_was_an_image_once_must_be_one_at_each_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
