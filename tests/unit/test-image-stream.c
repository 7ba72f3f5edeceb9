#include <malloc.h>
#include <unistd.h>

#include "image-fixture.h"

#include "decode-fixture.h"
#include "image/input.h"
#include "sidecar/digest.h"

/* A compressed file as a writer sends it (image/stream.h). */

#define SIZE (6 * MIB + 700)

struct story {
	struct fixture f;
	struct bytes raw, packed;
};

static void begin(struct story *s, struct bytes (*pack)(struct bytes content))
{
	const struct image_policy policy = {.verify = CM4_VERIFY_OFF};

	fixture_begin_with(&s->f, CM4_IMAGE_FLASH, 16 * MIB, &policy);
	fixture_make_image(&s->f, SIZE / 512 * 512);
	s->raw = (struct bytes){s->f.data, SIZE};
	s->packed = pack(s->raw);
}

/* What was not compressed stands in it as it is. */
static struct bytes pack_stored(struct bytes content)
{
	struct bytes packed = bytes_new(content.n + content.n / 8 + 4096);
	z_stream lib = {.next_in = content.data, .avail_in = (uInt)content.n};

	lib.next_out = packed.data;
	lib.avail_out = (uInt)packed.n;
	assert_int_equal(
		deflateInit2(&lib, 0, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&lib, Z_FINISH), Z_STREAM_END);
	packed.n = lib.total_out;
	deflateEnd(&lib);
	return packed;
}

static void end(struct story *s)
{
	bytes_free(&s->packed);
	fixture_end(&s->f);
}

static struct cm4_image_status status_of(struct story *s)
{
	struct cm4_image_status status;

	image_status(s->f.image, &status);
	return status;
}

static ssize_t put(struct story *s, size_t offset, size_t n)
{
	return do_write(s->f.image, offset, s->packed.data + offset, n);
}

static void is_whole(struct story *s)
{
	assert_true(status_of(s).whole);
	assert_memory_equal(s->f.disk->medium, s->raw.data, SIZE);
}

static void has_no_start(struct story *s)
{
	assert_filled(s->f.disk->medium, MIB, 0);
}

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

/* Whether or not its decoder has been let go by now. */
static void what_is_whole_and_closed_answers_as_what_it_is(void **state)
{
	struct cm4_image_attr attr;
	unsigned char byte = 0;
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n), s.packed.n);
	assert_int_equal(do_flush(s.f.image), 0);
	fixture_close(&s.f);
	usleep(100000);
	cm4_image_open(s.f.image, true);
	assert_int_equal(do_io(s.f.image, CM4_IO_READ, 0, 1, &byte), -EOPNOTSUPP);
	assert_int_not_equal(do_write(s.f.image, s.packed.n, &byte, 1), 0);
	assert_int_equal(do_flush(s.f.image), 0);
	assert_int_equal(do_truncate(s.f.image, 0), 0);
	cm4_image_getattr(s.f.image, &attr);
	assert_int_equal(attr.size, 0);
	assert_int_equal(put(&s, 0, s.packed.n), s.packed.n);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	end(&s);
}

static void a_killed_writer_s_last_bytes_may_follow(void **state)
{
	struct story s;
	size_t most;

	begin(&s, pack_gz);
	fixture_make_image(&s.f, 6 * MIB);
	bytes_free(&s.packed);
	s.packed = pack_gz((struct bytes){s.raw.data, 6 * MIB});
	most = s.packed.n - 8; /* all but what gzip says at the end */
	assert_int_equal(put(&s, 0, most), most);
	assert_int_equal(do_killed_flush(s.f.image), -EBADMSG);
	fixture_close(&s.f);
	await_told(s.f.owner, IMAGE_INCOMPLETE, 1);
	cm4_image_open(s.f.image, true);
	assert_int_equal(put(&s, most, 8), 8);
	assert_int_equal(do_flush(s.f.image), 0);
	assert_memory_equal(s.f.disk->medium, s.raw.data, 6 * MIB);
	end(&s);
}

static void be_silent(struct owner *owner, bool silent)
{
	LOCKED(&owner->lock);

	owner->silent = silent;
	pthread_cond_broadcast(&owner->moved);
}

/* Several threads read requests: those of one write(2) may change places, the first of all with the second. */
static void the_first_piece_may_be_overtaken(void **state)
{
	struct asked asked[4];
	struct story s;
	size_t piece;

	begin(&s, pack_gz);
	piece = s.packed.n / 4;
	be_silent(s.f.owner, true);
	for (size_t i = 0; i < 4; i++) {
		size_t at = (3 - i) * piece, n = i ? piece : s.packed.n - at;

		ask(&asked[i], s.f.image, CM4_IO_WRITE, at, n, s.packed.data + at);
	}
	be_silent(s.f.owner, false);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(answer_of(&asked[i]), i ? piece : s.packed.n - 3 * piece);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	end(&s);
}

static void a_piece_that_is_overtaken_by_many_is_waited_for(void **state)
{
	struct asked last;
	struct story s;
	size_t n;

	begin(&s, pack_stored);
	assert_int_equal(put(&s, 0, 1000), 1000);
	n = s.packed.n - INPUT_SIZE - 1000;
	ask(&last, s.f.image, CM4_IO_WRITE, s.packed.n - n, n, s.packed.data + s.packed.n - n);
	usleep(20000);
	assert_int_equal(put(&s, 1000, INPUT_SIZE), INPUT_SIZE);
	assert_int_equal(answer_of(&last), n);
	assert_int_equal(do_flush(s.f.image), 0);
	is_whole(&s);
	end(&s);
}

/* One who drops the last reference when he is answered, on whichever thread that is. */
struct dropper {
	struct asked asked;
	struct cm4_image *image;
	bool inside, go;
};

static void drop(struct cm4_io *io, ssize_t result)
{
	struct dropper *dropper = (struct dropper *)io;
	struct asked *asked = &dropper->asked;
	LOCKED(&asked->lock);

	dropper->inside = true;
	pthread_cond_broadcast(&asked->moved);
	AWAIT(&asked->lock, &asked->moved, dropper->go);
	cm4_image_unref(dropper->image);
	asked->answers++;
	asked->result = result;
	pthread_cond_broadcast(&asked->moved);
}

static void the_last_reference_may_be_dropped_by_an_answer(void **state)
{
	struct dropper dropper = {.asked.io = {.kind = CM4_IO_FLUSH, .complete = drop}};
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n), s.packed.n);
	dropper.image = cm4_image_ref(s.f.image);
	pthread_mutex_init(&dropper.asked.lock, NULL);
	cond_init(&dropper.asked.moved);
	cm4_image_submit(s.f.image, &dropper.asked.io);
	{
		LOCKED(&dropper.asked.lock);
		AWAIT(&dropper.asked.lock, &dropper.asked.moved, dropper.inside);
	}
	image_abort(s.f.image, -ENODEV, "it has gone");
	fixture_close(&s.f);
	usleep(50000); /* the owner, too, has let go of it */
	cm4_image_unref(s.f.image);
	{
		LOCKED(&dropper.asked.lock);
		dropper.go = true;
		pthread_cond_broadcast(&dropper.asked.moved);
	}
	assert_int_equal(answer_of(&dropper.asked), 0);
	owner_free(s.f.owner);
	disk_free(s.f.disk);
	free(s.f.data);
	bytes_free(&s.packed);
}

/* What one file's writer still waits with is none of the next one's bytes, whichever thread comes first. */
static void what_waits_of_one_file_is_not_of_the_next(void **state)
{
	struct asked old;
	struct story s;

	begin(&s, pack_stored);
	for (int i = 0; i < 50; i++) {
		cm4_image_restart(s.f.image);
		assert_int_equal(put(&s, 0, 1000), 1000);
		ask(&old, s.f.image, CM4_IO_WRITE, 5 * MIB, MIB, s.raw.data);
		cm4_image_restart(s.f.image);
		assert_int_equal(put(&s, 0, s.packed.n), s.packed.n);
		assert_int_equal(answer_of(&old), -ESTALE);
		assert_int_equal(do_flush(s.f.image), 0);
	}
	is_whole(&s);
	end(&s);
}

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void files_that_begin_again_and_again_take_no_memory(void **state)
{
	size_t before;
	struct story s;

	begin(&s, pack_gz);
	before = in_use();
	for (int i = 0; i < 100; i++) {
		assert_int_equal(put(&s, 0, 1000), 1000);
		assert_int_equal(do_truncate(s.f.image, 0), 0);
	}
	assert_true(in_use() < before + 50 * MIB);
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
		cmocka_unit_test(what_is_whole_and_closed_answers_as_what_it_is),
		cmocka_unit_test(a_killed_writer_s_last_bytes_may_follow),
		cmocka_unit_test(the_first_piece_may_be_overtaken),
		cmocka_unit_test(a_piece_that_is_overtaken_by_many_is_waited_for),
		cmocka_unit_test(the_last_reference_may_be_dropped_by_an_answer),
		cmocka_unit_test(what_waits_of_one_file_is_not_of_the_next),
		cmocka_unit_test(files_that_begin_again_and_again_take_no_memory),
		cmocka_unit_test(another_image_on_the_disk_ends_it),
	};

	return cmocka_run_group_tests_name("image-stream", tests, NULL, NULL);
}
