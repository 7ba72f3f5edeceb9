#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "payload/payload.h"
#include "rig.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* What a fleet makes of modules that became something else than the Linux gadget. */

#define FAST   "emmc=64M:link=0:medium=0:boot=50"
#define SERIAL "af04b2da"
#define MIB    (1024ull * 1024)
#define EEPROM (512u << 10)

static char msd_stage[] = "a loader that fetches start4.elf";
static char recovery_stage[] = "a program that writes pieeprom.bin";

/* The record as the module wrote it; free() it. */
static char *record_of(const struct rig *rig)
{
	char path[128], *text = calloc(1, 1 << 20);
	FILE *file;

	snprintf(path, sizeof(path), "%s/" SERIAL "-record.txt", rig->dir);
	file = fopen(path, "re");
	assert_non_null(text);
	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	return text;
}

/* Until the record has @line. */
static void wait_for_record(struct rig *rig, const char *line)
{
	uint64_t bound = clock_ns() + RIG_BOUND_S * NS_PER_S;

	for (;;) {
		_cleanup_free_ char *record = record_of(rig);

		if (strstr(record, line))
			return;
		if (clock_ns() > bound)
			fail_msg("no '%s' in:\n%s", line, record);
		LOCKED(&rig->lock);
		cond_wait_until(&rig->changed, &rig->lock, clock_ns() + 10 * NS_PER_MS);
	}
}

/* The line of a file that arrived as it is here. */
static void line_of(const struct payload_blob *blob, char line[256])
{
	unsigned char raw[32];
	int n = snprintf(line, 256, "file %s %zu ", blob->name, blob->size);

	assert_true(EVP_Digest(blob->data, blob->size, raw, NULL, EVP_sha256(), NULL));
	for (int i = 0; i < 32; i++)
		n += sprintf(line + n, "%02x", raw[i]);
	strcpy(line + n, "\n");
}

/* They arrived, in this order, and nothing else did. */
static void expect_files(const struct rig *rig, const struct payload_blob *blobs, size_t n)
{
	_cleanup_free_ char *record = record_of(rig);
	char *at = record, line[256];

	for (size_t i = 0; i < n; i++) {
		line_of(&blobs[i], line);
		at = strstr(at, "\nfile ");
		assert_non_null(at);
		assert_memory_equal(at + 1, line, strlen(line));
		at++;
	}
	assert_null(strstr(at, "\nfile "));
}

static void start_with(
	struct rig *rig, const char *spec, const struct payload_blob *blobs, size_t n)
{
	struct payload *payload;

	assert_int_equal(payload_new_blobs("a set of files", blobs, n, &payload), 0);
	rig_start_with_payload(rig, spec, payload);
}

static void mass_storage_of_the_vpu_is_flashed_and_read_back(void **state)
{
	static const struct payload_blob blobs[] = {
		{"start4.elf", "an elf", 6}, {"bootcode4.bin", msd_stage, sizeof(msd_stage)}};
	struct cm4_module *module;
	struct cm4_status status;
	struct rig rig;

	start_with(&rig, FAST, blobs, 2);
	module = rig_module(&rig, SERIAL);
	assert_int_equal(rig_copy(module, "image.img", 4 * MIB, 1), 0);
	status = rig_status(module);
	assert_int_equal(status.state, CM4_STATE_DONE);
	assert_int_equal(status.n_disks, 1);
	assert_true(rig_medium_is(&rig, SERIAL, 4 * MIB, 1));
	expect_files(&rig, blobs, 1);
	cm4_module_unref(module);
	rig_stop(&rig);
}

struct boot {
	struct cm4_module *module;
	int result;
};

static void *boot_thread(void *data)
{
	struct boot *boot = data;

	boot->result = rig_control(boot->module, CM4_VERB_BOOT);
	return NULL;
}

/* The set of an update, in the order in which it is read; then the second stage. */
static void make_set(struct payload_blob blobs[4], unsigned char *image, char signature[128])
{
	unsigned char raw[32];
	int n = 0;

	rig_fill(image, EEPROM, 0, 7);
	assert_true(EVP_Digest(image, EEPROM, raw, NULL, EVP_sha256(), NULL));
	for (int i = 0; i < 32; i++)
		n += sprintf(signature + n, "%02x", raw[i]);
	strcpy(signature + n, "\nts: 1700000000\n");
	blobs[0] = (struct payload_blob){"config.txt", "uart_2ndstage=1\n", 16};
	blobs[1] = (struct payload_blob){"pieeprom.sig", signature, strlen(signature)};
	blobs[2] = (struct payload_blob){"pieeprom.bin", image, EEPROM};
	blobs[3] = (struct payload_blob){"bootcode4.bin", recovery_stage, sizeof(recovery_stage)};
}

/* Until the module blinks; what the fleet makes of that is another test's matter. */
static void run_recovery(struct rig *rig, struct cm4_module *module)
{
	struct boot boot = {.module = module};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, boot_thread, &boot), 0);
	wait_for_record(rig, "\nblinks");
	rig_control(module, CM4_VERB_CANCEL);
	pthread_join(thread, NULL);
}

static const char *metadata(const struct cm4_status *status, const char *key)
{
	for (size_t i = 0; i < status->n_metadata; i++) {
		if (strcmp(status->metadata[i].key, key) == 0)
			return status->metadata[i].value;
	}
	return NULL;
}

static void an_eeprom_gets_the_very_files_that_were_served(void **state)
{
	_cleanup_free_ unsigned char *image = malloc(EEPROM), *found = malloc(EEPROM + 1);
	struct payload_blob blobs[4];
	struct cm4_module *module;
	struct cm4_status status;
	char signature[128], path[128];
	struct rig rig;
	FILE *file;

	make_set(blobs, image, signature);
	start_with(&rig, FAST, blobs, 4);
	module = rig_module(&rig, SERIAL);
	run_recovery(&rig, module);
	expect_files(&rig, blobs, 3);
	snprintf(path, sizeof(path), "%s/" SERIAL "-eeprom.bin", rig.dir);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fread(found, 1, EEPROM + 1, file), EEPROM);
	fclose(file);
	assert_memory_equal(found, image, EEPROM);

	status = rig_status(module);
	assert_string_equal(metadata(&status, "EEPROM_UPDATE"), "success");
	assert_memory_equal(metadata(&status, "EEPROM_HASH"), signature, 64);
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void hostile_metadata_end_and_are_no_success(void **state)
{
	_cleanup_free_ unsigned char *image = malloc(EEPROM);
	struct payload_blob blobs[4];
	struct cm4_module *module;
	struct cm4_status status;
	const char *update;
	char signature[128];
	struct rig rig;

	make_set(blobs, image, signature);
	start_with(&rig, FAST ":fault=eeprom@garbage", blobs, 4);
	module = rig_module(&rig, SERIAL);
	run_recovery(&rig, module);
	status = rig_status(module);
	assert_in_range(status.n_metadata, 0, CM4_METADATA_MAX);
	update = metadata(&status, "EEPROM_UPDATE");
	assert_true(!update || strcmp(update, "success") != 0);
	assert_string_not_equal(cm4_state_to_string(status.state), "updated");
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void a_locked_module_without_boot_sig_is_known_for_one(void **state)
{
	struct cm4_module *module;
	struct rig rig;

	rig_start(&rig, FAST ":fault=locked", false);
	module = rig_module(&rig, SERIAL);
	assert_true(rig_control(module, CM4_VERB_BOOT) < 0);
	assert_string_equal(rig_status(module).failure.id, "boot-sig");
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void a_fastboot_gadget_is_shown_and_left_alone(void **state)
{
	struct cm4_module *module;
	struct rig rig;

	rig_start(&rig, "count=2:fault=1/fastboot:" FAST, true);
	module = rig_module(&rig, "4d3c2c8b");
	rig_wait_state(&rig, module, CM4_STATE_READY);
	cm4_module_unref(module);
	module = rig_module(&rig, SERIAL);
	assert_int_equal(rig_status(module).stage, CM4_STAGE_OTHER);
	cm4_module_unref(module);
	rig_stop(&rig);
}

static void a_cm1_is_flashed_by_its_ports_name(void **state)
{
	struct cm4_module *module;
	struct rig rig;

	rig_start(&rig, "model=cm1:" FAST, false);
	module = rig_module(&rig, "port-1-1.1");
	assert_string_equal(rig_status(module).model, "cm1");
	assert_int_equal(rig_copy(module, "image.img", 2 * MIB, 1), 0);
	assert_true(rig_medium_is(&rig, SERIAL, 2 * MIB, 1));
	cm4_module_unref(module);
	rig_stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mass_storage_of_the_vpu_is_flashed_and_read_back),
		cmocka_unit_test(an_eeprom_gets_the_very_files_that_were_served),
		cmocka_unit_test(hostile_metadata_end_and_are_no_success),
		cmocka_unit_test(a_locked_module_without_boot_sig_is_known_for_one),
		cmocka_unit_test(a_fastboot_gadget_is_shown_and_left_alone),
		cmocka_unit_test(a_cm1_is_flashed_by_its_ports_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
