#include "sim-talk.h"

/* The recovery: what it asks for, what it writes, and what it tells of it, in truth and to order. */

static void a_recovery_writes_the_eeprom_and_tells_of_it(void **state)
{
	static struct talk talk;
	struct room room;
	struct set set;
	struct host *host;

	room_open(&room, QUICK);
	set_make(&set, EEPROM_4, "uart_2ndstage=1\n#recovery_reboot=1\n");
	host = run(room.spec, "pieeprom.bin", set.files, &talk);
	assert_string_equal(talk.asked, "config.txt !config.txt pieeprom.bin pieeprom.bin "
					"pieeprom.sig !pieeprom.sig pieeprom.bin !pieeprom.bin ");
	assert_string_equal(told(&talk, "USER_SERIAL_NUM"), "af04b2da");
	assert_string_equal(told(&talk, "MAC_ADDR"), "d8:3a:dd:04:b2:da");
	assert_string_equal(told(&talk, "EEPROM_UPDATE"), "success");
	assert_string_equal(told(&talk, "EEPROM_HASH"), set.digest);
	assert_string_equal(told(&talk, "BOARD_ATTR"), "00000000");
	assert_null(told(&talk, "FACTORY_UUID"));
	assert_null(told(&talk, "SECURE_BOOT_PROVISION"));
	expect_eeprom(room.dir, set.image, EEPROM_4);

	host_expect(host, "usb- 1-1.1");
	assert_int_equal(count(host, SIM_EVENT_EEPROM, NULL), 1);
	assert_int_equal(count(host, SIM_EVENT_METADATA, NULL), talk.n);
	assert_int_equal(count(host, SIM_EVENT_BLINKS, NULL), 1);
	assert_int_equal(count(host, SIM_EVENT_OTP, NULL), 0);
	host_free(host);
	free(set.image);
	room_close(&room);
}

static void a_cm5_has_a_larger_eeprom_and_tells_its_uuid(void **state)
{
	static struct talk talk;
	struct room room;
	struct set set;
	struct host *host;

	room_open(&room, "model=cm5:" QUICK);
	set_make(&set, EEPROM_5, "recovery_reboot=1\n");
	host = run(room.spec, "pieeprom.bin", set.files, &talk);
	assert_string_equal(told(&talk, "EEPROM_UPDATE"), "success");
	assert_string_equal(told(&talk, "EEPROM_HASH"), set.digest);
	assert_string_equal(told(&talk, "FACTORY_UUID"), "19a519a6_19ab520e_1ac0212b");
	assert_string_equal(told(&talk, "MAC_BT_ADDR"), "2c:cf:67:04:b2:dc");
	expect_eeprom(room.dir, set.image, EEPROM_5);
	/* It comes back by itself. */
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 2712/3");
	assert_int_equal(count(host, SIM_EVENT_BLINKS, NULL), 0);
	host_free(host);
	free(set.image);
	room_close(&room);
}

/* Nothing of these is written, and the module says so. */
static void a_recovery_refuses_what_is_not_sound(void **state)
{
	for (int i = 0; i < 3; i++) {
		static struct talk talk;
		struct room room;
		struct set set;
		struct host *host;

		room_open(&room, QUICK);
		set_make(&set, i == 0 ? EEPROM_5 : EEPROM_4, "");
		if (i == 1)
			set.files[2].name = NULL;
		if (i == 2)
			set.signature[0] = set.signature[0] == '0' ? '1' : '0';
		host = run(room.spec, "pieeprom.bin", set.files, &talk);
		assert_string_equal(told(&talk, "EEPROM_UPDATE"), "fail");
		assert_null(told(&talk, "EEPROM_HASH"));
		expect_eeprom(room.dir, NULL, 0);
		host_free(host);
		free(set.image);
		room_close(&room);
	}
}

static void a_recovery_without_an_image_is_content(void **state)
{
	static const struct file files[] = {{"config.txt", "a=1", 3}, {NULL, NULL, 0}};
	static struct talk talk;
	struct host *host = run(QUICK, "pieeprom.bin", files, &talk);

	assert_string_equal(talk.asked, "config.txt !config.txt pieeprom.bin ");
	assert_non_null(told(&talk, "MAC_ADDR"));
	assert_null(told(&talk, "EEPROM_UPDATE"));
	assert_null(told(&talk, "EEPROM_HASH"));
	host_expect(host, "usb- 1-1.1");
	assert_int_equal(count(host, SIM_EVENT_BLINKS, NULL), 1);
	host_free(host);
}

static void updates_fail_and_lie_as_ordered(void **state)
{
	static const struct {
		const char *fault, *word; /* NULL: none */
		bool hash, writes;
	} faults[] = {
		{"green", NULL, false, false},
		{"hash", "success", true, false},
		{"failed", "fail", false, false},
		{"mute", NULL, false, true},
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		static struct talk talk;
		struct room room;
		struct set set;
		struct host *host;
		char spec[64];

		snprintf(spec, sizeof(spec), QUICK ":fault=eeprom@%s", faults[i].fault);
		room_open(&room, spec);
		set_make(&set, EEPROM_4, "");
		host = run(room.spec, "pieeprom.bin", set.files, &talk);
		if (faults[i].word)
			assert_string_equal(told(&talk, "EEPROM_UPDATE"), faults[i].word);
		else
			assert_null(told(&talk, "EEPROM_UPDATE"));
		assert_int_equal(told(&talk, "EEPROM_HASH") != NULL, faults[i].hash);
		if (faults[i].hash)
			assert_string_not_equal(told(&talk, "EEPROM_HASH"), set.digest);
		assert_int_equal(talk.n == 0, faults[i].writes);
		expect_eeprom(room.dir, faults[i].writes ? set.image : NULL, EEPROM_4);
		host_expect(host, "usb- 1-1.1");
		host_free(host);
		free(set.image);
		room_close(&room);
	}
}

static void garbage_for_metadata_is_long_and_ends(void **state)
{
	static struct talk talk;
	struct set set;
	struct host *host;
	bool overlong = false, control = false;

	set_make(&set, EEPROM_4, "");
	host = run(QUICK ":fault=eeprom@garbage", "pieeprom.bin", set.files, &talk);
	assert_in_range(talk.n, 300, 399);
	for (size_t i = 0; i < talk.n; i++) {
		overlong = overlong || strlen(talk.metadata[i]) == 255;
		control = control || strchr(talk.metadata[i], 0x1b);
	}
	assert_true(overlong && control);
	assert_int_equal(count(host, SIM_EVENT_EEPROM, NULL), 0);
	host_expect(host, "usb- 1-1.1");
	host_free(host);
	free(set.image);
}

/* recovery_metadata=0 silences it; what would burn memory for good is written down. */
static void a_recovery_goes_by_its_config(void **state)
{
	static const char config[] =
		"[all]\n  program_pubkey=1\nrevoke_devkey=0\n#program_jtag_lock=1\n"
		"recovery_metadata=0\nrecovery_reboot=1";
	static struct talk talk;
	struct set set;
	struct host *host;

	set_make(&set, EEPROM_4, config);
	host = run(QUICK, "pieeprom.bin", set.files, &talk);
	assert_int_equal(talk.n, 0);
	assert_int_equal(count(host, SIM_EVENT_EEPROM, NULL), 1);
	assert_int_equal(count(host, SIM_EVENT_OTP, NULL), 1);
	assert_int_equal(count(host, SIM_EVENT_OTP, "program_pubkey"), 1);
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 2711/3");
	host_free(host);
	free(set.image);
}

static void a_locked_module_tells_that_it_is(void **state)
{
	static struct talk talk;
	struct set set;
	struct host *host;

	set_make(&set, EEPROM_4, "");
	host = run(QUICK ":fault=locked", "pieeprom.bin", set.files, &talk);
	assert_int_equal(strspn(told(&talk, "CUSTOMER_KEY_HASH"), "0123456789abcdef"), 64);
	assert_true(strspn(told(&talk, "CUSTOMER_KEY_HASH"), "0") < 64);
	host_free(host);
	free(set.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recovery_writes_the_eeprom_and_tells_of_it),
		cmocka_unit_test(a_cm5_has_a_larger_eeprom_and_tells_its_uuid),
		cmocka_unit_test(a_recovery_refuses_what_is_not_sound),
		cmocka_unit_test(a_recovery_without_an_image_is_content),
		cmocka_unit_test(updates_fail_and_lie_as_ordered),
		cmocka_unit_test(garbage_for_metadata_is_long_and_ends),
		cmocka_unit_test(a_recovery_goes_by_its_config),
		cmocka_unit_test(a_locked_module_tells_that_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
