#include "image-fixture.h"
#include "image/chunk.h"
#include "proof/prover.h"

/* What an image has proved, by a disk that can be held up and can lie to those who read it back. */

#define DISK  (48 * MIB)
#define IMAGE (6 * MIB)

static void begin(struct fixture *f, enum cm4_verify verify)
{
	const struct image_policy policy = {.verify = verify};

	fixture_begin_with(f, CM4_IMAGE_FLASH, DISK, &policy);
	fixture_make_image(f, IMAGE);
}

static ssize_t write_all(struct fixture *f, uint64_t from, uint64_t end)
{
	for (uint64_t at = from; at < end; at += MIB / 2) {
		ssize_t r = do_write(f->image, at, f->data + at, MIB / 2);

		if (r < 0)
			return r;
	}
	return 0;
}

static struct cm4_image_status status_of(struct fixture *f)
{
	struct cm4_image_status status;

	image_status(f->image, &status);
	return status;
}

static ssize_t do_verify(struct fixture *f)
{
	return do_io(f->image, CM4_IO_VERIFY, 0, 0, NULL);
}

static void all_that_is_written_is_proved_before_it_is_whole(void **state)
{
	struct cm4_image_status status;
	struct fixture f;
	size_t verifying = 0, whole = 0;

	begin(&f, CM4_VERIFY_READBACK);
	assert_int_equal(write_all(&f, 0, IMAGE), 0);
	assert_int_equal(do_flush(f.image), 0);
	status = status_of(&f);
	assert_int_equal(status.verify, CM4_VERIFY_READBACK);
	assert_int_equal(status.bytes_written, IMAGE);
	assert_int_equal(status.bytes_proved, IMAGE);
	for (size_t i = 0; i < f.owner->n_told; i++) {
		if (f.owner->told[i].event == IMAGE_VERIFYING)
			verifying = i + 1;
		if (f.owner->told[i].event == IMAGE_WHOLE)
			whole = i + 1;
	}
	assert_true(verifying > 0 && verifying < whole);
	fixture_close(&f);
	assert_int_equal(status_of(&f).bytes_proved, IMAGE);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

/* Its owner here offers no console. */
static void what_cannot_be_had_from_the_medium_is_read_back_and_said(void **state)
{
	struct cm4_image_status status;
	struct fixture f;

	begin(&f, CM4_VERIFY_MEDIUM);
	assert_int_equal(status_of(&f).verify, CM4_VERIFY_MEDIUM);
	assert_int_equal(write_all(&f, 0, IMAGE), 0);
	assert_int_equal(do_flush(f.image), 0);
	status = status_of(&f);
	assert_int_equal(status.verify, CM4_VERIFY_READBACK);
	assert_string_equal(status.verify_reason, "it has no console");
	assert_int_equal(status.bytes_proved, IMAGE);
	fixture_end(&f);
}

static void nothing_is_read_back_where_nothing_is_to_be_proved(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_OFF);
	disk_lie(f.disk, 0, DISK);
	assert_int_equal(write_all(&f, 0, IMAGE), 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(status_of(&f).bytes_proved, 0);
	assert_int_equal(told_times(f.owner, IMAGE_VERIFYING), 0);
	assert_int_equal(do_verify(&f), -ENODATA);
	fixture_end(&f);
}

static void a_range_that_differs_is_EIO_and_leaves_no_start(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	disk_lie(f.disk, 3 * MIB + 70, 3 * MIB + 71);
	write_all(&f, 0, IMAGE);
	assert_int_equal(do_flush(f.image), -EIO);
	await_told(f.owner, IMAGE_FAILED, 1);
	assert_non_null(
		strstr(last_told(f.owner, IMAGE_FAILED).text, "does not hold what was written"));
	assert_int_equal(do_flush(f.image), -EIO);
	fixture_close(&f);
	assert_filled(f.disk->bytes, MIB, 0);
	assert_false(status_of(&f).whole);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

/* Holes, the rest of the start and the first block are proved like anything else. */
static void no_range_goes_unproved(void **state)
{
	static const uint64_t places[] = {0, 4095, 4096, MIB - 1, MIB, 2 * MIB + 4096, IMAGE - 1};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct fixture f;

		begin(&f, CM4_VERIFY_READBACK);
		disk_lie(f.disk, places[i], places[i] + 1);
		write_all(&f, 0, 2 * MIB);
		write_all(&f, 4 * MIB, IMAGE);
		assert_int_equal(do_flush(f.image), -EIO);
		fixture_close(&f);
		assert_filled(f.disk->bytes, 4096, 0);
		cm4_image_open(f.image, true);
		fixture_end(&f);
	}
}

static void what_is_written_twice_is_proved_as_it_is_last(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	disk_hold_proof(f.disk, true);
	assert_int_equal(write_all(&f, 0, IMAGE), 0);
	assert_int_equal(do_sync(f.image), 0);
	for (uint64_t at = 2 * MIB; at < 4 * MIB; at++)
		f.data[at] ^= 0x40;
	disk_hold_proof(f.disk, false);
	assert_int_equal(write_all(&f, 2 * MIB, 4 * MIB), 0);
	assert_int_equal(do_write(f.image, 5 * MIB + 8192, f.data + 4096, 4096), 4096);
	memcpy(f.data + 5 * MIB + 8192, f.data + 4096, 4096);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->medium, f.data, IMAGE);
	fixture_end(&f);
}

static void an_image_to_go_on_with_is_proved_as_far_as_it_is_written(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	assert_int_equal(write_all(&f, 0, 4 * MIB), 0);
	disk_await_writes(f.disk, 2); /* it was judged */
	assert_int_equal(do_killed_flush(f.image), -EBADMSG);
	fixture_close(&f);
	await_told(f.owner, IMAGE_INCOMPLETE, 1);
	assert_int_equal(status_of(&f).bytes_proved, 3 * MIB);

	cm4_image_open(f.image, true);
	assert_int_equal(write_all(&f, 4 * MIB, IMAGE), 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(status_of(&f).bytes_proved, IMAGE);
	fixture_end(&f);
}

static void one_that_differs_when_its_writer_is_killed_has_failed(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	disk_lie(f.disk, 2 * MIB, 2 * MIB + 1);
	write_all(&f, 0, 3 * MIB);
	disk_await_writes(f.disk, 2);
	do_killed_flush(f.image);
	fixture_close(&f);
	await_told(f.owner, IMAGE_FAILED, 1);
	assert_int_equal(last_told(f.owner, IMAGE_FAILED).error, -EIO);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void what_was_synced_is_proved_before_the_last_close_as_well(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	disk_hold_proof(f.disk, true);
	write_all(&f, 0, 4 * MIB);
	assert_int_equal(do_sync(f.image), 0);
	assert_int_equal(do_flush(f.image), -EBADMSG);
	disk_lie(f.disk, 3 * MIB, 3 * MIB + 1);
	cm4_image_close(f.image, true);
	disk_hold_proof(f.disk, false);
	await_told(f.owner, IMAGE_CLOSED, 1);
	assert_int_equal(told_times(f.owner, IMAGE_INCOMPLETE), 0);
	assert_int_equal(last_told(f.owner, IMAGE_FAILED).error, -EIO);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void an_image_cannot_go_on_on_a_disk_that_others_wrote_to(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	assert_int_equal(write_all(&f, 0, 4 * MIB), 0);
	assert_int_equal(do_flush(f.image), -EBADMSG);
	fixture_close(&f);
	image_overwrite(f.image);
	cm4_image_open(f.image, true);
	assert_int_equal(write_all(&f, 4 * MIB, IMAGE), -ESTALE);
	assert_int_equal(do_truncate(f.image, 0), 0);
	assert_int_equal(write_all(&f, 0, IMAGE), 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->medium, f.data, IMAGE);
	fixture_end(&f);
}

static void small_pieces_leave_no_gap_in_what_can_be_proved_again(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	for (uint64_t at = 0; at < IMAGE; at += 10000) {
		uint64_t n = IMAGE - at < 10000 ? IMAGE - at : 10000;

		assert_int_equal(do_write(f.image, at, f.data + at, n), n);
	}
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(do_verify(&f), 0);
	assert_int_equal(status_of(&f).bytes_proved, IMAGE);
	fixture_end(&f);
}

/* Chunks and backlog, 16 MiB each, and the start: a close() has no more to wait for. */
static void a_writer_is_never_far_ahead_of_the_proof(void **state)
{
	struct asked asked[64];
	struct fixture f;
	size_t n = 0;
	uint64_t taken;

	begin(&f, CM4_VERIFY_READBACK);
	fixture_make_image(&f, DISK);
	disk_hold_proof(f.disk, true);
	for (; n < 40; n++)
		ask(&asked[n], f.image, CM4_IO_WRITE, n * MIB, MIB, f.data + n % 31 * MIB);
	/* All that may be unproved is on the disk: its start's wiping, and then runs of up to four chunks. */
	disk_await_writes(f.disk, 1 + PROVER_BACKLOG / MIB / CHUNK_RUN);
	taken = status_of(&f).bytes_in;
	assert_in_range(taken, 16 * MIB, 34 * MIB);
	assert_false(is_answered(&asked[34]));
	disk_hold_proof(f.disk, false);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(answer_of(&asked[i]), MIB);
	fixture_end(&f);
}

static void zeros_of_a_dense_image_are_proved_as_anything_else(void **state)
{
	struct fixture f;

	for (int lie = 0; lie < 2; lie++) {
		begin(&f, CM4_VERIFY_READBACK);
		memset(f.data + MIB, 0, IMAGE - MIB);
		if (lie) {
			f.disk->lie_from = IMAGE - MIB;
			f.disk->lie_end = IMAGE - MIB + 1;
		}
		do_write(f.image, 0, f.data, IMAGE);
		assert_int_equal(do_flush(f.image), lie ? -EIO : 0);
		if (!lie)
			assert_memory_equal(f.disk->medium, f.data, IMAGE);
		fixture_end(&f);
	}
}

static void an_abort_ends_the_waiting_for_a_proof(void **state)
{
	struct asked flush;
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	disk_hold_proof(f.disk, true);
	assert_int_equal(write_all(&f, 0, IMAGE), 0);
	ask(&flush, f.image, CM4_IO_FLUSH, 0, 0, NULL);
	await_told(f.owner, IMAGE_VERIFYING, 1);
	image_abort(f.image, -ECANCELED, "cancelled");
	assert_int_equal(answer_of(&flush), -ECANCELED);
	fixture_close(&f);
	assert_filled(f.disk->bytes, MIB, 0);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void a_whole_image_can_be_proved_again(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	assert_int_equal(do_verify(&f), -EBADMSG);
	assert_int_equal(write_all(&f, 0, IMAGE), 0);
	assert_int_equal(do_flush(f.image), 0);
	fixture_close(&f);

	cm4_image_open(f.image, false);
	assert_int_equal(do_verify(&f), 0);
	assert_int_equal(status_of(&f).bytes_proved, IMAGE);
	assert_int_equal(told_times(f.owner, IMAGE_VERIFYING), 2);
	assert_int_equal(told_times(f.owner, IMAGE_VERIFIED), 1);

	disk_lie(f.disk, 5 * MIB, 5 * MIB + 1);
	assert_int_equal(do_verify(&f), -EIO);
	assert_false(status_of(&f).whole);
	cm4_image_close(f.image, false);
	await_told(f.owner, IMAGE_FAILED, 1);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

static void a_disk_that_others_wrote_to_says_nothing_of_the_image(void **state)
{
	struct fixture f;

	begin(&f, CM4_VERIFY_READBACK);
	assert_int_equal(write_all(&f, 0, IMAGE), 0);
	assert_int_equal(do_flush(f.image), 0);
	disk_lie(f.disk, 5 * MIB, 5 * MIB + 1);
	image_overwrite(f.image);
	assert_int_equal(do_verify(&f), -ESTALE);
	assert_int_equal(told_times(f.owner, IMAGE_VERIFYING), 1);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_written_is_proved_before_it_is_whole),
		cmocka_unit_test(what_cannot_be_had_from_the_medium_is_read_back_and_said),
		cmocka_unit_test(nothing_is_read_back_where_nothing_is_to_be_proved),
		cmocka_unit_test(a_range_that_differs_is_EIO_and_leaves_no_start),
		cmocka_unit_test(no_range_goes_unproved),
		cmocka_unit_test(what_is_written_twice_is_proved_as_it_is_last),
		cmocka_unit_test(an_image_to_go_on_with_is_proved_as_far_as_it_is_written),
		cmocka_unit_test(one_that_differs_when_its_writer_is_killed_has_failed),
		cmocka_unit_test(what_was_synced_is_proved_before_the_last_close_as_well),
		cmocka_unit_test(an_image_cannot_go_on_on_a_disk_that_others_wrote_to),
		cmocka_unit_test(small_pieces_leave_no_gap_in_what_can_be_proved_again),
		cmocka_unit_test(a_writer_is_never_far_ahead_of_the_proof),
		cmocka_unit_test(zeros_of_a_dense_image_are_proved_as_anything_else),
		cmocka_unit_test(an_abort_ends_the_waiting_for_a_proof),
		cmocka_unit_test(a_whole_image_can_be_proved_again),
		cmocka_unit_test(a_disk_that_others_wrote_to_says_nothing_of_the_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
