#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/model.h"
#include "sim/search.h"
#include "sim/spec.h"
#include "util/cleanup.h"

static struct sim_spec *parse(const char *text)
{
	struct sim_spec *spec = NULL;
	char message[256] = "";

	if (sim_spec_parse(text, &spec, message, sizeof(message)) < 0)
		fail_msg("'%s': %s", text, message);
	return spec;
}

static void an_empty_spec_is_one_cm4_of_a_gigabyte(void **state)
{
	static const char *const texts[] = {NULL, "", "1", "count=1"};

	for (size_t i = 0; i < 4; i++) {
		struct sim_spec *spec = parse(texts[i]);

		assert_int_equal(spec->count, 1);
		assert_int_equal(spec->emmc, 1u << 30);
		assert_int_equal(spec->link, 40u << 20);
		assert_int_equal(spec->medium, 150u << 20);
		assert_string_equal(spec->model->name, "cm4");
		assert_null(spec->dir);
		sim_spec_free(spec);
	}
}

static void every_key_is_understood(void **state)
{
	struct sim_spec *spec =
		parse("count=64:emmc=512K:nvme=2G:link=0:medium=10m:boot=50:model=cm5:"
		      "dir=/some/dir=x:fault=held:fault=2/unplug@write=4M:fault=status@3");

	assert_int_equal(spec->count, 64);
	assert_int_equal(spec->emmc, 512 << 10);
	assert_int_equal(spec->nvme, 2ull << 30);
	assert_int_equal(spec->link, 0);
	assert_int_equal(spec->medium, 10 << 20);
	assert_int_equal(spec->boot_ms, 50);
	assert_string_equal(spec->model->name, "cm5");
	assert_string_equal(spec->dir, "/some/dir=x");
	assert_int_equal(spec->n_faults, 3);
	assert_int_equal(spec->faults[1].module, 2);
	assert_int_equal(spec->faults[1].kind, SIM_FAULT_UNPLUG);
	assert_int_equal(spec->faults[1].point, SIM_POINT_WRITE);
	assert_int_equal(spec->faults[1].number, 4 << 20);
	assert_int_equal(spec->faults[2].number, 3);
	sim_spec_free(spec);
}

static void a_lite_has_no_disk_unless_it_is_given_a_card(void **state)
{
	struct sim_spec *spec = parse("model=cm4-lite");

	assert_int_equal(spec->emmc, 0);
	sim_spec_free(spec);
	spec = parse("emmc=8M:model=cm4-lite");
	assert_int_equal(spec->emmc, 8 << 20);
	sim_spec_free(spec);
}

static void what_is_not_understood_is_named(void **state)
{
	static const struct {
		const char *text, *named;
	} wrong[] = {
		{"0", "0"},
		{"257", "257"},
		{"count=0", "count=0"},
		{"many", "'many'"},
		{"colour=red", "'colour'"},
		{"emmc=1X", "emmc=1X"},
		{"emmc=1GB", "emmc=1GB"},
		{"emmc=1000", "multiple of 512"},
		{"emmc=99999999999999999999", "emmc="},
		{"emmc=9000000000000000000G", "emmc="},
		{"emmc=-1", "emmc=-1"},
		{"link=fast", "link=fast"},
		{"model=cm2", "model=cm2"},
		{"dir=", "dir="},
		{"dir=/a:b", "colon"},
		{"count=2:", "''"},
		{"fault=broken", "fault=broken"},
		{"fault=held@3", "fault=held@3"},
		{"fault=unplug", "fault=unplug"},
		{"fault=unplug@moon", "fault=unplug@moon"},
		{"fault=unplug@write", "fault=unplug@write"},
		{"fault=unplug@rom=3", "fault=unplug@rom=3"},
		{"fault=unplug@file=", "fault=unplug@file="},
		{"fault=nonsense@polite", "fault=nonsense@polite"},
		{"fault=eeprom", "fault=eeprom"},
		{"fault=eeprom@red", "fault=eeprom@red"},
		{"fault=locked@1", "fault=locked@1"},
		{"fault=0/held", "fault=0/held"},
		{"fault=3/held:count=2", "only 2 modules"},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sim_spec *spec = NULL;
		char message[256] = "";

		assert_int_equal(
			sim_spec_parse(wrong[i].text, &spec, message, sizeof(message)), -EINVAL);
		assert_null(spec);
		if (!strstr(message, wrong[i].named))
			fail_msg("'%s' gives: %s", wrong[i].text, message);
	}
}

static void too_many_faults_are_refused(void **state)
{
	char text[2048] = "count=1", message[256] = "";
	struct sim_spec *spec = NULL;

	for (int i = 0; i < SIM_FAULTS_MAX + 1; i++)
		strcat(text, ":fault=held");
	assert_int_equal(sim_spec_parse(text, &spec, message, sizeof(message)), -EINVAL);
}

/* What help shows can be ordered: its fault lines are taken word by word. */
static void help_lists_every_key_model_and_fault(void **state)
{
	static const char *const words[] = {"count=", "emmc=", "nvme=", "link=", "medium=", "boot=",
		"model=", "dir=", "fault=", "cm4-lite", "cm3", "cm5", "cm1", "silent@POINT",
		"unplug@POINT", "stall@POINT",
		"nonsense@bad-command|no-nul|dotdot|absolute|control|endless|short",
		"console@none|dead|noisy", "corrupt@BYTES", "replug@MS", "adopt", "second-stage",
		"done", "write=BYTES", "file=NAME", "eeprom@green|hash|failed|mute|garbage",
		"locked", "fastboot", "start4.elf", "eeprom.bin"};
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	sim_spec_help(stream);
	fclose(stream);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strstr(text, words[i]))
			fail_msg("help does not say %s:\n%s", words[i], text);
	}
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_in_range(strlen(line), 1, 100);
	free(text);
}

static struct usb_identity identify(
	const char *model, enum sim_stage stage, enum sim_program program, bool full_speed)
{
	struct usb_identity id;

	sim_model_identify(
		sim_model_find(model), stage, program, "1-1.1", 0xaf04b2da, full_speed, &id);
	return id;
}

static void identities_follow_the_stages(void **state)
{
	struct usb_identity id;

	id = identify("cm4", SIM_STAGE_ROM, SIM_PROGRAM_GADGET, false);
	assert_string_equal(id.serial, "af04b2da");
	assert_int_equal(id.link_mbps, 480);
	id = identify("cm4", SIM_STAGE_SECOND, SIM_PROGRAM_GADGET, false);
	assert_int_equal(id.serial_index, 4);
	assert_null(strstr(id.serial, "af04b2da"));
	id = identify("cm4", SIM_STAGE_DISK, SIM_PROGRAM_GADGET, true);
	assert_string_equal(id.serial, "10000000af04b2da");
	assert_int_equal(id.link_mbps, 12);
	id = identify("cm5", SIM_STAGE_DISK, SIM_PROGRAM_GADGET, false);
	assert_string_equal(id.serial + 8, "af04b2da");
	assert_string_not_equal(id.serial, "10000000af04b2da");
	id = identify("cm3", SIM_STAGE_ROM, SIM_PROGRAM_MSD, false);
	assert_string_equal(id.serial, "");
	id = identify("cm3", SIM_STAGE_SECOND, SIM_PROGRAM_MSD, false);
	assert_string_equal(id.serial, "Broadcom");
	assert_int_equal(id.link_mbps, 12);
}

static void identities_follow_the_program(void **state)
{
	struct usb_identity id = identify("cm4", SIM_STAGE_DISK, SIM_PROGRAM_MSD, false);

	assert_int_equal(id.product, 0x0001);
	assert_string_equal(id.serial, "af04b2da");
	id = identify("cm1", SIM_STAGE_DISK, SIM_PROGRAM_MSD, false);
	assert_int_equal(id.product, 0x0001);
	assert_int_equal(id.serial_index, 0);
	id = identify("cm4", SIM_STAGE_FASTBOOT, SIM_PROGRAM_GADGET, false);
	assert_int_equal(id.vendor, 0x18d1);
	assert_int_equal(id.product, 0x4e40);
	assert_string_equal(id.serial, "10000000af04b2da");
}

/* Where both texts stand in it, as in usbboot's bootcode4.bin, it is the mass storage's. */
static void a_second_stage_is_known_by_the_texts_in_it(void **state)
{
	const struct sim_model *cm4 = sim_model_find("cm4"), *cm5 = sim_model_find("cm5"),
			       *cm3 = sim_model_find("cm3");

	assert_int_equal(sim_model_program(cm4, false, false), SIM_PROGRAM_GADGET);
	assert_int_equal(sim_model_program(cm4, true, false), SIM_PROGRAM_MSD);
	assert_int_equal(sim_model_program(cm4, true, true), SIM_PROGRAM_MSD);
	assert_int_equal(sim_model_program(cm4, false, true), SIM_PROGRAM_RECOVERY);
	assert_int_equal(sim_model_program(cm5, false, true), SIM_PROGRAM_RECOVERY);
	assert_int_equal(sim_model_program(cm5, false, false), SIM_PROGRAM_GADGET);
	assert_int_equal(sim_model_program(cm3, false, false), SIM_PROGRAM_MSD);
	assert_int_equal(sim_model_program(cm3, false, true), SIM_PROGRAM_MSD);
}

static bool finds(const char *text, const char *bytes, size_t piece)
{
	struct sim_search search = {.text = text};
	size_t n = strlen(bytes);

	for (size_t at = 0; at < n; at += piece)
		sim_search_feed(&search, bytes + at, n - at < piece ? n - at : piece);
	return search.found;
}

static void a_text_is_found_however_it_is_cut(void **state)
{
	for (size_t piece = 1; piece < 20; piece++) {
		assert_true(finds("pieeprom.bin", "pieepieeprom.bin", piece));
		assert_true(finds("aabaac", "aabaabaac", piece));
		assert_false(finds("start4.elf", "start.elf start4el start4.el", piece));
		assert_false(finds("aab", "aaaaaaa", piece));
		assert_false(finds(NULL, "anything", piece));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_spec_is_one_cm4_of_a_gigabyte),
		cmocka_unit_test(every_key_is_understood),
		cmocka_unit_test(a_lite_has_no_disk_unless_it_is_given_a_card),
		cmocka_unit_test(what_is_not_understood_is_named),
		cmocka_unit_test(too_many_faults_are_refused),
		cmocka_unit_test(help_lists_every_key_model_and_fault),
		cmocka_unit_test(identities_follow_the_stages),
		cmocka_unit_test(identities_follow_the_program),
		cmocka_unit_test(a_second_stage_is_known_by_the_texts_in_it),
		cmocka_unit_test(a_text_is_found_however_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
