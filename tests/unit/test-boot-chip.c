#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "boot/chip.h"

static enum boot_kind kind_of(uint16_t vendor, uint16_t product, uint8_t serial_index)
{
	const struct boot_chip *chip;

	return boot_identify(vendor, product, serial_index, &chip);
}

static const char *model_of(uint16_t product, uint8_t serial_index)
{
	const struct boot_chip *chip;

	boot_identify(USB_VENDOR_BROADCOM, product, serial_index, &chip);
	return chip ? chip->model : "none";
}

static void a_rom_is_known_by_its_serial_index(void **state)
{
	assert_int_equal(kind_of(0x0a5c, 0x2763, 0), BOOT_KIND_ROM);
	assert_int_equal(kind_of(0x0a5c, 0x2764, 0), BOOT_KIND_ROM);
	assert_int_equal(kind_of(0x0a5c, 0x2711, 3), BOOT_KIND_ROM);
	assert_int_equal(kind_of(0x0a5c, 0x2712, 3), BOOT_KIND_ROM);
}

static void any_other_index_is_a_second_stage(void **state)
{
	assert_int_equal(kind_of(0x0a5c, 0x2763, 1), BOOT_KIND_SECOND);
	assert_int_equal(kind_of(0x0a5c, 0x2764, 1), BOOT_KIND_SECOND);
	assert_int_equal(kind_of(0x0a5c, 0x2711, 4), BOOT_KIND_SECOND);
	assert_int_equal(kind_of(0x0a5c, 0x2711, 1), BOOT_KIND_SECOND);
	assert_int_equal(kind_of(0x0a5c, 0x2711, 2), BOOT_KIND_SECOND);
	assert_int_equal(kind_of(0x0a5c, 0x2712, 255), BOOT_KIND_SECOND);
}

static void a_booted_module_is_a_disk_and_has_no_chip(void **state)
{
	const struct boot_chip *chip = boot_chip_at(0);

	assert_int_equal(boot_identify(0x0a5c, 0x0001, 3, &chip), BOOT_KIND_DISK);
	assert_null(chip);
	assert_int_equal(kind_of(0x0a5c, 0x0001, 0), BOOT_KIND_DISK);
	assert_int_equal(kind_of(0x0a5c, 0x0104, 3), BOOT_KIND_DISK);
}

static void a_fastboot_gadget_is_another_tools(void **state)
{
	assert_int_equal(kind_of(0x18d1, 0x4e40, 3), BOOT_KIND_OTHER);
}

static void everything_else_is_unknown(void **state)
{
	assert_int_equal(kind_of(0x18d1, 0x4ee7, 3), BOOT_KIND_UNKNOWN);
	assert_int_equal(kind_of(0x0a5c, 0x2710, 3), BOOT_KIND_UNKNOWN);
	assert_int_equal(kind_of(0x1d6b, 0x2711, 3), BOOT_KIND_UNKNOWN);
	assert_int_equal(kind_of(0x1d6b, 0x0104, 3), BOOT_KIND_UNKNOWN);
	assert_string_equal(model_of(0x9999, 3), "none");
}

static void each_module_has_its_row(void **state)
{
	assert_string_equal(model_of(0x2763, 0), "cm1");
	assert_string_equal(model_of(0x2764, 0), "cm3");
	assert_string_equal(model_of(0x2711, 3), "cm4");
	assert_string_equal(model_of(0x2712, 4), "cm5");

	assert_string_equal(boot_chip_by_model("cm1")->prefix, "2710");
	assert_string_equal(boot_chip_by_model("cm3")->prefix, "2710");
	assert_string_equal(boot_chip_by_model("cm3")->second_stage, "bootcode.bin");
	assert_string_equal(boot_chip_by_model("cm4")->prefix, "2711");
	assert_string_equal(boot_chip_by_model("cm4")->second_stage, "bootcode4.bin");
	assert_string_equal(boot_chip_by_model("cm5")->second_stage, "bootcode5.bin");
	assert_null(boot_chip_by_model("cm2"));
	assert_null(boot_chip_by_product(0x0001));
}

static void only_older_roms_take_a_signature(void **state)
{
	assert_string_equal(boot_chip_by_model("cm1")->signature, "bootcode.sig");
	assert_string_equal(boot_chip_by_model("cm3")->signature, "bootcode.sig");
	assert_null(boot_chip_by_model("cm4")->signature);
	assert_null(boot_chip_by_model("cm5")->signature);
}

static void the_table_ends(void **state)
{
	assert_non_null(boot_chip_at(3));
	assert_null(boot_chip_at(4));
	assert_null(boot_chip_at(SIZE_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rom_is_known_by_its_serial_index),
		cmocka_unit_test(any_other_index_is_a_second_stage),
		cmocka_unit_test(a_booted_module_is_a_disk_and_has_no_chip),
		cmocka_unit_test(a_fastboot_gadget_is_another_tools),
		cmocka_unit_test(everything_else_is_unknown),
		cmocka_unit_test(each_module_has_its_row),
		cmocka_unit_test(only_older_roms_take_a_signature),
		cmocka_unit_test(the_table_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
