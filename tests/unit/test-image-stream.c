#include "stream-fixture.h"

#include "image/input.h"
#include "sidecar/digest.h"

/* A compressed file as a writer sends it (image/stream.h). */

static void every_format_reaches_the_medium_as_what_is_in_it(void **state)
{
	struct bytes (*const packs[])(struct bytes) = {
		pack_xz, pack_gz, pack_zst, pack_bz2, pack_lz4, pack_zip};
	static const char *const names[] = {"xz", "gz", "zst", "bz2", "lz4", "zip"};

	for (size_t i = 0; i < 6; i++) {
		struct cm4_image_attr attr;
		struct story s;

		begin(&s, packs[i]);
		for (size_t at = 0; at < s.packed.n; at += 100000) {
			size_t n = s.packed.n - at < 100000 ? s.packed.n - at : 100000;

			assert_int_equal(put(&s, at, n), n);
		}
		assert_int_equal(do_flush(s.f.image), 0);
		is_whole(&s);
		assert_string_equal(status_of(&s).format, names[i]);
		assert_int_equal(status_of(&s).bytes_in, SIZE);
		cm4_image_getattr(s.f.image, &attr);
		assert_int_equal(attr.size, s.packed.n);
		assert_int_equal(do_io(s.f.image, CM4_IO_READ, 0, 10, s.raw.data), -EOPNOTSUPP);
		end(&s);
	}
}

static void the_sums_are_those_of_both_files(void **state)
{
	struct cm4_image_status status;
	unsigned char hash[32];
	struct digest *digest;
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n), s.packed.n);
	assert_int_equal(do_flush(s.f.image), 0);
	status = status_of(&s);
	assert_true(status.has_sha256_raw && status.has_sha256_dropped);
	assert_int_equal(digest_new("SHA256", &digest), 0);
	digest_update(digest, s.raw.data, SIZE);
	assert_int_equal(digest_final(digest, hash), 0);
	assert_memory_equal(status.sha256_raw, hash, 32);
	digest_reset(digest);
	digest_update(digest, s.packed.data, s.packed.n);
	assert_int_equal(digest_final(digest, hash), 0);
	assert_memory_equal(status.sha256_dropped, hash, 32);
	digest_free(digest);
	end(&s);
}

static void the_first_bytes_may_come_one_by_one(void **state)
{
	struct story s;

	begin(&s, pack_xz);
	for (size_t at = 0; at < 30; at++)
		assert_int_equal(put(&s, at, 1), 1);
	assert_int_equal(put(&s, 30, s.packed.n - 30), s.packed.n - 30);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	end(&s);
}

static void pieces_behind_the_first_come_in_any_order(void **state)
{
	struct story s;
	size_t piece;

	begin(&s, pack_gz);
	piece = s.packed.n / 16;
	assert_int_equal(put(&s, 0, piece), piece);
	for (size_t i = 6; i > 0; i--)
		assert_int_equal(put(&s, i * piece, piece), piece);
	assert_int_equal(put(&s, 7 * piece, s.packed.n - 7 * piece), s.packed.n - 7 * piece);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	end(&s);
}

static void what_comes_twice_fails(void **state)
{
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, 1000), 1000);
	assert_int_equal(put(&s, 500, 1000), -EINVAL);
	assert_int_equal(do_flush(s.f.image), -EINVAL);
	assert_int_equal(told_times(s.f.owner, IMAGE_FAILED), 1);
	assert_true(medium_is_untouched(s.f.disk));
	end(&s);
}

static void one_that_is_cut_short_is_not_whole_and_can_go_on(void **state)
{
	struct story s;
	size_t half;

	begin(&s, pack_xz);
	half = s.packed.n / 2;
	assert_int_equal(put(&s, 0, half), half);
	assert_int_equal(do_flush(s.f.image), -EBADMSG);
	fixture_close(&s.f);
	await_told(s.f.owner, IMAGE_INCOMPLETE, 1);
	assert_string_equal(
		last_told(s.f.owner, IMAGE_INCOMPLETE).text, "the xz stream ends early");
	has_no_start(&s);

	cm4_image_open(s.f.image, true);
	assert_int_equal(put(&s, half, s.packed.n - half), s.packed.n - half);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	end(&s);
}

static void a_killed_writer_is_told_at_once_and_leaves_it_incomplete(void **state)
{
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n / 2), s.packed.n / 2);
	assert_int_equal(do_killed_flush(s.f.image), -EBADMSG);
	fixture_close(&s.f);
	await_told(s.f.owner, IMAGE_INCOMPLETE, 1);
	assert_non_null(
		strstr(last_told(s.f.owner, IMAGE_INCOMPLETE).text, "the writer was killed"));
	has_no_start(&s);
	cm4_image_open(s.f.image, true);
	end(&s);
}

static void corrupt_data_fails_for_good(void **state)
{
	struct story s;

	begin(&s, pack_xz);
	s.packed.data[s.packed.n / 2] ^= 1;
	put(&s, 0, s.packed.n);
	assert_int_equal(do_flush(s.f.image), -EBADMSG);
	assert_string_equal(last_told(s.f.owner, IMAGE_FAILED).text, "the xz stream is corrupt");
	assert_int_equal(put(&s, s.packed.n, 1), -EBADMSG);
	assert_int_equal(cm4_image_rename(s.f.image, "y"), -EBADMSG);
	has_no_start(&s);
	end(&s);
}

static void what_follows_a_whole_file_takes_its_start_away(void **state)
{
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n), s.packed.n);
	assert_int_equal(do_flush(s.f.image), 0);
	do_write(s.f.image, s.packed.n, "garbage", 7);
	assert_int_equal(do_flush(s.f.image), -EBADMSG);
	has_no_start(&s);
	end(&s);
}

static void an_empty_one_is_no_image(void **state)
{
	struct story s;

	begin(&s, pack_gz);
	bytes_free(&s.packed);
	s.packed = pack_gz((struct bytes){s.raw.data, 0});
	put(&s, 0, s.packed.n);
	assert_int_equal(do_flush(s.f.image), -EINVAL);
	assert_true(medium_is_untouched(s.f.disk));
	end(&s);
}

static void what_is_in_it_is_judged_as_any_image(void **state)
{
	struct story s;

	begin(&s, pack_gz);
	memset(s.raw.data, 'x', SIZE);
	bytes_free(&s.packed);
	s.packed = pack_gz(s.raw);
	put(&s, 0, s.packed.n);
	assert_int_equal(do_flush(s.f.image), -EINVAL);
	assert_true(medium_is_untouched(s.f.disk));
	end(&s);
}

/* As they are where its writer leapt over them. */
static void zeros_that_were_left_out_are_zeros(void **state)
{
	static unsigned char zeros[4 * KIB];
	size_t hole = 3 * MIB, end_of_hole, n;
	struct story s;

	begin(&s, pack_stored);
	memset(s.raw.data + 2 * MIB, 0, 2 * MIB);
	bytes_free(&s.packed);
	s.packed = pack_stored(s.raw);
	while (memcmp(s.packed.data + hole, zeros, sizeof(zeros)) != 0)
		hole += 100;
	end_of_hole = hole + sizeof(zeros);
	n = s.packed.n - end_of_hole;
	assert_int_equal(put(&s, 0, hole), hole);
	assert_int_equal(put(&s, end_of_hole, n), n);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	end(&s);
}

static void a_size_that_was_promised_is_not_made_up(void **state)
{
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(
		do_io(s.f.image, CM4_IO_WRITE, 0, s.packed.n / 2, s.packed.data), s.packed.n / 2);
	assert_int_equal(do_io(s.f.image, CM4_IO_ALLOCATE, 0, s.packed.n, NULL), 0);
	assert_int_equal(do_flush(s.f.image), -EBADMSG);
	assert_int_equal(
		put(&s, s.packed.n / 2, s.packed.n - s.packed.n / 2), s.packed.n - s.packed.n / 2);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	end(&s);
}

static void another_file_may_begin_in_the_middle(void **state)
{
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n / 2), s.packed.n / 2);
	cm4_image_restart(s.f.image);
	assert_int_equal(do_write(s.f.image, 0, s.raw.data, SIZE), SIZE);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	assert_string_equal(status_of(&s).format, "raw");
	end(&s);
}

static void its_beginning_written_anew_is_a_new_file(void **state)
{
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n), s.packed.n);
	assert_int_equal(do_flush(s.f.image), 0);
	fixture_close(&s.f);
	cm4_image_open(s.f.image, true);
	assert_int_equal(put(&s, 0, s.packed.n), s.packed.n);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	end(&s);
}

static void a_writer_that_waits_can_be_interrupted(void **state)
{
	static unsigned char noise[INPUT_SIZE];
	struct asked one, two;
	struct story s;

	begin(&s, pack_stored);
	assert_int_equal(put(&s, 0, 2 * MIB), 2 * MIB);
	{
		LOCKED(&s.f.disk->lock);
		s.f.disk->held = true;
	}
	/* More than the window has room for, behind a gap. */
	ask(&one, s.f.image, CM4_IO_WRITE, 3 * MIB, sizeof(noise), noise);
	ask(&two, s.f.image, CM4_IO_FLUSH, 0, 0, NULL);
	cm4_image_interrupt(s.f.image, &two.io);
	assert_int_equal(answer_of(&two), -EINTR);
	{
		LOCKED(&s.f.disk->lock);
		s.f.disk->held = false;
		pthread_cond_broadcast(&s.f.disk->moved);
	}
	assert_int_equal(
		answer_of(&one), -EBADMSG); /* what is before it was left out, and is no zeros */
	end(&s);
}

static void an_abort_ends_it_with_all_who_wait(void **state)
{
	struct asked flush;
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n - 10), s.packed.n - 10);
	{
		LOCKED(&s.f.disk->lock);
		s.f.disk->held = true;
	}
	ask(&flush, s.f.image, CM4_IO_FLUSH, 0, 0, NULL);
	image_abort(s.f.image, -ENODEV, "it has gone");
	assert_int_equal(answer_of(&flush), -ENODEV);
	assert_int_equal(put(&s, s.packed.n - 10, 10), -ENODEV);
	{
		LOCKED(&s.f.disk->lock);
		s.f.disk->held = false;
	}
	end(&s);
}

static void another_image_on_the_disk_ends_it(void **state)
{
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n / 2), s.packed.n / 2);
	image_supersede(s.f.image);
	assert_int_equal(put(&s, s.packed.n / 2, 100), -ESTALE);
	assert_int_equal(do_flush(s.f.image), 0);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_reaches_the_medium_as_what_is_in_it),
		cmocka_unit_test(the_sums_are_those_of_both_files),
		cmocka_unit_test(the_first_bytes_may_come_one_by_one),
		cmocka_unit_test(pieces_behind_the_first_come_in_any_order),
		cmocka_unit_test(what_comes_twice_fails),
		cmocka_unit_test(one_that_is_cut_short_is_not_whole_and_can_go_on),
		cmocka_unit_test(a_killed_writer_is_told_at_once_and_leaves_it_incomplete),
		cmocka_unit_test(corrupt_data_fails_for_good),
		cmocka_unit_test(what_follows_a_whole_file_takes_its_start_away),
		cmocka_unit_test(an_empty_one_is_no_image),
		cmocka_unit_test(what_is_in_it_is_judged_as_any_image),
		cmocka_unit_test(zeros_that_were_left_out_are_zeros),
		cmocka_unit_test(a_size_that_was_promised_is_not_made_up),
		cmocka_unit_test(another_file_may_begin_in_the_middle),
		cmocka_unit_test(its_beginning_written_anew_is_a_new_file),
		cmocka_unit_test(a_writer_that_waits_can_be_interrupted),
		cmocka_unit_test(an_abort_ends_it_with_all_who_wait),
		cmocka_unit_test(another_image_on_the_disk_ends_it),
	};

	return cmocka_run_group_tests_name("image-stream", tests, NULL, NULL);
}
