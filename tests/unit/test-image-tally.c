#include "image-fixture.h"

#include "sidecar/bmap.h"
#include "sidecar/digest.h"

/* What is reckoned as an image passes, and what a bmap leaves out (image/tally.h). */

#define SIZE  (8 * MIB)
#define BLOCK 4096
#define AREA  (MIB / BLOCK) /* blocks */

struct story {
	struct fixture f;
	struct bmap *bmap;
};

/* The image's MiB 0, 2 and 5 to 6 are in it. */
static const uint64_t areas[][2] = {{0, 1}, {2, 3}, {5, 7}};

static void sum(const unsigned char *data, size_t n, unsigned char *ret_sum)
{
	struct digest *digest;

	assert_int_equal(digest_new("SHA256", &digest), 0);
	digest_update(digest, data, n);
	assert_int_equal(digest_final(digest, ret_sum), 0);
	digest_free(digest);
}

static struct bmap *make_bmap(const unsigned char *data)
{
	struct bmap *bmap = calloc(1, sizeof(*bmap));

	atomic_init(&bmap->refs, 1);
	bmap->image_size = SIZE;
	bmap->block_size = BLOCK;
	bmap->n_blocks = SIZE / BLOCK;
	bmap->digest = "SHA256";
	bmap->sum_size = 32;
	bmap->n_ranges = 3;
	bmap->ranges = calloc(3, sizeof(bmap->ranges[0]));
	for (size_t i = 0; i < 3; i++) {
		uint64_t first = areas[i][0], end = areas[i][1];

		bmap->ranges[i] = (struct bmap_range){
			.first = first * AREA, .end = end * AREA, .has_sum = true};
		sum(data + first * MIB, (end - first) * MIB, bmap->ranges[i].sum);
		bmap->n_mapped += (end - first) * AREA;
	}
	return bmap;
}

static void begin(struct story *s)
{
	const struct image_policy policy = {.verify = CM4_VERIFY_READBACK};

	fixture_begin_with(&s->f, CM4_IMAGE_FLASH, 16 * MIB, &policy);
	fixture_make_image(&s->f, SIZE);
	s->bmap = make_bmap(s->f.data);
}

static void end(struct story *s)
{
	bmap_unref(s->bmap);
	fixture_end(&s->f);
}

static void write_all(struct story *s)
{
	for (uint64_t at = 0; at < SIZE; at += 100000)
		do_write(s->f.image, at, s->f.data + at, SIZE - at < 100000 ? SIZE - at : 100000);
}

static void only_what_is_mapped_is_on_the_medium(struct story *s)
{
	for (uint64_t i = 0; i < SIZE / MIB; i++) {
		bool mapped = i == 0 || i == 2 || i == 5 || i == 6;

		if (mapped)
			assert_memory_equal(s->f.disk->medium + i * MIB, s->f.data + i * MIB, MIB);
		else
			assert_filled(s->f.disk->medium + i * MIB, MIB, GARBAGE);
	}
}

static void blocks_that_a_bmap_leaves_out_stay_as_they_were(void **state)
{
	struct cm4_image_status status;
	unsigned char hash[32];
	struct story s;

	begin(&s);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	write_all(&s);
	assert_int_equal(do_flush(s.f.image), 0);
	only_what_is_mapped_is_on_the_medium(&s);
	image_status(s.f.image, &status);
	sum(s.f.data, SIZE, hash);
	assert_true(status.whole && status.has_sha256_raw);
	assert_memory_equal(status.sha256_raw, hash, 32);
	assert_int_equal(do_io(s.f.image, CM4_IO_VERIFY, 0, 0, NULL), 0);
	end(&s);
}

static void other_bytes_than_the_bmap_s_fail_as_they_pass(void **state)
{
	struct story s;

	begin(&s);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	s.f.data[2 * MIB + 5] ^= 1;
	assert_int_equal(do_write(s.f.image, 0, s.f.data, 2 * MIB), 2 * MIB);
	assert_int_equal(do_sync(s.f.image), 0);
	assert_int_equal(do_write(s.f.image, 2 * MIB, s.f.data + 2 * MIB, 2 * MIB), -EBADMSG);
	assert_int_equal(do_flush(s.f.image), -EBADMSG);
	assert_non_null(strstr(last_told(s.f.owner, IMAGE_FAILED).text, "the bmap's checksum"));
	assert_filled(s.f.disk->medium, MIB, 0);
	end(&s);
}

static void other_bytes_where_no_mapped_block_is_do_not_matter(void **state)
{
	struct story s;

	begin(&s);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	s.f.data[3 * MIB + 5] ^= 1;
	write_all(&s);
	assert_int_equal(do_flush(s.f.image), 0);
	only_what_is_mapped_is_on_the_medium(&s);
	end(&s);
}

static void write_backwards(struct story *s)
{
	for (uint64_t at = SIZE; at > 0; at -= MIB)
		assert_int_equal(do_write(s->f.image, at - MIB, s->f.data + at - MIB, MIB), MIB);
}

static void what_came_out_of_order_is_read_from_the_disk(void **state)
{
	struct story s;

	begin(&s);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	write_backwards(&s);
	assert_int_equal(do_flush(s.f.image), 0);
	only_what_is_mapped_is_on_the_medium(&s);
	end(&s);
}

static void and_found_out_there(void **state)
{
	struct story s;

	begin(&s);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	s.f.data[6 * MIB + 5] ^= 1;
	write_backwards(&s);
	assert_int_equal(do_flush(s.f.image), -EBADMSG);
	assert_filled(s.f.disk->medium, MIB, 0);
	end(&s);
}

static void a_bmap_may_come_in_the_middle(void **state)
{
	struct story s;

	begin(&s);
	assert_int_equal(do_write(s.f.image, 0, s.f.data, 2 * MIB + 7), 2 * MIB + 7);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	for (uint64_t at = 2 * MIB + 7; at < SIZE; at += 100000)
		do_write(s.f.image, at, s.f.data + at, SIZE - at < 100000 ? SIZE - at : 100000);
	assert_int_equal(do_flush(s.f.image), 0);
	assert_memory_equal(s.f.disk->medium, s.f.data, 3 * MIB);
	assert_filled(s.f.disk->medium + 3 * MIB, 2 * MIB, GARBAGE);
	end(&s);
}

static void a_range_without_a_checksum_is_not_compared(void **state)
{
	struct story s;

	begin(&s);
	s.bmap->ranges[1].has_sum = false;
	memset(s.bmap->ranges[1].sum, 0, sizeof(s.bmap->ranges[1].sum));
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	write_all(&s);
	assert_int_equal(do_flush(s.f.image), 0);
	only_what_is_mapped_is_on_the_medium(&s);
	end(&s);
}

/* At the close, while what came out of order is read from the disk. @next: what the medium is to be judged by. */
static ssize_t close_with_another_bmap(struct story *s, struct bmap *next)
{
	struct asked flush;

	assert_int_equal(image_set_bmap(s->f.image, s->bmap), 0);
	write_backwards(s);
	assert_int_equal(do_sync(s->f.image), 0);
	disk_hold_reads(s->f.disk, MIB);
	ask(&flush, s->f.image, CM4_IO_FLUSH, 0, 0, NULL);
	disk_await_transfer(s->f.disk);
	assert_int_equal(image_set_bmap(s->f.image, next), 0);
	disk_hold_reads(s->f.disk, 0);
	return answer_of(&flush);
}

static void a_bmap_may_make_way_for_another_during_the_close(void **state)
{
	struct bmap *next;
	struct story s;

	begin(&s);
	next = make_bmap(s.f.data);
	assert_int_equal(close_with_another_bmap(&s, next), 0);
	only_what_is_mapped_is_on_the_medium(&s);
	bmap_unref(next);
	end(&s);
}

static void and_the_other_one_is_looked_at(void **state)
{
	struct bmap *next;
	struct story s;

	begin(&s);
	next = make_bmap(s.f.data);
	next->ranges[0].sum[0] ^= 1;
	assert_int_equal(close_with_another_bmap(&s, next), -EBADMSG);
	assert_filled(s.f.disk->medium, MIB, 0);
	bmap_unref(next);
	end(&s);
}

/* The one that is there at the end has to be true, and it has no checksums to show that bytes are missing. */
static void what_a_bmap_left_out_is_not_there_for_the_next(void **state)
{
	struct story s;
	struct bmap *small;

	begin(&s);
	small = make_bmap(s.f.data);
	small->n_ranges = 1;
	s.bmap->digest = NULL;
	for (size_t i = 0; i < 3; i++)
		s.bmap->ranges[i].has_sum = false;
	assert_int_equal(image_set_bmap(s.f.image, small), 0);
	assert_int_equal(do_write(s.f.image, 0, s.f.data, 4 * MIB), 4 * MIB);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	assert_int_equal(
		do_write(s.f.image, 4 * MIB, s.f.data + 4 * MIB, SIZE - 4 * MIB), SIZE - 4 * MIB);
	assert_int_equal(do_flush(s.f.image), -EBADMSG);
	assert_filled(s.f.disk->medium, MIB, 0);
	bmap_unref(small);
	end(&s);
}

static void nor_where_there_is_no_bmap_any_more(void **state)
{
	struct story s;

	begin(&s);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	assert_int_equal(do_write(s.f.image, 0, s.f.data, 4 * MIB), 4 * MIB);
	assert_int_equal(image_set_bmap(s.f.image, NULL), 0);
	assert_int_equal(
		do_write(s.f.image, 4 * MIB, s.f.data + 4 * MIB, SIZE - 4 * MIB), SIZE - 4 * MIB);
	assert_int_equal(do_flush(s.f.image), -EBADMSG);
	assert_filled(s.f.disk->medium, MIB, 0);
	end(&s);
}

static void unless_it_comes_once_more(void **state)
{
	struct story s;

	begin(&s);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	assert_int_equal(do_write(s.f.image, 0, s.f.data, 4 * MIB), 4 * MIB);
	assert_int_equal(image_set_bmap(s.f.image, NULL), 0);
	assert_int_equal(do_write(s.f.image, 0, s.f.data, SIZE), SIZE);
	assert_int_equal(do_flush(s.f.image), 0);
	assert_memory_equal(s.f.disk->medium, s.f.data, SIZE);
	end(&s);
}

/* qemu-img's way to begin: a block of zeros, a close, and then all of it. */
static void zeros_that_come_before_all_else_are_not_its_last_word(void **state)
{
	static const unsigned char zeros[BLOCK];
	struct story s;

	begin(&s);
	s.bmap->ranges[0].end = 1;
	sum(s.f.data, BLOCK, s.bmap->ranges[0].sum);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	assert_int_equal(do_truncate(s.f.image, SIZE), 0);
	assert_int_equal(do_write(s.f.image, 0, zeros, BLOCK), BLOCK);
	assert_int_equal(do_flush(s.f.image), 0);
	write_all(&s);
	assert_int_equal(do_flush(s.f.image), 0);
	end(&s);
}

static void a_mapped_block_that_was_leapt_over_is_zeros(void **state)
{
	struct story s;

	begin(&s);
	memset(s.f.data + 5 * MIB + BLOCK, 0, MIB);
	bmap_unref(s.bmap);
	s.bmap = make_bmap(s.f.data);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	assert_int_equal(do_write(s.f.image, 0, s.f.data, 5 * MIB + BLOCK), 5 * MIB + BLOCK);
	assert_int_equal(
		do_write(s.f.image, 6 * MIB + BLOCK, s.f.data + 6 * MIB + BLOCK, 2 * MIB - BLOCK),
		2 * MIB - BLOCK);
	assert_int_equal(do_truncate(s.f.image, SIZE), 0);
	assert_int_equal(do_flush(s.f.image), 0);
	only_what_is_mapped_is_on_the_medium(&s);
	end(&s);
}

static void an_image_of_another_size_is_another_image(void **state)
{
	struct story s;

	begin(&s);
	assert_int_equal(image_set_bmap(s.f.image, s.bmap), 0);
	write_all(&s);
	assert_int_equal(do_write(s.f.image, SIZE, s.f.data, 512), 512);
	assert_int_equal(do_flush(s.f.image), -EBADMSG);
	assert_non_null(
		strstr(last_told(s.f.owner, IMAGE_FAILED).text, "the bmap is of an image of"));
	assert_filled(s.f.disk->medium, MIB, 0);
	end(&s);
}

static void the_sum_of_the_raw_image_knows_what_it_does_not_know(void **state)
{
	struct cm4_image_status status;
	unsigned char hash[32];
	struct story s;

	begin(&s);
	write_backwards(&s);
	assert_int_equal(do_flush(s.f.image), 0);
	image_status(s.f.image, &status);
	assert_false(status.has_sha256_raw);

	/* All of it once more, from the beginning on: now it does. */
	write_all(&s);
	assert_int_equal(do_flush(s.f.image), 0);
	image_status(s.f.image, &status);
	sum(s.f.data, SIZE, hash);
	assert_true(status.has_sha256_raw);
	assert_memory_equal(status.sha256_raw, hash, 32);
	end(&s);
}

static void zeros_that_were_leapt_over_are_in_the_sum(void **state)
{
	struct cm4_image_status status;
	unsigned char hash[32];
	struct story s;

	begin(&s);
	memset(s.f.data + 3 * MIB + 10, 0, MIB);
	memset(s.f.data + 7 * MIB, 0, MIB);
	assert_int_equal(do_write(s.f.image, 0, s.f.data, 3 * MIB + 10), 3 * MIB + 10);
	assert_int_equal(do_write(s.f.image, 4 * MIB + 10, s.f.data + 4 * MIB + 10, 3 * MIB - 10),
		3 * MIB - 10);
	assert_int_equal(do_truncate(s.f.image, SIZE), 0);
	assert_int_equal(do_flush(s.f.image), 0);
	image_status(s.f.image, &status);
	sum(s.f.data, SIZE, hash);
	assert_true(status.has_sha256_raw);
	assert_memory_equal(status.sha256_raw, hash, 32);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_that_a_bmap_leaves_out_stay_as_they_were),
		cmocka_unit_test(other_bytes_than_the_bmap_s_fail_as_they_pass),
		cmocka_unit_test(other_bytes_where_no_mapped_block_is_do_not_matter),
		cmocka_unit_test(what_came_out_of_order_is_read_from_the_disk),
		cmocka_unit_test(and_found_out_there),
		cmocka_unit_test(a_bmap_may_come_in_the_middle),
		cmocka_unit_test(a_range_without_a_checksum_is_not_compared),
		cmocka_unit_test(a_bmap_may_make_way_for_another_during_the_close),
		cmocka_unit_test(and_the_other_one_is_looked_at),
		cmocka_unit_test(what_a_bmap_left_out_is_not_there_for_the_next),
		cmocka_unit_test(nor_where_there_is_no_bmap_any_more),
		cmocka_unit_test(unless_it_comes_once_more),
		cmocka_unit_test(zeros_that_come_before_all_else_are_not_its_last_word),
		cmocka_unit_test(a_mapped_block_that_was_leapt_over_is_zeros),
		cmocka_unit_test(an_image_of_another_size_is_another_image),
		cmocka_unit_test(the_sum_of_the_raw_image_knows_what_it_does_not_know),
		cmocka_unit_test(zeros_that_were_leapt_over_are_in_the_sum),
	};

	return cmocka_run_group_tests_name("image-tally", tests, NULL, NULL);
}
