#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim-host.h"

/* The module's disk through the block seam, and its medium from behind. */

#define MIB (1u << 20)

static unsigned char *pattern(size_t size, unsigned seed)
{
	void *data = NULL;

	assert_int_equal(posix_memalign(&data, 4096, size), 0);
	for (size_t i = 0; i < size; i++)
		((unsigned char *)data)[i] = (unsigned char)((i >> 12) * 31 + i * 7 + seed);
	return data;
}

static struct host *disk_host(const char *spec)
{
	struct host *host = host_new(spec);

	host_expect(host, "usb+ 1-1.1 0104/3");
	return host;
}

static int put(struct block *block, void *data, size_t size, uint64_t offset)
{
	struct iovec iov = {data, size};

	return block->ops->writev(block, &iov, 1, offset);
}

static bool on_medium(struct host *host, const void *data, size_t size, uint64_t offset)
{
	_cleanup_free_ void *medium = malloc(size);

	assert_int_equal(sim_inspect_medium(host->backend, 1, "mmcblk0", medium, size, offset), 0);
	return memcmp(medium, data, size) == 0;
}

static bool reads_back(struct block *block, const void *data, size_t size, uint64_t offset)
{
	_cleanup_free_ void *read = pattern(size, 99);

	assert_int_equal(block->ops->read(block, read, size, offset), 0);
	return memcmp(read, data, size) == 0;
}

static void a_write_is_in_the_cache_until_it_is_synchronised(void **state)
{
	struct host *host = disk_host("emmc=16M:link=0:fault=adopt");
	struct block *block = host_disk(host, true);
	_cleanup_free_ unsigned char *data = pattern(MIB, 1);
	struct sim_counters counters;

	assert_int_equal(block->bytes, 16 * MIB);
	assert_int_equal(put(block, data, MIB, 2 * MIB), 0);
	assert_true(reads_back(block, data, MIB, 2 * MIB));
	assert_false(on_medium(host, data, MIB, 2 * MIB));
	sim_inspect_counters(host->backend, 1, &counters);
	assert_int_equal(counters.dirty, MIB);
	assert_int_equal(counters.written, MIB);

	assert_int_equal(block->ops->sync(block), 0);
	assert_true(on_medium(host, data, MIB, 2 * MIB));
	sim_inspect_counters(host->backend, 1, &counters);
	assert_int_equal(counters.dirty, 0);
	assert_int_equal(counters.syncs, 1);
	block->ops->close(block);
	host_free(host);
}

static void a_close_synchronises_too(void **state)
{
	struct host *host = disk_host("emmc=16M:link=0:fault=adopt");
	struct block *block = host_disk(host, true);
	_cleanup_free_ unsigned char *data = pattern(MIB, 2);

	assert_int_equal(put(block, data, MIB, 0), 0);
	block->ops->close(block);
	assert_true(on_medium(host, data, MIB, 0));
	host_free(host);
}

static void an_unplug_loses_what_was_not_synchronised(void **state)
{
	struct host *host = disk_host("emmc=16M:link=0:boot=0:fault=adopt:fault=replug@0");
	struct block *block = host_disk(host, true);
	_cleanup_free_ unsigned char *old = pattern(MIB, 3), *new = pattern(MIB, 4);

	host_expect(host, "disk+ 1-1.1 mmcblk0 16777216");
	assert_int_equal(put(block, old, MIB, 0), 0);
	assert_int_equal(block->ops->sync(block), 0);
	assert_int_equal(put(block, new, MIB, 0), 0);
	sim_inspect_unplug(host->backend, 1);
	assert_int_equal(put(block, new, MIB, 0), -ENODEV);
	assert_int_equal(block->ops->sync(block), -ENODEV);
	assert_int_equal(block->ops->read(block, new, MIB, 0), -ENODEV);
	block->ops->close(block);

	host_expect(host, "disk- 1-1.1 mmcblk0");
	host_expect(host, "usb- 1-1.1");
	host_boot(host);
	host_expect(host, "disk+ 1-1.1 mmcblk0 16777216");
	block = host_disk(host, true);
	assert_true(reads_back(block, old, MIB, 0));
	assert_true(on_medium(host, old, MIB, 0));
	block->ops->close(block);
	host_free(host);
}

static void without_limits_there_is_nothing_between_a_write_and_the_medium(void **state)
{
	struct host *host = disk_host("emmc=16M:link=0:medium=0:fault=adopt");
	struct block *block = host_disk(host, true);
	_cleanup_free_ unsigned char *data = pattern(MIB, 5);

	assert_int_equal(put(block, data, MIB, 3 * MIB), 0);
	assert_true(on_medium(host, data, MIB, 3 * MIB));
	block->ops->close(block);
	host_free(host);
}

static void the_end_of_an_odd_disk_can_be_written(void **state)
{
	struct host *host = disk_host("emmc=1049088:link=0:fault=adopt"); /* 1 MiB and a sector */
	struct block *block = host_disk(host, true);
	_cleanup_free_ unsigned char *data = pattern(4096, 6);

	assert_int_equal(put(block, data, 512, MIB), 0);
	assert_true(reads_back(block, data, 512, MIB));
	assert_int_equal(block->ops->sync(block), 0);
	assert_true(on_medium(host, data, 512, MIB));
	assert_int_equal(put(block, data, 1024, MIB), -EINVAL);
	block->ops->close(block);
	host_free(host);
}

static void what_the_kernel_would_refuse_is_refused(void **state)
{
	struct host *host = disk_host("emmc=16M:link=0:fault=adopt");
	struct block *block = host_disk(host, true);
	_cleanup_free_ unsigned char *data = pattern(MIB, 7);
	struct iovec iov[2] = {{data, 4096}, {data + 4096, 8192}};

	assert_int_equal(put(block, data + 512, 4096, 0), -EINVAL);
	assert_int_equal(put(block, data, 512, 0), -EINVAL);
	assert_int_equal(put(block, data, 4096, 512), -EINVAL);
	assert_int_equal(put(block, data, 4096, 16 * MIB), -EINVAL);
	assert_int_equal(block->ops->read(block, data, 4096, UINT64_MAX - 4095), -EINVAL);
	assert_int_equal(block->ops->writev(block, iov, 2, 8192), 0);
	assert_true(reads_back(block, data, 12288, 8192));
	block->ops->close(block);
	host_free(host);
}

static void one_may_write_and_any_may_read(void **state)
{
	struct host *host = disk_host("emmc=16M:fault=adopt");
	struct block *writer = host_disk(host, true), *reader = host_disk(host, false), *second;
	const struct backend_ops *ops = host->backend->ops;

	assert_int_equal(ops->open_block(host->backend, "1-1.1", "mmcblk0", true, &second), -EBUSY);
	assert_int_equal(ops->open_block(host->backend, "1-1.1", "nvme0n1", true, &second), -ENXIO);
	writer->ops->close(writer);
	writer = host_disk(host, true);
	writer->ops->close(writer);
	reader->ops->close(reader);
	host_free(host);

	host = disk_host("emmc=16M:fault=adopt:fault=held");
	assert_int_equal(ops->open_block(host->backend, "1-1.1", "mmcblk0", true, &second), -EBUSY);
	host_free(host);
}

static void *abort_block(void *data)
{
	struct block *block = data;

	block->ops->abort(block);
	return NULL;
}

static void an_abort_ends_transfers_under_way_and_to_come(void **state)
{
	/* A MiB would take 17 minutes. */
	struct host *host = disk_host("emmc=16M:link=1K:fault=adopt");
	struct block *block = host_disk(host, true);
	_cleanup_free_ unsigned char *data = pattern(MIB, 8);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, abort_block, block), 0);
	assert_int_equal(put(block, data, MIB, 0), -ECANCELED);
	pthread_join(thread, NULL);
	assert_int_equal(put(block, data, MIB, 0), -ECANCELED);
	assert_int_equal(block->ops->sync(block), -ECANCELED);
	block->ops->close(block);
	host_free(host);
}

static void an_unplug_at_a_count_lets_pass_what_came_before(void **state)
{
	/* Without limits nothing is lost in the cache, so that the count can be seen on the medium. */
	struct host *host =
		disk_host("emmc=16M:link=0:medium=0:fault=adopt:fault=unplug@write=1536K");
	struct block *block = host_disk(host, true);
	_cleanup_free_ unsigned char *data = pattern(MIB, 9), *zeros = calloc(1, MIB);

	assert_int_equal(put(block, data, MIB, 0), 0);
	assert_int_equal(put(block, data, MIB, MIB), -ENODEV);
	assert_true(on_medium(host, data, MIB / 2, MIB));
	assert_true(on_medium(host, zeros, MIB / 2, MIB + MIB / 2));
	block->ops->close(block);
	host_free(host);
}

static void places_on_the_disk_go_bad_on_order(void **state)
{
	struct host *host =
		disk_host("emmc=16M:link=0:fault=adopt:fault=write-error@1M:fault=read-error@2M");
	struct block *block = host_disk(host, true);
	_cleanup_free_ unsigned char *data = pattern(MIB, 10);

	assert_int_equal(put(block, data, MIB, 0), 0);
	assert_int_equal(put(block, data, MIB, MIB), -EIO);
	assert_int_equal(put(block, data, MIB, 2 * MIB), 0);
	assert_int_equal(block->ops->read(block, data, 4096, 2 * MIB), -ENODATA);
	assert_int_equal(block->ops->read(block, data, 4096, 2 * MIB + 4096), 0);
	block->ops->close(block);
	host_free(host);

	host = disk_host("emmc=16M:link=0:fault=adopt:fault=sync-error");
	block = host_disk(host, true);
	assert_int_equal(put(block, data, MIB, 0), 0);
	assert_int_equal(block->ops->sync(block), -EIO);
	block->ops->close(block);
	host_free(host);

	host = disk_host("emmc=16M:link=0:fault=adopt:fault=stall@sync:fault=stall@read=0");
	block = host_disk(host, true);
	assert_int_equal(block->ops->sync(block), -EIO);
	assert_int_equal(block->ops->sync(block), 0);
	assert_int_equal(block->ops->read(block, data, 4096, 0), -EIO);
	assert_int_equal(block->ops->read(block, data, 4096, 0), 0);
	block->ops->close(block);
	host_free(host);
}

/* The difference that decides what a proof is worth: no read over the link shows it. */
static void corruption_hides_behind_an_intact_cache(void **state)
{
	static const char *const faults[] = {"corrupt@10000", "drop-write@10000"};

	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ unsigned char *data = pattern(MIB, 11);
		struct host *host;
		struct block *block;
		char spec[128];

		snprintf(spec, sizeof(spec), "emmc=16M:link=0:medium=0:fault=adopt:fault=%s",
			faults[i]);
		host = disk_host(spec);
		block = host_disk(host, true);
		assert_int_equal(put(block, data, MIB, 0), 0);
		assert_int_equal(block->ops->sync(block), 0);
		assert_true(reads_back(block, data, MIB, 0));
		assert_true(on_medium(host, data, 8192, 0));
		assert_false(on_medium(host, data + 8192, 4096, 8192));
		assert_true(on_medium(host, data + 12288, MIB - 12288, 12288));
		block->ops->close(block);
		host_free(host);
	}
}

static void media_in_a_directory_are_kept_between_runs(void **state)
{
	char dir[] = "/tmp/cm4fs-sim-XXXXXX", spec[256], path[256], line[64] = "";
	_cleanup_free_ unsigned char *data = pattern(MIB, 12);
	struct host *host;
	struct block *block;
	struct stat st;
	FILE *record;
	int fd;

	assert_non_null(mkdtemp(dir));
	snprintf(spec, sizeof(spec), "emmc=2M:link=0:fault=adopt:dir=%s", dir);
	host = disk_host(spec);
	block = host_disk(host, true);
	assert_int_equal(put(block, data, MIB, 0), 0);
	block->ops->close(block);
	host_free(host);

	host = disk_host(spec);
	assert_true(on_medium(host, data, MIB, 0));
	host_free(host);
	snprintf(path, sizeof(path), "%s/af04b2da-mmcblk0.img", dir);
	fd = open(path, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 2 * MIB);
	close(fd);
	unlink(path);

	/* Another size is another disk. */
	snprintf(spec, sizeof(spec), "emmc=4M:link=0:boot=0:dir=%s", dir);
	host = host_new(spec);
	host_expect(host, "usb+ 1-1.1 2711/3");
	host_free(host);
	snprintf(path, sizeof(path), "%s/af04b2da-record.txt", dir);
	record = fopen(path, "r");
	assert_non_null(fgets(line, sizeof(line), record));
	assert_string_equal(line, "plugged 0\n");
	fclose(record);
	unlink(path);
	snprintf(path, sizeof(path), "%s/af04b2da-mmcblk0.img", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 4 * MIB);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

/* One user of one module: writes while it can, boots it when it must, until told to stop. */
struct user {
	struct host *host;
	unsigned number;
	unsigned errors; /* transfers that failed; of the thread alone until it is joined */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned sessions; /* disks opened so far; guarded by the lock, as is: */
	bool stop;
};

static void boot_by_hand(struct user *user)
{
	const struct backend_ops *ops = user->host->backend->ops;
	const char *port = sim_inspect_port(user->host->backend, user->number);
	struct usb_device *usb;

	/* Which stage it is in is not known: a ROM stalls the one, a second stage the other. */
	if (ops->open_usb(user->host->backend, port, &usb) == 0) {
		if (host_boot_rom(usb, "code", 4) == -EPIPE)
			host_serve(usb, NULL);
		usb->ops->close(usb);
	}
	/* Off the bus: the next stage comes by itself. */
	pthread_mutex_lock(&user->lock);
	cond_wait_until(&user->changed, &user->lock, clock_ns() + NS_PER_MS);
	pthread_mutex_unlock(&user->lock);
}

static void write_until_it_fails(struct user *user, struct block *block)
{
	_cleanup_free_ unsigned char *data = pattern(MIB, 13);
	int r = 0;

	for (unsigned i = 0; r == 0; i++) {
		pthread_mutex_lock(&user->lock);
		if (user->stop)
			r = 1;
		if (i == 1)
			user->sessions++;
		pthread_cond_broadcast(&user->changed);
		pthread_mutex_unlock(&user->lock);
		if (r == 0)
			r = put(block, data, MIB, i % 16 * MIB);
		if (r == 0 && i % 5 == 4)
			r = block->ops->sync(block);
		if (r == 0 && i % 3 == 2)
			r = block->ops->read(block, data, MIB, i % 16 * MIB);
	}
	if (r < 0) {
		assert_int_equal(r, -ENODEV);
		user->errors++;
	}
}

static void *use(void *data)
{
	struct user *user = data;
	const struct backend_ops *ops = user->host->backend->ops;
	const char *port = sim_inspect_port(user->host->backend, user->number);
	bool stop = false;

	while (!stop) {
		struct block *block;

		if (ops->open_block(user->host->backend, port, "mmcblk0", true, &block) == 0) {
			write_until_it_fails(user, block);
			block->ops->close(block);
		} else {
			boot_by_hand(user);
		}
		pthread_mutex_lock(&user->lock);
		stop = user->stop;
		pthread_mutex_unlock(&user->lock);
	}
	return NULL;
}

/* Until the user has opened the disk @n times. */
static void await_sessions(struct user *user, unsigned n)
{
	uint64_t deadline = clock_ns() + HOST_PATIENCE_MS * NS_PER_MS;
	LOCKED(&user->lock);

	while (user->sessions < n && cond_wait_until(&user->changed, &user->lock, deadline) == 0)
		;
	assert_true(user->sessions >= n);
}

static void modules_come_and_go_under_their_users(void **state)
{
	struct host *host = host_new("count=3:emmc=16M:link=0:medium=500M:boot=1");
	struct user users[3] = {0};
	pthread_t threads[3];

	for (unsigned i = 0; i < 3; i++) {
		users[i].host = host;
		users[i].number = i + 1;
		pthread_mutex_init(&users[i].lock, NULL);
		cond_init(&users[i].changed);
		assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
	}
	for (unsigned round = 1; round <= 10; round++) {
		for (unsigned i = 0; i < 3; i++) {
			await_sessions(&users[i], round);
			sim_inspect_unplug(host->backend, i + 1);
			sim_inspect_plug(host->backend, i + 1);
		}
	}
	for (unsigned i = 0; i < 3; i++) {
		pthread_mutex_lock(&users[i].lock);
		users[i].stop = true;
		pthread_mutex_unlock(&users[i].lock);
		pthread_join(threads[i], NULL);
		assert_int_equal(users[i].errors, 10);
		pthread_cond_destroy(&users[i].changed);
		pthread_mutex_destroy(&users[i].lock);
	}
	host_free(host);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
	struct backend *backend;
	struct sim_spec *spec;
	char message[256] = "";

	assert_int_equal(
		sim_spec_parse("dir=/nonexistent/place", &spec, message, sizeof(message)), 0);
	assert_int_equal(sim_backend_new(spec, &backend, message, sizeof(message)), -ENOENT);
	assert_non_null(strstr(message, "/nonexistent/place"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_is_in_the_cache_until_it_is_synchronised),
		cmocka_unit_test(a_close_synchronises_too),
		cmocka_unit_test(an_unplug_loses_what_was_not_synchronised),
		cmocka_unit_test(without_limits_there_is_nothing_between_a_write_and_the_medium),
		cmocka_unit_test(the_end_of_an_odd_disk_can_be_written),
		cmocka_unit_test(what_the_kernel_would_refuse_is_refused),
		cmocka_unit_test(one_may_write_and_any_may_read),
		cmocka_unit_test(an_abort_ends_transfers_under_way_and_to_come),
		cmocka_unit_test(an_unplug_at_a_count_lets_pass_what_came_before),
		cmocka_unit_test(places_on_the_disk_go_bad_on_order),
		cmocka_unit_test(corruption_hides_behind_an_intact_cache),
		cmocka_unit_test(media_in_a_directory_are_kept_between_runs),
		cmocka_unit_test(modules_come_and_go_under_their_users),
		cmocka_unit_test(a_directory_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
