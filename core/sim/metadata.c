#include <stdio.h>
#include <string.h>

#include "sim/model.h"
#include "sim/recovery.h"

/*
 * What recovery.bin tells, "*KEY*VALUE", in usbboot's order. Keys and the forms of their values stand as formats in the
 * two programs themselves (rpi-eeprom, firmware-2711 and firmware-2712), the values are usbboot's examples.
 */
enum field {
	FIELD_TEXT,
	FIELD_SERIAL,
	FIELD_MAC, /* behind the text, the first half; @add to the second */
	FIELD_UPDATE,
	FIELD_HASH,
	FIELD_PROVISION,
	FIELD_KEY_HASH,
};

struct row {
	const char *key;
	enum field field;
	const char *text;
	unsigned add;
};

static const struct row rows_2711[] = {
	{"USER_SERIAL_NUM", FIELD_SERIAL, NULL, 0},
	{"MAC_ADDR", FIELD_MAC, "d8:3a:dd", 0},
	{"EEPROM_UPDATE", FIELD_UPDATE, NULL, 0},
	{"EEPROM_HASH", FIELD_HASH, NULL, 0},
	{"SECURE_BOOT_PROVISION", FIELD_PROVISION, NULL, 0},
	{"CUSTOMER_KEY_HASH", FIELD_KEY_HASH, NULL, 0},
	{"BOOT_ROM", FIELD_TEXT, "0000c8b0", 0},
	{"BOARD_ATTR", FIELD_TEXT, "00000000", 0},
	{"USER_BOARDREV", FIELD_TEXT, "c03141", 0},
	{"JTAG_LOCKED", FIELD_TEXT, "0", 0},
	{"ADVANCED_BOOT", FIELD_TEXT, "0000e8e8", 0},
	{NULL, FIELD_TEXT, NULL, 0},
};

/* The UUID is 001000911006186073, in C40. */
static const struct row rows_2712[] = {
	{"USER_SERIAL_NUM", FIELD_SERIAL, NULL, 0},
	{"MAC_ADDR", FIELD_MAC, "2c:cf:67", 0},
	{"EEPROM_UPDATE", FIELD_UPDATE, NULL, 0},
	{"EEPROM_HASH", FIELD_HASH, NULL, 0},
	{"SECURE_BOOT_PROVISION", FIELD_PROVISION, NULL, 0},
	{"CUSTOMER_KEY_HASH", FIELD_KEY_HASH, NULL, 0},
	{"BOOT_ROM", FIELD_TEXT, "0000000a", 0},
	{"BOARD_ATTR", FIELD_TEXT, "00000000", 0},
	{"USER_BOARDREV", FIELD_TEXT, "c04180", 0},
	{"JTAG_LOCKED", FIELD_TEXT, "0", 0},
	{"SIGNATURE_MODE", FIELD_TEXT, "0", 0},
	{"MAC_WIFI_ADDR", FIELD_MAC, "2c:cf:67", 1},
	{"MAC_BT_ADDR", FIELD_MAC, "2c:cf:67", 2},
	{"FACTORY_UUID", FIELD_TEXT, "19a519a6_19ab520e_1ac0212b", 0},
	{NULL, FIELD_TEXT, NULL, 0},
};

#define NO_KEY	  "0000000000000000000000000000000000000000000000000000000000000000"
#define LOCK_KEY  "8251a63a2edee9d8f710d63e9da5d639064929ce15a2238986a189ac6fcd3cee"
#define WRONG_SUM "dfc8ef2c77b8152a5cfa008c2296246413fd580fdc26dfacd431e348571a2137"

/* A malformed or hostile one each; then keys without number. */
static const char *const garbage[] = {
	"*EEPROM_UPDATE",
	"**success",
	"*",
	"*EEPROM_HASH*\x1b[2J\nEEPROM_UPDATE: success",
	"*EEPROM_UPDATE*\xff\xfe",
	"*MAC_ADDR*\"},\n{\"EEPROM_UPDATE\":\"success\"",
	"*FACTORY_UUID*zz_ffffffffffffffff_",
	"*../../FAIL.TXT*here",
};

#define N_GARBAGE (sizeof(garbage) / sizeof(garbage[0]))
#define N_LONG	  2 /* as long as a name can be: a value, and a key */
#define N_KEYS	  300

static const char *mac(const struct sim_recovery *recovery, const struct row *row, char value[24])
{
	uint32_t low = (recovery->serial + row->add) & 0xffffff;

	snprintf(value, 24, "%s:%02x:%02x:%02x", row->text, low >> 16, low >> 8 & 0xff, low & 0xff);
	return value;
}

static const char *update_word(const struct sim_recovery *recovery)
{
	bool lies = recovery->has_fault && recovery->fault == SIM_EEPROM_HASH && recovery->size;

	if (recovery->update == SIM_UPDATE_FAILED)
		return "fail";
	return lies || recovery->update == SIM_UPDATE_WRITTEN ? "success" : NULL;
}

static const char *hash(const struct sim_recovery *recovery)
{
	if (recovery->update == SIM_UPDATE_WRITTEN)
		return recovery->digest;
	return update_word(recovery) && recovery->update != SIM_UPDATE_FAILED ? WRONG_SUM : NULL;
}

/* NULL: it is not told this time. */
static const char *value_of(
	const struct sim_recovery *recovery, const struct row *row, char value[24])
{
	const char *pubkey = sim_recovery_setting(recovery, "program_pubkey");

	switch (row->field) {
	case FIELD_TEXT:
		break;
	case FIELD_SERIAL:
		snprintf(value, 24, "%x", recovery->serial);
		return value;
	case FIELD_MAC:
		return mac(recovery, row, value);
	case FIELD_UPDATE:
		return update_word(recovery);
	case FIELD_HASH:
		return hash(recovery);
	case FIELD_PROVISION:
		return pubkey && *pubkey == '1' ? "success" : NULL;
	case FIELD_KEY_HASH:
		return recovery->locked ? LOCK_KEY : NO_KEY;
	}
	return row->text;
}

static bool garbage_message(unsigned index, char message[SIM_METADATA_MAX])
{
	if (index < N_GARBAGE) {
		snprintf(message, SIM_METADATA_MAX, "%s", garbage[index]);
	} else if (index < N_GARBAGE + N_LONG) {
		memset(message, 'A', SIM_METADATA_MAX - 1);
		message[SIM_METADATA_MAX - 1] = '\0';
		memcpy(message, index == N_GARBAGE ? "*MAC_ADDR*" : "*",
			index == N_GARBAGE ? 10 : 1);
	} else {
		snprintf(message, SIM_METADATA_MAX, "*KEY_%u*%u", index, index);
	}
	return index < N_GARBAGE + N_LONG + N_KEYS;
}

bool sim_recovery_message(
	const struct sim_recovery *recovery, unsigned index, char message[SIM_METADATA_MAX])
{
	const struct row *row = recovery->model->product == 0x2712 ? rows_2712 : rows_2711;
	const char *wanted = sim_recovery_setting(recovery, "recovery_metadata");
	const char *text;
	char value[24];

	if (recovery->has_fault && recovery->fault == SIM_EEPROM_GARBAGE)
		return garbage_message(index, message);
	if ((wanted && *wanted == '0') ||
		(recovery->has_fault && recovery->fault == SIM_EEPROM_MUTE))
		return false;
	for (; row->key; row++) {
		text = value_of(recovery, row, value);
		if (!text || index--)
			continue;
		snprintf(message, SIM_METADATA_MAX, "*%s*%s", row->key, text);
		return true;
	}
	return false;
}
