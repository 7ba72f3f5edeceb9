#include "image-fixture.h"

/*
 * Anything in any order, against a plain array. The seed of a failing round is printed;
 * CM4FS_TEST_SEED runs rounds from there.
 */
#define DISK_SIZE (12 * MIB + 3 * 512)
#define BLOCKS	  (DISK_SIZE / 4096 + 1)
#define ROUNDS                                                                                     \
	(getenv("CM4FS_SHORT") ? 3 : 12) /* under sanitizers, one round takes as long as ten */
#define STEPS 150

struct model {
	unsigned char bytes[DISK_SIZE]; /* zeros behind the size */
	bool known[BLOCKS];
	uint64_t size;
	bool whole, touched, wrote_since_sized, synced, killed, has_data, size_is_given;
};

static uint64_t seed;

/* splitmix64: small, and the same everywhere. */
static uint64_t draw(uint64_t *x)
{
	uint64_t z = *x += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t first_seed(void)
{
	const char *given = getenv("CM4FS_TEST_SEED");

	return given ? strtoull(given, NULL, 0) : 20260101;
}

/*
 * Where things begin and end: anywhere, with a liking for the borders of sectors, blocks and
 * chunks.
 */
static uint64_t draw_place(uint64_t *x, uint64_t below)
{
	static const uint64_t grain[] = {1, 512, 4096, 65536, MIB};
	uint64_t unit = grain[draw(x) % 5];

	return below ? draw(x) % below / unit * unit : 0;
}

static uint64_t draw_length(uint64_t *x, uint64_t most)
{
	static const uint64_t usual[] = {100, 5000, 128 * KIB, 2 * MIB};
	uint64_t length = 1 + draw(x) % usual[draw(x) % 4];

	return length < most ? length : most;
}

static void change(struct model *model)
{
	model->whole = false;
	model->touched = true;
	model->killed = false;
}

static void set_size(struct model *model, uint64_t size)
{
	model->size = size;
	model->has_data &= size > 0;
	model->synced &= size > 0;
	model->size_is_given = false;
	model->wrote_since_sized = false;
	change(model);
}

static void know(struct model *model, uint64_t start, uint64_t end)
{
	for (uint64_t block = start / 4096; block < (end + 4095) / 4096; block++)
		model->known[block] = true;
}

static void step_write(struct fixture *f, struct model *model, uint64_t *x)
{
	uint64_t offset = draw(x) % 3 ? draw_place(x, DISK_SIZE) : model->size;
	uint64_t length = draw_length(x, DISK_SIZE - offset);
	const unsigned char *source = f->data + draw(x) % (FIXTURE_DATA - length);

	if (length == 0)
		return;
	assert_int_equal(do_write(f->image, offset, source, length), length);
	for (uint64_t block = (model->size + 4095) / 4096; block < offset / 4096; block++)
		model->known[block] = true;
	know(model, offset, offset + length);
	memcpy(model->bytes + offset, source, length);
	if (offset + length > model->size)
		model->size = offset + length;
	change(model);
	model->wrote_since_sized = true;
	model->synced = false;
	model->has_data = true;
}

static void step_truncate(struct fixture *f, struct model *model, uint64_t *x)
{
	uint64_t size = draw(x) % 3 ? draw_place(x, DISK_SIZE + 1) : model->size;

	assert_int_equal(do_truncate(f->image, size), 0);
	if (size == model->size) {
		model->wrote_since_sized = false;
		model->touched = true;
		return;
	}
	if (size < model->size) {
		memset(model->bytes + size, 0, model->size - size);
		for (uint64_t block = (size + 4095) / 4096; block < BLOCKS; block++)
			model->known[block] = false;
	}
	set_size(model, size);
}

static void step_zero(struct fixture *f, struct model *model, uint64_t *x)
{
	uint64_t offset = draw_place(x, DISK_SIZE), length = draw_length(x, DISK_SIZE), end;

	assert_int_equal(do_io(f->image, CM4_IO_ZERO, offset, length, NULL), 0);
	if (offset >= model->size)
		return;
	end = length < model->size - offset ? offset + length : model->size;
	memset(model->bytes + offset, 0, end - offset);
	know(model, offset, end);
	change(model);
}

static void step_allocate(struct fixture *f, struct model *model, uint64_t *x)
{
	uint64_t end = draw_place(x, DISK_SIZE + 1);

	assert_int_equal(do_io(f->image, CM4_IO_ALLOCATE, 0, end, NULL), 0);
	if (end <= model->size)
		return;
	set_size(model, end);
}

static void step_read(struct fixture *f, struct model *model, uint64_t *x)
{
	static unsigned char buffer[2 * MIB];
	uint64_t offset = draw_place(x, DISK_SIZE), length = draw_length(x, sizeof(buffer));
	uint64_t left = offset < model->size ? model->size - offset : 0;
	uint64_t expected = length < left ? length : left;

	assert_int_equal(do_io(f->image, CM4_IO_READ, offset, length, buffer), expected);
	if (memcmp(buffer, model->bytes + offset, expected) != 0)
		fail_msg("seed %llu: read of %llu bytes at %llu", (unsigned long long)seed,
			(unsigned long long)expected, (unsigned long long)offset);
}

static bool is_known(const struct model *model)
{
	for (uint64_t block = 0; block < (model->size + 4095) / 4096; block++)
		if (!model->known[block])
			return false;
	return true;
}

static void compare_medium(struct fixture *f, const struct model *model)
{
	uint64_t end = (model->size + 4095) / 4096 * 4096;

	for (uint64_t i = 0; i < end && i < DISK_SIZE; i++)
		if (f->disk->bytes[i] != model->bytes[i])
			fail_msg("seed %llu: byte %llu of %llu is %#x, not %#x",
				(unsigned long long)seed, (unsigned long long)i,
				(unsigned long long)model->size, f->disk->bytes[i],
				model->bytes[i]);
}

static void step_flush(struct fixture *f, struct model *model, uint64_t *x)
{
	bool killed = draw(x) % 8 == 0;
	bool idle = model->size == 0 || model->whole || !model->touched, promised;
	ssize_t r = killed ? do_killed_flush(f->image) : do_flush(f->image);

	if (idle) {
		assert_int_equal(r, 0);
		return;
	}
	model->killed |= killed;
	promised = !is_known(model) && model->wrote_since_sized && !model->synced;
	if (!model->killed && promised && !model->has_data) {
		assert_int_equal(r, 0);
		model->size_is_given = true;
		return;
	}
	if (model->killed || (promised && !model->size_is_given)) {
		assert_int_equal(r, -EBADMSG);
		return;
	}
	assert_int_equal(r, 0);
	model->whole = true;
	know(model, 0, model->size);
	compare_medium(f, model);
}

static void step_leave(struct fixture *f, struct model *model, uint64_t *x)
{
	fixture_close(f);
	cm4_image_open(f->image, true);
	model->touched = false;
	if (draw(x) % 4 == 0) {
		cm4_image_restart(f->image);
		*model = (struct model){0};
	}
}

static void run_flash(uint64_t x)
{
	static struct model model;
	struct fixture f;

	model = (struct model){0};
	fixture_begin(&f, CM4_IMAGE_FLASH, DISK_SIZE);
	for (int i = 0; i < STEPS; i++) {
		uint64_t kind = draw(&x) % 100;

		if (kind < 50) {
			step_write(&f, &model, &x);
		} else if (kind < 60) {
			step_truncate(&f, &model, &x);
		} else if (kind < 70) {
			step_zero(&f, &model, &x);
		} else if (kind < 73) {
			step_allocate(&f, &model, &x);
		} else if (kind < 83) {
			step_read(&f, &model, &x);
		} else if (kind < 92) {
			step_flush(&f, &model, &x);
		} else if (kind < 95) {
			step_leave(&f, &model, &x);
		} else {
			assert_int_equal(do_sync(f.image), 0);
			model.synced = true;
			model.touched = true;
		}
	}
	fixture_end(&f);
}

static void a_flash_agrees_with_an_array(void **state)
{
	seed = first_seed();
	for (int i = 0; i < ROUNDS; i++, seed++)
		run_flash(seed);
}

static void run_raw(uint64_t x)
{
	static unsigned char model[DISK_SIZE], buffer[2 * MIB];
	struct fixture f;

	memset(model, GARBAGE, sizeof(model));
	fixture_begin(&f, CM4_IMAGE_RAW, DISK_SIZE);
	for (int i = 0; i < STEPS; i++) {
		uint64_t offset = draw_place(&x, DISK_SIZE);
		uint64_t length = draw_length(&x, DISK_SIZE - offset), kind = draw(&x) % 100;
		const unsigned char *source = f.data + draw(&x) % (FIXTURE_DATA - length);

		if (kind < 50) {
			assert_int_equal(do_write(f.image, offset, source, length), length);
			memcpy(model + offset, source, length);
		} else if (kind < 60) {
			assert_int_equal(do_io(f.image, CM4_IO_ZERO, offset, length, NULL), 0);
			memset(model + offset, 0, length);
		} else if (kind < 90) {
			assert_int_equal(
				do_io(f.image, CM4_IO_READ, offset, length, buffer), length);
			assert_memory_equal(buffer, model + offset, length);
		} else if (kind < 95) {
			assert_int_equal(do_flush(f.image), 0);
			assert_memory_equal(f.disk->bytes, model, DISK_SIZE);
		} else {
			fixture_close(&f);
			assert_memory_equal(f.disk->bytes, model, DISK_SIZE);
			cm4_image_open(f.image, true);
		}
	}
	fixture_end(&f);
}

static void a_raw_disk_agrees_with_an_array(void **state)
{
	seed = first_seed();
	for (int i = 0; i < ROUNDS; i++, seed++)
		run_raw(seed);
}

/* Many at once: each has stripes of its own, which share blocks and chunks with the neighbours'. */
#define WRITERS 4
#define STRIPE	70001u
#define STRIPES (DISK_SIZE / STRIPE)

struct writer {
	pthread_t thread;
	struct fixture *f;
	uint64_t number, x;
	unsigned bad;
};

/* Whole or interrupted in the middle, and then the rest. */
static void write_stripe(struct writer *writer, uint64_t start)
{
	const unsigned char *source = writer->f->data + start;
	uint64_t done = 0;

	while (done < STRIPE) {
		uint64_t left = STRIPE - done, n = 1 + draw(&writer->x) % left;
		struct asked asked;
		ssize_t r;

		ask(&asked, writer->f->image, CM4_IO_WRITE, start + done, n,
			(void *)(source + done));
		if (draw(&writer->x) % 4 == 0)
			cm4_image_interrupt(writer->f->image, &asked.io);
		r = answer_of(&asked);
		if (r > 0)
			done += (uint64_t)r;
		else
			writer->bad += r != -EINTR;
	}
}

static void *write_stripes(void *data)
{
	struct writer *writer = data;
	unsigned char *buffer = malloc(STRIPE);
	uint64_t mine = (STRIPES - writer->number + WRITERS - 1) / WRITERS;
	uint64_t shift = draw(&writer->x) % mine;

	for (uint64_t i = 0; i < mine; i++) {
		uint64_t start = ((i + shift) % mine * WRITERS + writer->number) * STRIPE;
		struct asked asked;

		write_stripe(writer, start);
		if (draw(&writer->x) % 8 == 0) {
			ask(&asked, writer->f->image, CM4_IO_READ, start, STRIPE, buffer);
			writer->bad += answer_of(&asked) != STRIPE ||
				       memcmp(buffer, writer->f->data + start, STRIPE) != 0;
		}
		if (draw(&writer->x) % 16 == 0) {
			ask(&asked, writer->f->image, CM4_IO_SYNC, 0, 0, NULL);
			if (draw(&writer->x) % 2)
				cm4_image_interrupt(writer->f->image, &asked.io);
			answer_of(&asked);
		}
	}
	free(buffer);
	return NULL;
}

static void many_writers_at_once_lose_nothing(void **state)
{
	seed = first_seed();
	for (int round = 0; round < ROUNDS; round++, seed++) {
		enum cm4_image_mode mode = round % 2 ? CM4_IMAGE_RAW : CM4_IMAGE_FLASH;
		struct writer writers[WRITERS];
		struct fixture f;

		fixture_begin(&f, mode, DISK_SIZE);
		for (uint64_t i = 0; i < WRITERS; i++) {
			writers[i] = (struct writer){.f = &f, .number = i, .x = seed * WRITERS + i};
			pthread_create(&writers[i].thread, NULL, write_stripes, &writers[i]);
		}
		for (uint64_t i = 0; i < WRITERS; i++) {
			pthread_join(writers[i].thread, NULL);
			if (writers[i].bad)
				fail_msg("seed %llu: %u bad answers", (unsigned long long)seed,
					writers[i].bad);
		}
		assert_int_equal(do_flush(f.image), 0);
		assert_memory_equal(f.disk->bytes, f.data, STRIPES * STRIPE);
		fixture_end(&f);
	}
}

/* Whenever an abort comes, everybody is answered, and the disk is given back. */
static void an_abort_at_any_moment_leaves_nobody_waiting(void **state)
{
	seed = first_seed();
	for (int round = 0; round < 3 * ROUNDS; round++, seed++) {
		struct asked asked[24];
		struct fixture f;
		uint64_t x = seed, moment = draw(&x) % 24;
		unsigned n = 0;

		fixture_begin(&f, CM4_IMAGE_FLASH, 64 * MIB);
		for (n = 0; n < 24; n++) {
			enum cm4_io_kind kind = draw(&x) % 6 ? CM4_IO_WRITE : CM4_IO_SYNC;

			ask(&asked[n], f.image, kind, n * 2 * MIB, 2 * MIB, f.data);
			if (n == moment)
				image_abort(f.image, -ECANCELED, "cancelled");
		}
		for (n = 0; n < 24; n++) {
			ssize_t r = answer_of(&asked[n]);

			if (n > moment)
				assert_int_equal(r, -ECANCELED);
		}
		assert_int_equal(do_flush(f.image), -ECANCELED);
		fixture_end(&f);
	}
}

/* All that can be asked of an image, from all sides; only that it ends well is asked of it. */
static void *disturb(void *data)
{
	struct writer *writer = data;
	struct cm4_image *image = writer->f->image;
	unsigned char *buffer = calloc(1, MIB);

	for (int i = 0; i < 120; i++) {
		enum cm4_io_kind kind = (enum cm4_io_kind)(draw(&writer->x) % 7);
		uint64_t offset = draw_place(&writer->x, DISK_SIZE);
		uint64_t length = draw_length(&writer->x, MIB);
		struct asked asked;

		if (kind != CM4_IO_READ && draw(&writer->x) % 3)
			kind = CM4_IO_WRITE;
		if (kind == CM4_IO_TRUNCATE)
			length = offset;
		if (offset + length > DISK_SIZE)
			length = DISK_SIZE - offset;
		cm4_image_open(image, true);
		ask(&asked, image, kind, offset, length, buffer);
		if (draw(&writer->x) % 8 == 0)
			cm4_image_interrupt(image, &asked.io);
		answer_of(&asked);
		if (draw(&writer->x) % 20 == 0)
			cm4_image_restart(image);
		if (draw(&writer->x) % 40 == 0)
			image_abort(image, -ECANCELED, "cancelled");
		if (draw(&writer->x) % 40 == 0)
			image_supersede(image);
		cm4_image_close(image, true);
	}
	free(buffer);
	return NULL;
}

static void after_any_disturbance_a_new_image_is_written_as_ever(void **state)
{
	seed = first_seed();
	for (int round = 0; round < ROUNDS; round++, seed++) {
		struct writer writers[WRITERS];
		struct fixture f;

		fixture_begin(&f, CM4_IMAGE_FLASH, DISK_SIZE);
		if (round % 2)
			fixture_close(&f);
		for (uint64_t i = 0; i < WRITERS; i++) {
			writers[i] = (struct writer){.f = &f, .x = seed * WRITERS + i};
			pthread_create(&writers[i].thread, NULL, disturb, &writers[i]);
		}
		for (uint64_t i = 0; i < WRITERS; i++)
			pthread_join(writers[i].thread, NULL);

		if (round % 2)
			cm4_image_open(f.image, true);
		cm4_image_restart(f.image);
		assert_int_equal(do_write(f.image, 5000, f.data, 3 * MIB), 3 * MIB);
		assert_int_equal(do_flush(f.image), 0);
		assert_filled(f.disk->bytes, 5000, 0);
		assert_memory_equal(f.disk->bytes + 5000, f.data, 3 * MIB);
		fixture_end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flash_agrees_with_an_array),
		cmocka_unit_test(a_raw_disk_agrees_with_an_array),
		cmocka_unit_test(many_writers_at_once_lose_nothing),
		cmocka_unit_test(after_any_disturbance_a_new_image_is_written_as_ever),
		cmocka_unit_test(an_abort_at_any_moment_leaves_nobody_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
