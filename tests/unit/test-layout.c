#include "layout-fixture.h"

#include "scratch.h"

/* Images as they are really made: by sfdisk and fdisk, mkfs and mkswap. */

static struct scratch scratch;

struct file {
	int fd;
	uint64_t size;
};

static int file_read(void *data, void *buffer, size_t size, uint64_t offset)
{
	struct file *file = data;

	assert_true(size <= file->size && offset <= file->size - size);
	return pread(file->fd, buffer, size, (off_t)offset) == (ssize_t)size ? 0 : -EIO;
}

/* The image as far as it goes, less the last @missing bytes. */
static struct layout probe_without(uint64_t missing)
{
	struct file file = {.fd = open(scratch_path(&scratch, "image"), O_RDONLY | O_CLOEXEC)};
	struct layout_source source = {.read = file_read, .data = &file};
	struct layout layout;
	struct stat st;

	assert_true(file.fd >= 0);
	assert_int_equal(fstat(file.fd, &st), 0);
	assert_true(missing <= (uint64_t)st.st_size);
	source.size = file.size = (uint64_t)st.st_size - missing;
	assert_int_equal(layout_probe(&source, &layout), 0);
	close(file.fd);
	return layout;
}

static struct layout probe(void)
{
	return probe_without(0);
}

/* An image of @size zeros, and a shell's command on it: "$image". Skips where it lacks @program. */
static void make(uint64_t size, const char *program, const char *arguments)
{
	char command[1024];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	if (system(command) != 0) {
		print_message("%s is not installed\n", program);
		skip();
	}
	scratch_write(&scratch, "image", "", 0);
	assert_int_equal(truncate(scratch_path(&scratch, "image"), (off_t)size), 0);
	setenv("image", scratch_path(&scratch, "image"), 1);
	snprintf(command, sizeof(command), "{ %s %s\n} >/dev/null 2>&1", program, arguments);
	assert_int_equal(system(command), 0);
}

static void an_mbr_reaches_to_the_end_of_its_last_partition(void **state)
{
	struct layout layout;

	make(64 * MIB, "sfdisk",
		"$image <<-'END'\n"
		"label: dos\n"
		"start=2048, size=32768, type=c\n"
		"start=34816, size=40960, type=83\n"
		"END\n");
	layout = probe();
	assert_layout(layout, LAYOUT_MBR, "MBR with 2 partitions", (34816 + 40960) * 512ull,
		"partition 2");
	assert_false(layout.partial);
}

static void logical_partitions_are_followed(void **state)
{
	const uint64_t end = 100000 * 512ull;
	struct layout layout;

	make(64 * MIB, "sfdisk",
		"$image <<-'END'\n"
		"label: dos\n"
		"start=2048, size=8192, type=c\n"
		"start=10240, size=89760, type=5\n"
		"start=12288, size=8192, type=83\n"
		"start=22528, size=8192, type=83\n"
		"start=32768, size=67232, type=83\n"
		"END\n");
	layout = probe();
	assert_layout(layout, LAYOUT_MBR, "MBR with 4 partitions", end, "extended partition 2");
	assert_false(layout.partial);

	/* From the first MiB alone, the box is known but not what is in it. */
	layout = probe_without(63 * MIB);
	assert_layout(layout, LAYOUT_MBR, "MBR with 1 partition", end, "extended partition 2");
	assert_true(layout.partial);
}

static void a_gpt_ends_with_its_backup(void **state)
{
	char text[256];
	struct layout layout;

	make(40 * MIB, "sfdisk",
		"$image <<-'END'\n"
		"label: gpt\n"
		"start=2048, size=8192\n"
		"start=10240, size=8192\n"
		"start=18432, size=8192\n"
		"END\n");
	layout = probe();
	assert_layout(
		layout, LAYOUT_GPT, "GPT with 3 partitions", 40 * MIB, "the backup of the GPT");
	assert_false(layout.partial);

	layout = probe_without(1);
	assert_int_equal(layout.reaches, 40 * MIB);
	layout_explain(&layout, 40 * MIB - 1, text, sizeof(text));
	assert_string_equal(text, "the backup of the GPT ends at byte 41943040, and only 41943039 "
				  "bytes are there");
}

static void a_gpt_of_large_sectors_counts_in_them(void **state)
{
	struct layout layout;

	make(40 * MIB, "fdisk", "-b 4096 $image <<-'END'\ng\nn\n1\n256\n1279\nw\nEND\n");
	layout = probe();
	assert_layout(
		layout, LAYOUT_GPT, "GPT with 1 partition", 40 * MIB, "the backup of the GPT");
	assert_false(layout.partial);
}

static void ext_says_its_own_size(void **state)
{
	static const struct {
		const char *arguments, *name;
		uint64_t size;
	} cases[] = {
		{"-q -F -t ext2 -b 1024 $image 9001", "ext2", 9001 * KIB},
		{"-q -F -t ext3 -b 1024 $image 30000", "ext3", 30000 * KIB},
		{"-q -F -t ext4 -b 4096 -O ^64bit $image 5000", "ext4", 20000 * KIB},
		{"-q -F -t ext4 -b 1024 -O 64bit $image 30000", "ext4", 30000 * KIB},
		{"-q -F -t ext4 -b 4096 -O 64bit,metadata_csum $image 7777", "ext4", 31108 * KIB},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char wanted[64], last[64];
		struct layout layout;

		make(32 * MIB, "mke2fs", cases[i].arguments);
		layout = probe();
		snprintf(wanted, sizeof(wanted), "%s filesystem", cases[i].name);
		snprintf(last, sizeof(last), "the %s filesystem", cases[i].name);
		assert_layout(layout, LAYOUT_FILESYSTEM, wanted, cases[i].size, last);
		layout = probe_without(32 * MIB - 4096);
		assert_int_equal(layout.reaches, cases[i].size);
	}
}

static void fat_says_its_own_size(void **state)
{
	static const struct {
		const char *arguments, *name;
		uint64_t size;
	} cases[] = {
		{"-F 12 -C $image.fat 4000", "FAT12", 4000 * KIB},
		{"-F 16 -C $image.fat 20001", "FAT16", 20001 * KIB},
		{"-F 16 -S 2048 -C $image.fat 40000", "FAT16", 40000 * KIB},
		{"-F 32 -C $image.fat 69002", "FAT32", 69002 * KIB},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char command[256], wanted[64], last[64];
		struct layout layout;

		snprintf(
			command, sizeof(command), "%s && mv $image.fat $image", cases[i].arguments);
		make(0, "mkfs.vfat", command);
		assert_int_equal(truncate(scratch_path(&scratch, "image"), 80 * MIB), 0);
		layout = probe();
		snprintf(wanted, sizeof(wanted), "%s filesystem", cases[i].name);
		snprintf(last, sizeof(last), "the %s filesystem", cases[i].name);
		/* mkfs.vfat makes whole tracks of it. */
		assert_true(layout.reaches <= cases[i].size);
		assert_true(layout.reaches > cases[i].size - 64 * KIB);
		assert_layout(layout, LAYOUT_FILESYSTEM, wanted, layout.reaches, last);
		assert_false(layout.partial);
	}
}

static void a_filesystem_may_reach_further_than_its_partition(void **state)
{
	struct layout layout;

	make(40 * MIB, "sfdisk",
		"$image <<-'END' && mke2fs -q -F -t ext4 -b 4096 -E offset=9437184 $image 5000\n"
		"label: dos\n"
		"start=2048, size=16384, type=c\n"
		"start=18432, size=8192, type=83\n"
		"END\n");
	layout = probe();
	assert_layout(layout, LAYOUT_MBR, "MBR with 2 partitions", 9437184 + 5000 * 4096ull,
		"the ext4 filesystem in partition 2");
	layout = probe_without(39 * MIB);
	assert_layout(layout, LAYOUT_MBR, "MBR with 2 partitions", 26624 * 512ull, "partition 2");
	assert_true(layout.partial);
}

static void a_table_in_front_of_nothing_is_an_image(void **state)
{
	struct layout layout;

	make(8 * MIB, "sfdisk", "$image <<-'END'\nlabel: dos\nEND\n");
	layout = probe();
	assert_layout(layout, LAYOUT_MBR, "MBR with no partitions", 0, "");
}

static void swap_is_no_image(void **state)
{
	struct layout layout;

	make(8 * MIB, "mkswap", "$image");
	layout = probe();
	assert_int_equal(layout.kind, LAYOUT_NONE);
}

static int begin(void **state)
{
	/* sfdisk and mkfs live where only root looks. */
	char path[4096];
	const char *old = getenv("PATH");

	snprintf(path, sizeof(path), "%s:/usr/sbin:/sbin", old ? old : "/usr/bin:/bin");
	setenv("PATH", path, 1);
	scratch_new(&scratch);
	return 0;
}

static int end(void **state)
{
	scratch_free(&scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_mbr_reaches_to_the_end_of_its_last_partition),
		cmocka_unit_test(logical_partitions_are_followed),
		cmocka_unit_test(a_gpt_ends_with_its_backup),
		cmocka_unit_test(a_gpt_of_large_sectors_counts_in_them),
		cmocka_unit_test(ext_says_its_own_size),
		cmocka_unit_test(fat_says_its_own_size),
		cmocka_unit_test(a_filesystem_may_reach_further_than_its_partition),
		cmocka_unit_test(a_table_in_front_of_nothing_is_an_image),
		cmocka_unit_test(swap_is_no_image),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
