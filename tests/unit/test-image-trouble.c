#include "image-fixture.h"

/* Errors, aborts, refusals and interrupts: each is told once, sticks, and leaves nobody waiting. */

static void assert_all_fail(struct fixture *f, int error)
{
	unsigned char byte;

	assert_int_equal(do_write(f->image, 0, f->data, 10), error);
	assert_int_equal(do_truncate(f->image, 5), error);
	assert_int_equal(do_sync(f->image), error);
	assert_int_equal(do_flush(f->image), error);
	assert_int_equal(do_killed_flush(f->image), error);
	assert_int_equal(do_io(f->image, CM4_IO_READ, 0, 1, &byte), error);
	assert_int_equal(cm4_image_rename(f->image, "y.img"), error);
}

static void an_error_of_the_disk_sticks_until_a_new_start(void **state)
{
	struct cm4_image_status status;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 32 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 2 * MIB), 2 * MIB);
	disk_break(f.disk, -EIO, 2 * MIB);
	assert_int_equal(do_write(f.image, 2 * MIB, f.data, 100), 100);
	assert_int_equal(do_flush(f.image), -EIO);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 1);
	assert_int_equal(last_told(f.owner, IMAGE_FAILED).error, -EIO);
	assert_non_null(strstr(last_told(f.owner, IMAGE_FAILED).text, "byte 2097152"));
	assert_all_fail(&f, -EIO);
	await_told(f.owner, IMAGE_CLOSED, 1);
	assert_all_fail(&f, -EIO);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 1);
	assert_int_equal(told_times(f.owner, IMAGE_INCOMPLETE), 0);
	image_status(f.image, &status);
	assert_string_equal(status.name, "y.img");

	disk_break(f.disk, 0, 0);
	cm4_image_restart(f.image);
	assert_int_equal(cm4_image_rename(f.image, "z.img"), 0);
	assert_int_equal(do_write(f.image, 0, f.data, 2 * MIB), 2 * MIB);
	assert_int_equal(do_flush(f.image), 0);
	fixture_end(&f);
}

static void parked_writes_hear_of_the_error_after_the_owner(void **state)
{
	struct asked parked[8];
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 32 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 1), 1);
	disk_hold(f.disk, true);
	assert_int_equal(do_write(f.image, MIB, f.data, 16 * MIB), 16 * MIB);
	for (unsigned i = 0; i < 8; i++)
		ask(&parked[i], f.image, CM4_IO_WRITE, (17 + i) * MIB, MIB, f.data);
	disk_await_transfer(f.disk);
	disk_break(f.disk, -ENODEV, 0);
	disk_hold(f.disk, false);
	assert_int_equal(answer_of(&parked[0]), -ENODEV);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 1);
	for (unsigned i = 1; i < 8; i++)
		assert_int_equal(answer_of(&parked[i]), -ENODEV);
	fixture_end(&f);
}

static void a_sync_that_fails_fails_the_image(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, MIB), MIB);
	f.disk->fail_sync = -EIO;
	assert_int_equal(do_sync(f.image), -EIO);
	assert_all_fail(&f, -EIO);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 0);
	fixture_end(&f);
}

static void what_does_not_fit_is_refused_as_soon_as_it_is_known(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 4 * MIB);
	assert_int_equal(do_truncate(f.image, 4 * MIB + 1), -ENOSPC);
	assert_string_equal(last_told(f.owner, IMAGE_FAILED).text,
		"the image needs 4194305 bytes, the disk has 4194304");
	/* The disk is as it was, and so is whatever image was on it. */
	assert_int_equal(told_times(f.owner, IMAGE_BEGAN), 0);
	assert_int_equal(f.disk->n_writes, 0);
	assert_all_fail(&f, -ENOSPC);

	cm4_image_restart(f.image);
	assert_int_equal(do_write(f.image, 0, f.data, 4 * MIB), 4 * MIB);
	assert_int_equal(do_write(f.image, 4 * MIB, f.data, 1), -ENOSPC);
	assert_all_fail(&f, -ENOSPC);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 2);

	cm4_image_restart(f.image);
	assert_int_equal(do_io(f.image, CM4_IO_ALLOCATE, UINT64_MAX - 5, 10, NULL), -ENOSPC);
	cm4_image_restart(f.image);
	assert_int_equal(do_write(f.image, UINT64_MAX - 5, f.data, 10), -ENOSPC);
	fixture_end(&f);
}

/* A disk that leaves is not its image's any more, a moment before that fails: nobody hears of another image then. */
static void a_disk_that_leaves_in_mid_flash_is_no_stale_image(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 64 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, MIB), MIB);
	image_overwrite(f.image);
	assert_int_not_equal(do_write(f.image, MIB, f.data + MIB, MIB), -ESTALE);
	image_abort(f.image, -ENODEV, "the module left the bus");
	assert_int_equal(do_write(f.image, 2 * MIB, f.data + 2 * MIB, MIB), -ENODEV);
	fixture_end(&f);
}

static void an_abort_ends_a_transfer_and_everybody_s_waiting(void **state)
{
	struct asked flush, parked;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 100), 100);
	disk_hold(f.disk, true);
	ask(&flush, f.image, CM4_IO_FLUSH, 0, 0, NULL);
	disk_await_transfer(f.disk);
	ask(&parked, f.image, CM4_IO_SYNC, 0, 0, NULL);
	image_abort(f.image, -ECANCELED, "cancelled by control");
	assert_int_equal(answer_of(&flush), -ECANCELED);
	assert_int_equal(answer_of(&parked), -ECANCELED);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 1);
	assert_string_equal(last_told(f.owner, IMAGE_FAILED).text, "cancelled by control");
	assert_all_fail(&f, -ECANCELED);
	/* The first error is the one that sticks. */
	image_abort(f.image, -ENODEV, "the module left");
	assert_all_fail(&f, -ECANCELED);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 1);
	disk_hold(f.disk, false);
	fixture_end(&f);
}

static void an_abort_of_a_whole_image_is_no_failed_flash(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 100), 100);
	assert_int_equal(do_flush(f.image), 0);
	image_abort(f.image, -ENODEV, "the module left");
	await_told(f.owner, IMAGE_CLOSED, 1);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 0);
	assert_all_fail(&f, -ENODEV);
	fixture_end(&f);
}

static void await_wanted(struct owner *owner)
{
	{
		LOCKED(&owner->lock);
		AWAIT(&owner->lock, &owner->moved, owner->wanted);
		owner->wanted = false;
	}
	cm4_image_unref(owner->image);
}

static void a_refusal_sticks_and_answers_all_who_wait(void **state)
{
	struct asked first, second;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	f.owner->silent = true;
	ask(&first, f.image, CM4_IO_WRITE, 0, 100, f.data);
	ask(&second, f.image, CM4_IO_WRITE, 100, 100, f.data);
	await_wanted(f.owner);
	assert_true(image_is_writing(f.image));
	image_refuse(f.image, -EBUSY, "another image is being written");
	assert_int_equal(answer_of(&first), -EBUSY);
	assert_int_equal(answer_of(&second), -EBUSY);
	assert_all_fail(&f, -EBUSY);
	assert_false(image_is_writing(f.image));
	assert_int_equal(f.owner->n_told, 0);
	assert_int_equal(f.owner->times_wanted, 1);
	fixture_end(&f);
}

static void a_refused_reader_may_ask_again(void **state)
{
	unsigned char byte;
	struct asked read;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 100), 100);
	assert_int_equal(do_flush(f.image), 0);
	fixture_close(&f);
	await_told(f.owner, IMAGE_CLOSED, 1);
	cm4_image_open(f.image, true);
	{
		LOCKED(&f.owner->lock);
		f.owner->silent = true;
	}
	ask(&read, f.image, CM4_IO_READ, 0, 1, &byte);
	await_wanted(f.owner);
	image_refuse(f.image, -EBUSY, "raw writing");
	assert_int_equal(answer_of(&read), -EBUSY);
	{
		LOCKED(&f.owner->lock);
		f.owner->silent = false;
	}
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, 1, &byte), 1);
	fixture_end(&f);
}

static void an_abort_before_the_disk_is_the_answer(void **state)
{
	struct asked write;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	f.owner->silent = true;
	ask(&write, f.image, CM4_IO_WRITE, 0, 100, f.data);
	await_wanted(f.owner);
	image_abort(f.image, -ENODEV, "the module left");
	assert_int_equal(answer_of(&write), -ENODEV);
	assert_int_equal(told_times(f.owner, IMAGE_FAILED), 1);
	/* The owner was opening the disk at that moment. */
	assert_int_equal(image_admit(f.image, disk_open(f.disk, true), true), -ECANCELED);
	assert_false(f.disk->open);
	fixture_end(&f);
}

static void a_write_waiting_for_the_module_can_be_interrupted(void **state)
{
	struct asked first, second;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	f.owner->silent = true;
	ask(&first, f.image, CM4_IO_WRITE, 0, 100, f.data);
	ask(&second, f.image, CM4_IO_WRITE, 100, 100, f.data + 100);
	await_wanted(f.owner);
	cm4_image_interrupt(f.image, &first.io);
	assert_int_equal(answer_of(&first), -EINTR);
	assert_false(is_answered(&second));
	assert_int_equal(image_admit(f.image, disk_open(f.disk, true), true), 0);
	assert_int_equal(answer_of(&second), 100);
	assert_int_equal(do_flush(f.image), 0);
	assert_filled(f.disk->bytes, 100, 0);
	assert_memory_equal(f.disk->bytes + 100, f.data + 100, 100);
	fixture_end(&f);
}

static void a_write_taken_in_part_says_how_much(void **state)
{
	struct asked write;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 32 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 10), 10);
	disk_hold(f.disk, true);
	ask(&write, f.image, CM4_IO_WRITE, 0, 20 * MIB, f.data);
	disk_await_transfer(f.disk);
	cm4_image_interrupt(f.image, &write.io);
	assert_int_equal(answer_of(&write), 17 * MIB);
	disk_hold(f.disk, false);
	assert_int_equal(do_write(f.image, 17 * MIB, f.data + 17 * MIB, 3 * MIB), 3 * MIB);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->bytes, f.data, 20 * MIB);
	fixture_end(&f);
}

static void an_interrupted_close_goes_on_by_itself(void **state)
{
	struct asked flush;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, MIB + 1), MIB + 1);
	disk_hold(f.disk, true);
	ask(&flush, f.image, CM4_IO_FLUSH, 0, 0, NULL);
	disk_await_transfer(f.disk);
	cm4_image_interrupt(f.image, &flush.io);
	assert_int_equal(answer_of(&flush), -EINTR);
	cm4_image_close(f.image, true);
	disk_hold(f.disk, false);
	await_told(f.owner, IMAGE_CLOSED, 1);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 1);
	assert_int_equal(told_times(f.owner, IMAGE_INCOMPLETE), 0);
	assert_memory_equal(f.disk->bytes, f.data, MIB + 1);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void an_interrupted_read_leaves_the_buffer_alone(void **state)
{
	unsigned char *buffer = malloc(4096);
	struct asked read;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_RAW, 8 * MIB);
	disk_hold(f.disk, true);
	ask(&read, f.image, CM4_IO_READ, 0, 4096, buffer);
	disk_await_transfer(f.disk);
	cm4_image_interrupt(f.image, &read.io);
	assert_int_equal(answer_of(&read), -EINTR);
	free(buffer);
	disk_hold(f.disk, false);
	fixture_end(&f);
}

static void an_interrupted_read_may_fail_when_nobody_waits_for_it(void **state)
{
	struct asked *read = malloc(sizeof(*read));
	unsigned char bytes[4096];
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_RAW, 8 * MIB);
	disk_hold(f.disk, true);
	ask(read, f.image, CM4_IO_READ, 0, sizeof(bytes), bytes);
	disk_await_transfer(f.disk);
	cm4_image_interrupt(f.image, &read->io);
	assert_int_equal(answer_of(read), -EINTR);
	free(read);
	f.disk->fail_read = -EIO;
	disk_hold(f.disk, false);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, sizeof(bytes), bytes), -EIO);
	fixture_end(&f);
}

static void what_cannot_be_read_is_an_input_error(void **state)
{
	unsigned char bytes[4096];
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_RAW, 8 * MIB);
	f.disk->fail_read = -ENODATA;
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, sizeof(bytes), bytes), -EIO);
	/* Part of a block: the rest of it is read first. */
	assert_int_equal(do_write(f.image, 0, f.data, 10), 10);
	assert_int_equal(do_sync(f.image), -EIO);
	fixture_end(&f);
}

static void an_interrupt_too_late_changes_nothing(void **state)
{
	struct asked write;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	ask(&write, f.image, CM4_IO_WRITE, 0, 100, f.data);
	assert_int_equal(answer_of(&write), 100);
	cm4_image_interrupt(f.image, &write.io);
	assert_int_equal(write.answers, 1);
	fixture_end(&f);
}

static void a_raw_write_error_is_told_to_sync_and_forgotten_after_the_last_close(void **state)
{
	unsigned char byte;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_RAW, 8 * MIB);
	disk_break(f.disk, -EIO, MIB);
	assert_int_equal(do_write(f.image, MIB, f.data, 4096), 4096);
	assert_int_equal(do_write(f.image, 0, f.data, 4096), 4096);
	assert_int_equal(do_sync(f.image), -EIO);
	assert_int_equal(do_write(f.image, 0, f.data, 4096), -EIO);
	assert_int_equal(do_flush(f.image), -EIO);
	/* The rest of the disk is as good as before. */
	assert_memory_equal(f.disk->bytes, f.data, 4096);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, 1, &byte), 1);
	fixture_close(&f);
	await_told(f.owner, IMAGE_CLOSED, 1);
	assert_int_equal(f.owner->n_told, 1);

	disk_break(f.disk, 0, 0);
	cm4_image_open(f.image, true);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(do_write(f.image, MIB, f.data, 4096), 4096);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->bytes + MIB, f.data, 4096);
	fixture_end(&f);
}

static void an_image_does_not_go_on_on_a_smaller_disk(void **state)
{
	struct disk *smaller = disk_new(MIB);
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 2 * MIB), 2 * MIB);
	fixture_close(&f);
	await_told(f.owner, IMAGE_INCOMPLETE, 1);
	cm4_image_open(f.image, true);
	{
		LOCKED(&f.owner->lock);
		f.owner->disk = smaller;
	}
	assert_int_equal(do_write(f.image, 0, f.data, 1), -ENOSPC);
	fixture_end(&f);
	disk_free(smaller);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_of_the_disk_sticks_until_a_new_start),
		cmocka_unit_test(parked_writes_hear_of_the_error_after_the_owner),
		cmocka_unit_test(a_sync_that_fails_fails_the_image),
		cmocka_unit_test(what_does_not_fit_is_refused_as_soon_as_it_is_known),
		cmocka_unit_test(a_disk_that_leaves_in_mid_flash_is_no_stale_image),
		cmocka_unit_test(an_abort_ends_a_transfer_and_everybody_s_waiting),
		cmocka_unit_test(an_abort_of_a_whole_image_is_no_failed_flash),
		cmocka_unit_test(a_refusal_sticks_and_answers_all_who_wait),
		cmocka_unit_test(a_refused_reader_may_ask_again),
		cmocka_unit_test(an_abort_before_the_disk_is_the_answer),
		cmocka_unit_test(a_write_waiting_for_the_module_can_be_interrupted),
		cmocka_unit_test(a_write_taken_in_part_says_how_much),
		cmocka_unit_test(an_interrupted_close_goes_on_by_itself),
		cmocka_unit_test(an_interrupted_read_leaves_the_buffer_alone),
		cmocka_unit_test(an_interrupted_read_may_fail_when_nobody_waits_for_it),
		cmocka_unit_test(what_cannot_be_read_is_an_input_error),
		cmocka_unit_test(an_interrupt_too_late_changes_nothing),
		cmocka_unit_test(
			a_raw_write_error_is_told_to_sync_and_forgotten_after_the_last_close),
		cmocka_unit_test(an_image_does_not_go_on_on_a_smaller_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
