#include "sim-talk.h"

/* What a module does with the second stage that it was sent, looked at through the USB seam. */

static void mass_storage_of_the_vpu_has_one_disk_and_no_console(void **state)
{
	static const struct file files[] = {{"start4.elf", "elf", 3}, {NULL, NULL, 0}};
	static struct talk talk;
	struct console *console;
	struct host *host = run(QUICK ":nvme=1M", "start4.elf", files, &talk);

	assert_string_equal(talk.asked,
		"config.txt pieeprom.sig recover4.elf fixup4rc.dat "
		"recovery.elf fixup_rc.dat start4.elf !start4.elf fixup4.dat ");
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 0001/3");
	host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
	assert_int_equal(
		host->backend->ops->open_console(host->backend, "1-1.1", &console), -ENXIO);
	sim_inspect_unplug(host->backend, 1);
	host_expect(host, "disk- 1-1.1 mmcblk0");
	host_expect(host, "usb- 1-1.1");
	host_free(host);
}

/* usbboot's own bootcode4.bin holds both texts. */
static void without_start4_elf_there_is_no_mass_storage(void **state)
{
	static const struct file files[] = {{"config.txt", "x", 1}, {NULL, NULL, 0}};
	static struct talk talk;
	struct host *host = run(QUICK, "start4.elf pieeprom.bin", files, &talk);

	host_expect(host, "usb- 1-1.1");
	assert_int_equal(count(host, SIM_EVENT_SECOND, "msd"), 1);
	sim_inspect_unplug(host->backend, 1);
	sim_inspect_plug(host->backend, 1);
	host_expect(host, "usb+ 1-1.1 2711/3"); /* and nothing in between */
	host_free(host);
}

/* secure-boot-msd: the same loader, and all the rest in boot.img. */
static void mass_storage_of_the_vpu_may_come_out_of_boot_img(void **state)
{
	static const struct file files[] = {{"config.txt", "boot_ramdisk=1\n", 15},
		{"boot.img", "img", 3}, {"boot.sig", "sig", 3}, {NULL, NULL, 0}};
	static struct talk talk;
	struct host *host = run(QUICK, "start4.elf", files, &talk);

	assert_string_equal(talk.asked, "config.txt !config.txt boot.img !boot.img ");
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 0001/3");
	host_free(host);

	host = run(QUICK ":fault=locked", "start4.elf", files, &talk);
	assert_string_equal(
		talk.asked, "config.txt !config.txt boot.img !boot.img boot.sig !boot.sig ");
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 0001/3");
	host_free(host);
}

static void a_locked_module_asks_for_boot_sig_until_it_gets_it(void **state)
{
	static const struct file unsigned_set[] = {{"mcb.bin", "mcb", 3}, {"bootmain", "main", 4},
		{"boot.img", "img", 3}, {NULL, NULL, 0}};
	static const struct file signed_set[] = {{"boot.sig", "sig", 3}, {NULL, NULL, 0}};
	static struct talk talk;
	struct usb_device *usb;
	struct host *host;

	talk.stop_after = 600;
	host = run(QUICK ":fault=locked", "of no kind", unsigned_set, &talk);
	assert_in_range(count(host, SIM_EVENT_SIZE, "boot.sig"), 500, 600);

	talk.stop_after = 0;
	usb = host_usb(host);
	assert_int_equal(serve(usb, signed_set, &talk), 0);
	assert_string_equal(talk.asked, "boot.sig !boot.sig ");
	usb->ops->close(usb);
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 0104/3");
	host_free(host);
}

static void a_fastboot_gadget_sits_on_its_port(void **state)
{
	struct host *host = host_new(QUICK ":fault=fastboot");
	struct usb_device *usb;

	host_expect(host, "usb+ 1-1.1 4e40/3");
	assert_int_equal(host->backend->ops->open_usb(host->backend, "1-1.1", &usb), -ENODEV);
	sim_inspect_unplug(host->backend, 1);
	host_expect(host, "usb- 1-1.1");
	host_free(host);
}

static void a_cm1_boots_as_a_cm3_does(void **state)
{
	static const struct file files[] = {{"start.elf", "elf", 3}, {NULL, NULL, 0}};
	static struct talk talk;
	struct host *host = run("model=cm1:" QUICK, "of no kind", files, &talk);

	assert_string_equal(
		talk.asked, "autoboot.txt config.txt recovery.elf start.elf !start.elf fixup.dat ");
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 0001/0");
	host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mass_storage_of_the_vpu_has_one_disk_and_no_console),
		cmocka_unit_test(without_start4_elf_there_is_no_mass_storage),
		cmocka_unit_test(mass_storage_of_the_vpu_may_come_out_of_boot_img),
		cmocka_unit_test(a_locked_module_asks_for_boot_sig_until_it_gets_it),
		cmocka_unit_test(a_fastboot_gadget_sits_on_its_port),
		cmocka_unit_test(a_cm1_boots_as_a_cm3_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
