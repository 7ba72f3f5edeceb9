#include "image-fixture.h"

/* What goes in comes out: writes of every kind, holes, reading back, the order of things said. */

static void write_all(struct fixture *f, uint64_t size, uint64_t piece)
{
	for (uint64_t at = 0; at < size; at += piece) {
		uint64_t n = size - at < piece ? size - at : piece;

		assert_int_equal(do_write(f->image, at, f->data + at, n), n);
	}
}

static void a_copied_image_is_on_the_medium_when_close_returns(void **state)
{
	const uint64_t size = 20 * MIB + 1234;
	struct cm4_image_status status;
	struct cm4_image_attr attr;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 40 * MIB);
	write_all(&f, size, 128 * KIB);
	cm4_image_getattr(f.image, &attr);
	assert_int_equal(attr.size, size);
	assert_true(attr.writing);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 1);

	assert_memory_equal(f.disk->bytes, f.data, size);
	assert_filled(f.disk->bytes + size, 4096 - size % 4096, 0);
	assert_filled(f.disk->bytes + 21 * MIB, MIB, GARBAGE);
	assert_true(f.disk->syncs > 0);

	image_status(f.image, &status);
	assert_int_equal(status.bytes_in, size);
	assert_int_equal(status.bytes_written, (size + 4095) / 4096 * 4096);
	assert_int_equal(status.bytes_total, size);
	assert_true(status.whole);
	cm4_image_getattr(f.image, &attr);
	assert_false(attr.writing);

	fixture_close(&f);
	cm4_image_open(f.image, true);
	await_told(f.owner, IMAGE_CLOSED, 1);
	assert_int_equal(f.owner->told[0].event, IMAGE_BEGAN);
	assert_int_equal(f.owner->told[1].event, IMAGE_CHANGES);
	assert_int_equal(f.owner->told[2].event, IMAGE_WHOLE);
	assert_int_equal(f.owner->told[3].event, IMAGE_CLOSED);
	assert_int_equal(told_times(f.owner, IMAGE_INCOMPLETE), 0);
	fixture_end(&f);
}

static void nothing_happens_before_the_first_byte(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 4 * MIB);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(do_sync(f.image), 0);
	assert_int_equal(do_truncate(f.image, 0), 0);
	assert_int_equal(do_write(f.image, 100, f.data, 0), 0);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, 4096, f.data), 0);
	assert_int_equal(do_killed_flush(f.image), 0);
	fixture_close(&f);
	cm4_image_open(f.image, true);
	assert_int_equal(f.owner->times_wanted, 0);
	assert_int_equal(f.owner->n_told, 0);
	fixture_end(&f);
}

static void while_the_disk_is_busy_a_write_is_taken_at_once(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 40 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 512), 512);
	disk_hold(f.disk, true);
	/* The head and 16 MiB are taken without the disk, and not one byte more. */
	assert_int_equal(do_write(f.image, 512, f.data + 512, 17 * MIB - 512), 17 * MIB - 512);
	disk_await_transfer(f.disk);

	struct asked more;

	ask(&more, f.image, CM4_IO_WRITE, 17 * MIB, 4 * MIB, f.data + 17 * MIB);
	assert_false(is_answered(&more));
	disk_hold(f.disk, false);
	assert_int_equal(answer_of(&more), 4 * MIB);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->bytes, f.data, 21 * MIB);
	fixture_end(&f);
}

static void full_chunks_go_out_four_at_a_time(void **state)
{
	struct fixture f;
	bool whole_runs = true;

	fixture_begin(&f, CM4_IMAGE_FLASH, 40 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, MIB), MIB);
	disk_hold(f.disk, true);
	write_all(&f, 16 * MIB, MIB);
	disk_hold(f.disk, false);
	assert_int_equal(do_flush(f.image), 0);
	for (size_t i = 0; i < f.disk->n_writes; i++)
		whole_runs &= f.disk->writes[i].offset < MIB || f.disk->writes[i].size % MIB == 0;
	assert_true(whole_runs);
	/* Three of them are the start's: wiped, written, its first block. */
	assert_true(f.disk->n_writes <= 3 + 7);
	assert_int_equal(f.disk->reads, 0);
	fixture_end(&f);
}

static void write_fours(struct fixture *f, uint64_t shift)
{
	static const uint64_t order[] = {3, 1, 0, 2};

	for (uint64_t i = 0; i < 24; i++) {
		uint64_t at = shift + (i / 4 * 4 + order[i % 4]) * MIB;

		assert_int_equal(do_write(f->image, at, f->data + at, MIB), MIB);
	}
}

/* dd oflag=direct: four parallel writes of 1 MiB, in any order. */
static void writes_out_of_order_neither_read_nor_write_twice(void **state)
{
	struct cm4_image_status status;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 40 * MIB);
	write_fours(&f, 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->bytes, f.data, 24 * MIB);
	image_status(f.image, &status);
	assert_int_equal(status.bytes_written, 24 * MIB);
	assert_int_equal(f.disk->reads, 0);
	fixture_end(&f);
}

/* A block of two halves that come far apart may cost one transfer more, but no byte. */
static void writes_out_of_order_may_be_unaligned(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 40 * MIB);
	assert_int_equal(do_write(f.image, 0, f.data, 512), 512);
	write_fours(&f, 512);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->bytes, f.data, 24 * MIB + 512);
	fixture_end(&f);
}

static void a_second_write_lands_on_top_of_the_first(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	assert_int_equal(do_write(f.image, MIB, f.data, MIB), MIB);
	disk_hold(f.disk, true);
	assert_int_equal(do_write(f.image, MIB, f.data, MIB), MIB);
	disk_await_transfer(f.disk);
	/* In flight now; these must come after it, in their order. */
	assert_int_equal(do_write(f.image, MIB + 100, f.data + MIB, 1000), 1000);
	assert_int_equal(do_write(f.image, MIB + 600, f.data + 2 * MIB, 100), 100);
	disk_hold(f.disk, false);
	assert_int_equal(do_flush(f.image), 0);

	memcpy(f.data + 100, f.data + MIB, 1000);
	memcpy(f.data + 600, f.data + 2 * MIB, 100);
	assert_memory_equal(f.disk->bytes + MIB, f.data, MIB);
	fixture_end(&f);
}

/* More places than a chunk keeps apart, and than there are chunks. */
static void scattered_small_writes_are_all_there(void **state)
{
	static unsigned char model[8 * MIB];
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 64 * MIB);
	memset(model, 0, sizeof(model));
	for (uint64_t i = 0; i < 2000; i++) {
		uint64_t at = i * 7919 * 13 % (sizeof(model) - 100);

		assert_int_equal(do_write(f.image, at, f.data + at, 100), 100);
		memcpy(model + at, f.data + at, 100);
	}
	assert_int_equal(do_truncate(f.image, sizeof(model)), 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->bytes, model, sizeof(model));
	fixture_end(&f);
}

static void holes_and_tails_are_zeros_on_the_medium(void **state)
{
	struct cm4_image_status status;
	struct cm4_image_attr attr;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 32 * MIB);
	assert_int_equal(do_write(f.image, 1000, f.data, 1000), 1000);
	assert_int_equal(do_write(f.image, 9 * MIB + 5, f.data, 1000), 1000);
	cm4_image_getattr(f.image, &attr);
	assert_int_equal(attr.size, 9 * MIB + 1005);
	assert_int_equal(attr.blocks, 16);
	assert_int_equal(do_truncate(f.image, 20 * MIB + 77), 0);
	image_status(f.image, &status);
	assert_int_equal(status.bytes_total, 20 * MIB + 77);
	assert_int_equal(do_flush(f.image), 0);

	assert_filled(f.disk->bytes, 1000, 0);
	assert_memory_equal(f.disk->bytes + 1000, f.data, 1000);
	assert_filled(f.disk->bytes + 2000, 9 * MIB + 5 - 2000, 0);
	assert_memory_equal(f.disk->bytes + 9 * MIB + 5, f.data, 1000);
	assert_filled(f.disk->bytes + 9 * MIB + 1005, 11 * MIB + 77 - 1005, 0);
	assert_filled(f.disk->bytes + 20 * MIB + 4096, MIB, GARBAGE);

	/* Once is enough. */
	size_t writes = f.disk->n_writes;
	unsigned syncs = f.disk->syncs;

	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(do_sync(f.image), 0);
	assert_int_equal(f.disk->n_writes, writes);
	assert_int_equal(f.disk->syncs, syncs);
	fixture_end(&f);
}

static void what_was_punched_or_cut_off_does_not_come_back(void **state)
{
	unsigned char *buffer = malloc(8 * MIB);
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 32 * MIB);
	write_all(&f, 8 * MIB, MIB);
	assert_int_equal(do_io(f.image, CM4_IO_ZERO, MIB + 10, 2 * MIB, NULL), 0);
	assert_int_equal(do_write(f.image, 2 * MIB + 3, f.data, 10), 10);
	assert_int_equal(do_truncate(f.image, 5 * MIB + 100), 0);
	assert_int_equal(do_truncate(f.image, 7 * MIB), 0);

	memset(f.data + MIB + 10, 0, 2 * MIB);
	memcpy(f.data + 2 * MIB + 3, f.data, 10);
	memset(f.data + 5 * MIB + 100, 0, 2 * MIB);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, 8 * MIB, buffer), 7 * MIB);
	assert_memory_equal(buffer, f.data, 7 * MIB);
	assert_int_equal(do_flush(f.image), 0);
	assert_memory_equal(f.disk->bytes, f.data, 7 * MIB);
	free(buffer);
	fixture_end(&f);
}

static void the_end_of_an_odd_disk_can_be_written(void **state)
{
	const uint64_t size = 3 * MIB + 7 * 512;
	unsigned char sector[512];
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, size);
	assert_int_equal(do_write(f.image, size - 10, f.data, 10), 10);
	assert_int_equal(do_flush(f.image), 0);
	assert_filled(f.disk->bytes, size - 10, 0);
	assert_memory_equal(f.disk->bytes + size - 10, f.data, 10);
	assert_int_equal(do_io(f.image, CM4_IO_READ, size - 512, 4096, sector), 512);
	assert_memory_equal(sector, f.disk->bytes + size - 512, 512);
	fixture_end(&f);

	fixture_begin(&f, CM4_IMAGE_FLASH, size);
	assert_int_equal(do_truncate(f.image, size), 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_filled(f.disk->bytes, size, 0);
	fixture_end(&f);
}

static void an_image_is_read_back_from_the_disk_after_the_last_close(void **state)
{
	unsigned char *buffer = malloc(MIB);
	struct fixture f;
	unsigned writable;

	fixture_begin(&f, CM4_IMAGE_FLASH, 32 * MIB);
	write_all(&f, 12 * MIB + 99, 64 * KIB);
	assert_int_equal(do_flush(f.image), 0);
	fixture_close(&f);

	cm4_image_open(f.image, false);
	for (uint64_t at = 0; at < 12 * MIB + 99;) {
		ssize_t n = do_io(f.image, CM4_IO_READ, at, 100 * KIB, buffer);

		assert_true(n > 0);
		assert_memory_equal(buffer, f.data + at, n);
		at += (uint64_t)n;
	}
	assert_int_equal(do_flush(f.image), 0);
	writable = f.disk->writable;
	assert_false(writable);
	/* By windows, not by reads. */
	assert_true(f.disk->reads <= 14);
	cm4_image_close(f.image, false);
	assert_int_equal(told_times(f.owner, IMAGE_BEGAN), 1);
	cm4_image_open(f.image, true);
	fixture_end(&f);
	free(buffer);
}

static void one_who_reads_in_order_is_read_ahead_of(void **state)
{
	unsigned char *buffer = malloc(MIB);
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_RAW, 8 * MIB);
	memcpy(f.disk->bytes, f.data, 8 * MIB);
	for (uint64_t at = 0; at < 512 * KIB; at += 128 * KIB)
		assert_int_equal(do_io(f.image, CM4_IO_READ, at, 128 * KIB, buffer), 128 * KIB);
	{
		LOCKED(&f.disk->lock);
		AWAIT(&f.disk->lock, &f.disk->moved, f.disk->reads == 2);
	}
	/* This waits for the window that is in the making, and does not go on in order. */
	assert_int_equal(do_io(f.image, CM4_IO_READ, MIB, 1, buffer), 1);
	disk_hold(f.disk, true);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 700 * KIB, MIB, buffer), MIB);
	assert_memory_equal(buffer, f.data + 700 * KIB, MIB);
	disk_hold(f.disk, false);

	/* What is written in between is seen. */
	assert_int_equal(do_write(f.image, 800 * KIB, f.data, 100), 100);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 800 * KIB, 100, buffer), 100);
	assert_memory_equal(buffer, f.data, 100);
	free(buffer);
	fixture_end(&f);
}

static void one_who_reads_here_and_there_gets_no_more_than_he_asks_for(void **state)
{
	unsigned char buffer[512];
	struct asked near;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_RAW, 8 * MIB);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 5 * MIB + 5, 512, buffer), 512);
	disk_hold(f.disk, true);
	ask(&near, f.image, CM4_IO_READ, 5 * MIB + 8192, 512, buffer);
	disk_await_transfer(f.disk);
	assert_false(is_answered(&near));
	disk_hold(f.disk, false);
	assert_int_equal(answer_of(&near), 512);
	fixture_end(&f);
}

static void a_write_after_reading_asks_for_the_disk_again(void **state)
{
	unsigned char buffer[512];
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	write_all(&f, 2 * MIB, MIB);
	assert_int_equal(do_flush(f.image), 0);
	fixture_close(&f);

	cm4_image_open(f.image, true);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 100, 512, buffer), 512);
	assert_false(f.disk->writable);
	assert_int_equal(do_write(f.image, 100, f.data + 3 * MIB, 512), 512);
	assert_true(f.disk->writable);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 100, 512, buffer), 512);
	assert_memory_equal(buffer, f.data + 3 * MIB, 512);
	assert_int_equal(told_times(f.owner, IMAGE_BEGAN), 2);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 2);
	fixture_end(&f);
}

static void a_new_start_forgets_everything(void **state)
{
	struct cm4_image_attr attr;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 32 * MIB);
	write_all(&f, 9 * MIB, MIB);
	cm4_image_restart(f.image);
	cm4_image_getattr(f.image, &attr);
	assert_int_equal(attr.size, 0);
	assert_int_equal(attr.blocks, 0);
	assert_int_equal(do_flush(f.image), 0);
	assert_int_equal(told_times(f.owner, IMAGE_WHOLE), 0);
	assert_int_equal(do_write(f.image, 10, f.data, 10), 10);
	assert_int_equal(told_times(f.owner, IMAGE_BEGAN), 2);
	assert_int_equal(do_flush(f.image), 0);
	assert_filled(f.disk->bytes, 10, 0);
	assert_memory_equal(f.disk->bytes + 10, f.data, 10);
	assert_filled(f.disk->bytes + 20, 4076, 0);
	fixture_end(&f);
}

static void a_superseded_image_has_no_bytes_any_more(void **state)
{
	unsigned char buffer[512];
	struct cm4_image_attr attr;
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_FLASH, 8 * MIB);
	write_all(&f, MIB, MIB);
	assert_int_equal(do_flush(f.image), 0);
	fixture_close(&f);
	cm4_image_open(f.image, true);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, 512, buffer), 512);
	image_supersede(f.image);
	/* It has the disk for reading, and must let go of it. */
	await_told(f.owner, IMAGE_CLOSED, 2);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 0, 512, buffer), -ESTALE);
	assert_int_equal(do_write(f.image, 0, f.data, 512), -ESTALE);
	assert_int_equal(do_flush(f.image), 0);
	cm4_image_getattr(f.image, &attr);
	assert_true(attr.superseded);
	assert_int_equal(attr.size, MIB);
	cm4_image_restart(f.image);
	assert_int_equal(do_write(f.image, 0, f.data, 512), 512);
	assert_int_equal(do_flush(f.image), 0);
	fixture_end(&f);
}

static void the_raw_disk_is_as_it_is(void **state)
{
	const uint64_t size = 4 * MIB + 3 * 512;
	unsigned char buffer[5000];
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_RAW, size);
	assert_int_equal(do_io(f.image, CM4_IO_READ, 777, 5000, buffer), 5000);
	assert_filled(buffer, 5000, GARBAGE);
	assert_int_equal(do_write(f.image, 5, f.data, 10), 10);
	assert_int_equal(do_write(f.image, size - 10, f.data, 100), 10);
	assert_int_equal(do_write(f.image, size, f.data, 1), -ENOSPC);
	assert_int_equal(do_io(f.image, CM4_IO_READ, size - 20, 5000, buffer), 20);
	assert_filled(buffer, 10, GARBAGE);
	assert_memory_equal(buffer + 10, f.data, 10);
	assert_int_equal(do_io(f.image, CM4_IO_READ, size, 5000, buffer), 0);
	assert_int_equal(do_io(f.image, CM4_IO_ZERO, 100000, 70000, NULL), 0);
	assert_int_equal(do_io(f.image, CM4_IO_ZERO, size + 1, 1, NULL), -EINVAL);
	assert_int_equal(do_truncate(f.image, size), 0);
	assert_int_equal(do_truncate(f.image, 0), -EINVAL);
	assert_int_equal(do_io(f.image, CM4_IO_ALLOCATE, 0, size, NULL), 0);
	assert_int_equal(do_io(f.image, CM4_IO_ALLOCATE, 1, size, NULL), -ENOSPC);
	assert_int_equal(do_flush(f.image), 0);

	assert_filled(f.disk->bytes, 5, GARBAGE);
	assert_memory_equal(f.disk->bytes + 5, f.data, 10);
	assert_filled(f.disk->bytes + 15, 100000 - 15, GARBAGE);
	assert_filled(f.disk->bytes + 100000, 70000, 0);
	assert_filled(f.disk->bytes + 170000, size - 10 - 170000, GARBAGE);
	assert_memory_equal(f.disk->bytes + size - 10, f.data, 10);
	/* It was open for both, so it was asked for once. */
	assert_int_equal(f.owner->times_wanted, 1);
	fixture_close(&f);
	cm4_image_open(f.image, true);
	await_told(f.owner, IMAGE_CLOSED, 1);
	assert_int_equal(f.owner->n_told, 1);
	fixture_end(&f);
}

static void a_raw_disk_left_without_a_sync_is_written_out(void **state)
{
	struct fixture f;

	fixture_begin(&f, CM4_IMAGE_RAW, 4 * MIB);
	assert_int_equal(do_write(f.image, 5000, f.data, 100), 100);
	fixture_close(&f);
	assert_memory_equal(f.disk->bytes + 5000, f.data, 100);
	assert_int_equal(f.disk->syncs, 1);
	cm4_image_open(f.image, true);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copied_image_is_on_the_medium_when_close_returns),
		cmocka_unit_test(nothing_happens_before_the_first_byte),
		cmocka_unit_test(while_the_disk_is_busy_a_write_is_taken_at_once),
		cmocka_unit_test(full_chunks_go_out_four_at_a_time),
		cmocka_unit_test(writes_out_of_order_neither_read_nor_write_twice),
		cmocka_unit_test(writes_out_of_order_may_be_unaligned),
		cmocka_unit_test(a_second_write_lands_on_top_of_the_first),
		cmocka_unit_test(scattered_small_writes_are_all_there),
		cmocka_unit_test(holes_and_tails_are_zeros_on_the_medium),
		cmocka_unit_test(what_was_punched_or_cut_off_does_not_come_back),
		cmocka_unit_test(the_end_of_an_odd_disk_can_be_written),
		cmocka_unit_test(an_image_is_read_back_from_the_disk_after_the_last_close),
		cmocka_unit_test(one_who_reads_in_order_is_read_ahead_of),
		cmocka_unit_test(one_who_reads_here_and_there_gets_no_more_than_he_asks_for),
		cmocka_unit_test(a_write_after_reading_asks_for_the_disk_again),
		cmocka_unit_test(a_new_start_forgets_everything),
		cmocka_unit_test(a_superseded_image_has_no_bytes_any_more),
		cmocka_unit_test(the_raw_disk_is_as_it_is),
		cmocka_unit_test(a_raw_disk_left_without_a_sync_is_written_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
