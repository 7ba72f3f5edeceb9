#include "sim-host.h"

/* The module's side of the boot, looked at through the USB seam. */

#define CODE_SIZE 20000
static const char code[CODE_SIZE] = "second stage";

static struct host *rom_host(const char *spec, struct usb_device **ret_usb)
{
	struct host *host = host_new(spec);

	host_expect(host, "usb+ 1-1.1 2711/3");
	*ret_usb = host_usb(host);
	return host;
}

static struct host *second_host(const char *spec, struct usb_device **ret_usb)
{
	struct host *host = rom_host(spec, ret_usb);

	assert_int_equal(host_boot_rom(*ret_usb, code, CODE_SIZE), 0);
	(*ret_usb)->ops->close(*ret_usb);
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 2711/4");
	*ret_usb = host_usb(host);
	return host;
}

static void close_both(struct usb_device *usb, struct host *host)
{
	usb->ops->close(usb);
	host_free(host);
}

static void a_module_boots_from_rom_to_disk(void **state)
{
	struct host *host = host_new("emmc=4M:nvme=1M:boot=0:link=0");

	host_boot(host);
	host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
	host_expect(host, "disk+ 1-1.1 nvme0n1 1048576");
	sim_inspect_unplug(host->backend, 1);
	host_expect(host, "disk- 1-1.1 mmcblk0");
	host_expect(host, "disk- 1-1.1 nvme0n1");
	host_expect(host, "usb- 1-1.1");
	sim_inspect_plug(host->backend, 1);
	host_expect(host, "usb+ 1-1.1 2711/3");
	host_free(host);
}

static void stages_take_the_time_they_are_given(void **state)
{
	struct host *host = host_new("emmc=4M:boot=200");
	uint64_t begin = clock_ns();
	size_t n;
	struct sim_item *items;

	host_boot(host);
	host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
	assert_true(clock_ns() - begin >= 200 * NS_PER_MS);

	/* What it recorded as its own time is that and the link's: 39 kB and 1 kB at 40 MB/s. */
	items = sim_inspect_record(host->backend, 1, &n);
	assert_int_equal(items[n - 1].event, SIM_EVENT_DISK);
	assert_in_range(items[n - 1].size, 200, 205);
	free(items);
	host_free(host);
}

static void what_a_module_received_is_recorded_in_its_order(void **state)
{
	struct host *host = host_new("emmc=4M:boot=0:link=0");
	struct sim_item *items;
	size_t n;

	host_boot(host);
	host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
	items = sim_inspect_record(host->backend, 1, &n);
	/* plugged rom header second-stage status second, 13 files with their sizes, done disk */
	assert_int_equal(n, 6 + 26 + 2);
	assert_int_equal(items[2].event, SIM_EVENT_HEADER);
	assert_int_equal(items[3].event, SIM_EVENT_SECOND_STAGE);
	assert_int_equal(items[3].size, 1000);
	assert_int_equal(items[6].event, SIM_EVENT_SIZE);
	assert_string_equal(items[6].name, "mcb.bin");
	assert_int_equal(items[6].size, sizeof(host_file));
	assert_int_equal(items[31].event, SIM_EVENT_FILE);
	assert_string_equal(items[31].name, "boot.img");
	/* (printf 'a boot file'; head -c 2989 /dev/zero) | sha256sum */
	assert_string_equal(items[31].digest,
		"bbb04690314ecc375871f4eec028a4322bcb6e771531166d5ef76bd1ac2f71d6");
	free(items);
	host_free(host);
}

static void models_enumerate_as_the_real_ones_do(void **state)
{
	static const struct {
		const char *spec, *rom, *disk;
	} models[] = {
		{"model=cm4:emmc=4M", "usb+ 1-1.1 2711/3", "usb+ 1-1.1 0104/3"},
		{"model=cm4-lite", "usb+ 1-1.1 2711/3", "usb+ 1-1.1 0104/3"},
		{"model=cm5:emmc=4M", "usb+ 1-1.1 2712/3", "usb+ 1-1.1 0104/3"},
		{"model=cm3:emmc=4M", "usb+ 1-1.1 2764/0", "usb+ 1-1.1 0001/0"},
	};

	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
		char spec[128];
		struct host *host = host_new(models[i].spec);

		host_expect(host, models[i].rom);
		host_free(host);
		snprintf(spec, sizeof(spec), "%s:fault=adopt", models[i].spec);
		host = host_new(spec);
		host_expect(host, models[i].disk);
		host_free(host);
	}
}

static void a_cm3_boots_by_its_own_files(void **state)
{
	struct host *host = host_new("model=cm3:emmc=4M:boot=0:link=0");
	struct usb_device *usb;

	host_expect(host, "usb+ 1-1.1 2764/0");
	usb = host_usb(host);
	assert_int_equal(host_boot_rom(usb, code, CODE_SIZE), 0);
	usb->ops->close(usb);
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 2764/1");
	usb = host_usb(host);
	/* At full speed a transfer of 16 KiB is fine, and so is one of any 64 bytes. */
	assert_int_equal(host_serve(usb, "recovery.elf"), 0);
	usb->ops->close(usb);
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 0001/0");
	host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
	host_free(host);
}

/* Each of these is one mistake, after a right beginning of so many steps. */
static void a_rom_stalls_what_is_out_of_order(void **state)
{
	unsigned char buffer[260] = {0};
	struct usb_device *usb;
	struct host *host = rom_host("emmc=4M:link=0", &usb);

	assert_int_equal(
		usb->ops->bulk_out(usb, buffer, 24, 1000), -EPIPE); /* nothing was announced */
	assert_int_equal(host_announce(usb, 24), 0);
	assert_int_equal(
		usb->ops->bulk_out(usb, buffer, 24, 1000), -EPIPE); /* the endpoint is halted */
	close_both(usb, host);

	host = rom_host("emmc=4M:link=0", &usb);
	assert_int_equal(host_announce(usb, 23), -EPIPE);	/* no header is that long */
	assert_int_equal(host_receive(usb, buffer, 4), -EPIPE); /* no status yet */
	assert_int_equal(host_announce(usb, 24), 0);
	assert_int_equal(host_announce(usb, 24), -EPIPE); /* it waits for bytes */
	assert_int_equal(usb->ops->bulk_out(usb, buffer, 25, 1000), -EPIPE); /* one too many */
	close_both(usb, host);

	host = rom_host("emmc=4M:link=0", &usb);
	assert_int_equal(host_send_header(usb, 1000), 0);
	assert_int_equal(host_announce(usb, 1001), -EPIPE); /* not what the header said */
	assert_int_equal(host_announce(usb, 1000), 0);
	assert_int_equal(
		usb->ops->bulk_out(usb, buffer, 100, 1000), -EPIPE); /* short, and not the last */
	close_both(usb, host);

	host = rom_host("emmc=4M:link=0", &usb);
	assert_int_equal(host_send_header(usb, 1000), 0);
	assert_int_equal(host_send(usb, code, 1000), 0);
	assert_int_equal(host_receive(usb, buffer, 5), -EPIPE); /* a status has 4 bytes */
	assert_int_equal(host_announce(usb, 24), -EPIPE);
	assert_int_equal(host_receive(usb, buffer, 4), 4);
	assert_int_equal(host_receive(usb, buffer, 4), -ENODEV);
	close_both(usb, host);
}

static void a_header_without_a_length_is_refused(void **state)
{
	struct usb_device *usb;
	struct host *host = rom_host("emmc=4M:link=0", &usb);

	assert_int_equal(host_send_header(usb, 0), -EPIPE);
	close_both(usb, host);
	host = rom_host("emmc=4M:link=0", &usb);
	assert_int_equal(host_send_header(usb, 0x80000000u), -EPIPE);
	close_both(usb, host);
}

static void a_second_stage_stalls_what_is_out_of_order(void **state)
{
	unsigned char message[260];
	struct usb_device *usb;
	struct host *host = second_host("emmc=4M:boot=0:link=0", &usb);

	assert_int_equal(host_announce(usb, 100), -EPIPE); /* it has not asked */
	assert_int_equal(host_receive(usb, message, 256), -EPIPE);
	assert_int_equal(host_receive(usb, message, 260), 260);
	assert_int_equal(message[0], 0);
	assert_string_equal((char *)message + 4, "mcb.bin");
	assert_int_equal(host_receive(usb, message, 260), -EPIPE); /* the answer is due */
	assert_int_equal(host_announce(usb, 100), 0);
	assert_int_equal(host_receive(usb, message, 260), 260);
	assert_int_equal(message[0], 1);
	assert_int_equal(host_announce(usb, 99), -EPIPE); /* 100, it was told */
	assert_int_equal(host_announce(usb, 100), 0);
	assert_int_equal(host_receive(usb, message, 260), -EPIPE); /* the bytes are due */
	assert_int_equal(usb->ops->bulk_out(usb, code, 101, 1000), -EPIPE);
	assert_int_equal(usb->ops->bulk_out(usb, code, 100, 1000), -EPIPE); /* halted */
	close_both(usb, host);
}

static void without_mcb_a_module_hangs_and_without_boot_img_it_has_no_disk(void **state)
{
	unsigned char message[260];
	struct usb_device *usb;
	struct host *host = second_host("emmc=4M:boot=0:link=0", &usb);

	assert_int_equal(host_receive(usb, message, 260), 260);
	assert_int_equal(host_announce(usb, 0), 0);
	assert_int_equal(usb->ops->control_in(usb, 260, 0, message, 260, 20), -ETIMEDOUT);
	close_both(usb, host);

	host = second_host("emmc=4M:boot=0:link=0", &usb);
	assert_int_equal(host_serve(usb, "boot.img"), 0);
	host_expect(host, "usb- 1-1.1");
	sim_inspect_unplug(host->backend, 1);
	sim_inspect_plug(host->backend, 1);
	host_expect(host, "usb+ 1-1.1 2711/3"); /* and nothing in between */
	close_both(usb, host);
}

/* Whoever waits for a silent module: @end is done to it from another thread. */
struct waiter {
	struct usb_device *usb;
	ssize_t result;
};

static void *wait_for_message(void *data)
{
	struct waiter *waiter = data;
	unsigned char message[260];

	waiter->result = waiter->usb->ops->control_in(waiter->usb, 260, 0, message, 260, 0);
	return NULL;
}

static void a_wait_for_a_silent_module_ends_by_timeout_abort_or_unplug(void **state)
{
	unsigned char message[260];
	struct waiter waiter;
	pthread_t thread;
	struct host *host = second_host("emmc=4M:boot=0:link=0:fault=silent@second", &waiter.usb);

	assert_int_equal(
		waiter.usb->ops->control_in(waiter.usb, 260, 0, message, 260, 20), -ETIMEDOUT);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_message, &waiter), 0);
	waiter.usb->ops->abort(waiter.usb);
	pthread_join(thread, NULL);
	assert_int_equal(waiter.result, -ECANCELED);
	waiter.usb->ops->close(waiter.usb);

	waiter.usb = host_usb(host);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_message, &waiter), 0);
	sim_inspect_unplug(host->backend, 1);
	pthread_join(thread, NULL);
	assert_int_equal(waiter.result, -ENODEV);
	close_both(waiter.usb, host);
}

static void faults_strike_the_rom_where_they_are_ordered(void **state)
{
	static const struct {
		const char *fault;
		int result;
	} faults[] = {
		{"unplug@rom", -ENODEV},
		{"unplug@header", -ENODEV},
		{"unplug@second-stage", -ENODEV},
		{"unplug@status", -ENODEV},
		{"stall@rom", -EPIPE},
		{"stall@status", -EPIPE},
		{"early-reset", -ENODEV},
		{"status@7", 7},
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct usb_device *usb;
		struct host *host;
		char spec[128];

		snprintf(spec, sizeof(spec), "emmc=4M:link=0:boot=0:fault=%s", faults[i].fault);
		host = rom_host(spec, &usb);
		assert_int_equal(host_boot_rom(usb, code, CODE_SIZE), faults[i].result);
		close_both(usb, host);
	}
}

static void faults_strike_the_second_stage_where_they_are_ordered(void **state)
{
	static const char *const faults[] = {
		"unplug@second", "unplug@file=bootmain", "unplug@done"};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct usb_device *usb;
		struct host *host;
		char spec[128];

		snprintf(spec, sizeof(spec), "emmc=4M:link=0:boot=0:fault=%s:fault=replug@1",
			faults[i]);
		host = second_host(spec, &usb);
		assert_int_equal(host_serve(usb, NULL), -ENODEV);
		usb->ops->close(usb);
		host_expect(host, "usb- 1-1.1");
		/* It strikes once: the second attempt gets through. */
		host_boot(host);
		host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
		host_free(host);
	}
}

static void a_module_may_die_or_show_twice_between_the_stages(void **state)
{
	struct usb_device *usb;
	struct host *host = rom_host("emmc=4M:link=0:boot=0:fault=no-second", &usb);

	assert_int_equal(host_boot_rom(usb, code, CODE_SIZE), 0);
	host_expect(host, "usb- 1-1.1");
	sim_inspect_unplug(host->backend, 1);
	sim_inspect_plug(host->backend, 1);
	host_expect(host, "usb+ 1-1.1 2711/3");
	close_both(usb, host);

	host = rom_host("emmc=4M:link=0:boot=0:fault=rom-twice", &usb);
	assert_int_equal(host_boot_rom(usb, code, CODE_SIZE), 0);
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 2711/3");
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 2711/4");
	close_both(usb, host);

	host = second_host("emmc=4M:link=0:boot=0:fault=no-disk", &usb);
	assert_int_equal(host_serve(usb, NULL), 0);
	host_expect(host, "usb- 1-1.1");
	sim_inspect_plug(host->backend, 1); /* it is still plugged in: nothing happens */
	sim_inspect_unplug(host->backend, 1);
	sim_inspect_plug(host->backend, 1);
	host_expect(host, "usb+ 1-1.1 2711/3");
	close_both(usb, host);
}

static void disks_may_be_missing_empty_or_short_lived(void **state)
{
	struct host *host = host_new("emmc=4M:fault=adopt:fault=no-mmc");
	struct block *block;

	host_expect(host, "usb+ 1-1.1 0104/3");
	assert_int_equal(
		host->backend->ops->open_block(host->backend, "1-1.1", "mmcblk0", false, &block),
		-ENXIO);
	host_free(host);

	host = host_new("emmc=4M:fault=adopt:fault=no-medium");
	host_expect(host, "usb+ 1-1.1 0104/3");
	host_expect(host, "disk+ 1-1.1 mmcblk0 0");
	assert_int_equal(
		host->backend->ops->open_block(host->backend, "1-1.1", "mmcblk0", false, &block),
		-ENOMEDIUM);
	host_free(host);

	host = host_new("emmc=4M:boot=0:link=0:fault=unplug@disk");
	host_boot(host);
	host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
	host_expect(host, "disk- 1-1.1 mmcblk0");
	host_expect(host, "usb- 1-1.1");
	host_free(host);
}

static void nonsense_comes_as_ordered(void **state)
{
	unsigned char message[260];
	struct usb_device *usb;
	struct host *host = second_host("emmc=4M:boot=0:link=0:fault=nonsense@no-nul", &usb);

	assert_int_equal(host_receive(usb, message, 260), 260);
	assert_null(memchr(message + 4, 0, 256));
	close_both(usb, host);

	host = second_host("emmc=4M:boot=0:link=0:fault=nonsense@short", &usb);
	assert_int_equal(host_receive(usb, message, 260), 10);
	close_both(usb, host);

	host = second_host("emmc=4M:boot=0:link=0:fault=nonsense@bad-command", &usb);
	assert_int_equal(host_receive(usb, message, 260), 260);
	assert_in_range(message[0], 3, 255);
	close_both(usb, host);

	host = second_host("emmc=4M:boot=0:link=0:fault=nonsense@endless", &usb);
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(host_receive(usb, message, 260), 260);
		assert_int_equal(host_announce(usb, 0), 0);
	}
	close_both(usb, host);

	/* A name that nobody should serve is asked for first; then all goes on. */
	host = second_host("emmc=4M:boot=0:link=0:fault=nonsense@dotdot", &usb);
	assert_int_equal(host_serve(usb, "../../../../etc/passwd"), 0);
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 0104/3");
	close_both(usb, host);
}

static void faults_may_be_for_one_module_alone(void **state)
{
	struct host *host = host_new("count=3:emmc=4M:fault=2/adopt");

	host_expect(host, "usb+ 1-1.1 2711/3");
	host_expect(host, "usb+ 1-1.2 0104/3");
	host_expect(host, "disk+ 1-1.2 mmcblk0 4194304");
	host_expect(host, "usb+ 1-1.3 2711/3");
	assert_int_equal(sim_inspect_count(host->backend), 3);
	assert_int_equal(sim_inspect_serial(host->backend, 1), 0xaf04b2da);
	assert_true(sim_inspect_serial(host->backend, 2) != sim_inspect_serial(host->backend, 3));
	host_free(host);
}

static void a_slow_link_can_outlast_the_host(void **state)
{
	struct usb_device *usb;
	struct host *host = rom_host("emmc=4M:link=1K", &usb);

	assert_int_equal(host_send_header(usb, CODE_SIZE), 0);
	assert_int_equal(host_announce(usb, CODE_SIZE), 0);
	assert_int_equal(usb->ops->bulk_out(usb, code, 16384, 20), -ETIMEDOUT);
	close_both(usb, host);
}

static void what_is_not_there_is_not_opened(void **state)
{
	struct host *host = host_new("emmc=4M");
	struct usb_device *usb;
	struct block *block;
	struct console *console;

	host_expect(host, "usb+ 1-1.1 2711/3");
	assert_int_equal(host->backend->ops->open_usb(host->backend, "1-1.2", &usb), -ENODEV);
	assert_int_equal(
		host->backend->ops->open_block(host->backend, "1-1.1", "mmcblk0", true, &block),
		-ENODEV);
	assert_int_equal(
		host->backend->ops->open_console(host->backend, "1-1.1", &console), -ENODEV);
	sim_inspect_unplug(host->backend, 1);
	assert_int_equal(host->backend->ops->open_usb(host->backend, "1-1.1", &usb), -ENODEV);
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_boots_from_rom_to_disk),
		cmocka_unit_test(stages_take_the_time_they_are_given),
		cmocka_unit_test(what_a_module_received_is_recorded_in_its_order),
		cmocka_unit_test(models_enumerate_as_the_real_ones_do),
		cmocka_unit_test(a_cm3_boots_by_its_own_files),
		cmocka_unit_test(a_rom_stalls_what_is_out_of_order),
		cmocka_unit_test(a_header_without_a_length_is_refused),
		cmocka_unit_test(a_second_stage_stalls_what_is_out_of_order),
		cmocka_unit_test(without_mcb_a_module_hangs_and_without_boot_img_it_has_no_disk),
		cmocka_unit_test(a_wait_for_a_silent_module_ends_by_timeout_abort_or_unplug),
		cmocka_unit_test(faults_strike_the_rom_where_they_are_ordered),
		cmocka_unit_test(faults_strike_the_second_stage_where_they_are_ordered),
		cmocka_unit_test(a_module_may_die_or_show_twice_between_the_stages),
		cmocka_unit_test(disks_may_be_missing_empty_or_short_lived),
		cmocka_unit_test(nonsense_comes_as_ordered),
		cmocka_unit_test(faults_may_be_for_one_module_alone),
		cmocka_unit_test(a_slow_link_can_outlast_the_host),
		cmocka_unit_test(what_is_not_there_is_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
