#include "life-fixture.h"

/* Boots that write an EEPROM instead of ending with a disk. */

#define SERVE_THE_SECOND_STAGE                                                                     \
	{LIFE_BOOT, 0, CM4_STATE_BOOTING, LIFE_DO_ROM, 0},                                         \
		{LIFE_SERVED, 0, CM4_STATE_BOOTING, 0, LIFE_SECOND_STAGE_MS},                      \
		{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER},                                \
	{                                                                                          \
		LIFE_USB_SECOND, 0, CM4_STATE_BOOTING, LIFE_DO_SERVER, 0                           \
	}

static void one_whose_eeprom_was_written_stays_updated_when_it_comes_back(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, SERVE_THE_SECOND_STAGE, {LIFE_UPDATED, 0, CM4_STATE_UPDATED, LIFE_DO_ADMIT, 0},
		{LIFE_USB_GONE, 0, CM4_STATE_UPDATED, 0, LIFE_DISK_STAGE_MS},
		{LIFE_USB_ROM, 0, CM4_STATE_UPDATED, 0, NO_TIMER}, BOOT_TO_READY);
}

static void and_keeps_its_directory_when_it_does_not(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, SERVE_THE_SECOND_STAGE,
		{LIFE_USB_GONE, 0, CM4_STATE_BOOTING, 0, NO_TIMER}, /* before its word was judged */
		{LIFE_UPDATED, 0, CM4_STATE_UPDATED, LIFE_DO_ADMIT, LIFE_DISK_STAGE_MS},
		{LIFE_TIMEOUT, 0, CM4_STATE_UPDATED, 0, NO_TIMER});
	assert_true(life.gone);
	LIVE(&life, {LIFE_CLEAR, 0, CM4_STATE_UPDATED, LIFE_DO_LEAVE, NO_TIMER});
}

static void one_whose_eeprom_was_not_written_has_failed(void **state)
{
	struct life life;

	life_init(&life, CM4_STAGE_ROM);
	LIVE(&life, SERVE_THE_SECOND_STAGE,
		{LIFE_UPDATE_FAILED, -EIO, CM4_STATE_FAILED, LIFE_DO_REFUSE, 0});
	assert_int_equal(life.failure, FAILURE_EEPROM);
	assert_int_equal(life.failure_error, EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_whose_eeprom_was_written_stays_updated_when_it_comes_back),
		cmocka_unit_test(and_keeps_its_directory_when_it_does_not),
		cmocka_unit_test(one_whose_eeprom_was_not_written_has_failed),
	};

	return cmocka_run_group_tests_name("life-update", tests, NULL, NULL);
}
