#include <malloc.h>
#include <sched.h>

#include "stream-fixture.h"

#include "image/internal.h"

/* A compressed file whose writers, and whose threads, come at odd times (image/stream.h). */

/* Until it is as @is has it; nobody says when. */
static void await_image(struct story *s, bool (*is)(const struct cm4_image *image))
{
	uint64_t until = clock_ns() + PATIENCE;
	bool done = false;

	while (!done) {
		{
			LOCKED(&s->f.image->lock);
			done = is(s->f.image);
		}
		if (clock_ns() > until)
			patience_over("the image");
		sched_yield();
	}
}

static bool has_ended(const struct cm4_image *image)
{
	return image->stream->ended;
}

static bool misses_something(const struct cm4_image *image)
{
	return image->stream->missing_since;
}

static bool has_two_references(const struct cm4_image *image)
{
	return image->refs == 2;
}

/* Its decoder has been let go by now. */
static void what_is_whole_and_closed_answers_as_what_it_is(void **state)
{
	struct cm4_image_attr attr;
	unsigned char byte = 0;
	struct story s;

	begin(&s, pack_gz);
	assert_int_equal(put(&s, 0, s.packed.n), s.packed.n);
	assert_int_equal(do_flush(s.f.image), 0);
	fixture_close(&s.f);
	await_image(&s, has_ended);
	cm4_image_open(s.f.image, true);
	assert_int_equal(do_io(s.f.image, CM4_IO_READ, 0, 1, &byte), -EOPNOTSUPP);
	assert_int_equal(do_write(s.f.image, s.packed.n, &byte, 1), -ESTALE);
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
	await_image(&s, misses_something);
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
	await_image(&s, has_two_references); /* the owner, too, has let go of it */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_whole_and_closed_answers_as_what_it_is),
		cmocka_unit_test(a_killed_writer_s_last_bytes_may_follow),
		cmocka_unit_test(the_first_piece_may_be_overtaken),
		cmocka_unit_test(a_piece_that_is_overtaken_by_many_is_waited_for),
		cmocka_unit_test(the_last_reference_may_be_dropped_by_an_answer),
		cmocka_unit_test(what_waits_of_one_file_is_not_of_the_next),
		cmocka_unit_test(files_that_begin_again_and_again_take_no_memory),
	};

	return cmocka_run_group_tests_name("image-stream-order", tests, NULL, NULL);
}
