#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/fault.h"
#include "sim/record.h"

struct sim_model;

/*
 * What recovery.bin does with what it fetched: it compares pieeprom.bin with pieeprom.sig, writes the EEPROM, and tells
 * of both as names of files. Pure, but for sim_recovery_write.
 *
 * Belongs to its server, and with it to the module whose lock guards it.
 */
#define SIM_EEPROM_IMAGE "pieeprom.bin"
#define SIM_METADATA_MAX 256 /* a name, with its NUL */
#define SIM_TEXT_MAX	 4096

enum sim_update {
	SIM_UPDATE_NONE, /* nothing was there to be written, or nothing is said of it */
	SIM_UPDATE_DUE,
	SIM_UPDATE_WRITTEN,
	SIM_UPDATE_FAILED,
};

struct sim_recovery {
	/* Constant: its orders. */
	const struct sim_model *model;
	uint32_t serial;
	bool locked;
	bool has_fault;
	enum sim_eeprom_kind fault;

	char config[SIM_TEXT_MAX],
		signature[SIM_TEXT_MAX]; /* texts as they came, cut at their end */
	unsigned char *image;		 /* what came of pieeprom.bin; NULL: nothing */
	uint64_t size;			 /* of it */
	char digest[SIM_DIGEST_MAX];	 /* of it */
	enum sim_update update;
};

/* Forgets what came; the orders stay. */
void sim_recovery_reset(struct sim_recovery *recovery);

/* A piece of a file, and the end of one. */
void sim_recovery_keep(struct sim_recovery *recovery, const char *name, uint64_t at,
	const void *data, size_t size);
void sim_recovery_arrived(
	struct sim_recovery *recovery, const char *name, uint64_t size, const char *digest);

/* All is here: whether the EEPROM is to be written. What config.txt would burn for good goes into the record. */
void sim_recovery_decide(struct sim_recovery *recovery, struct sim_record *record);

/* Writes it, to @path (NULL: nowhere), where it is due. */
void sim_recovery_write(struct sim_recovery *recovery, const char *path, struct sim_record *record);

/* Whether config.txt has @key with a number other than 0. */
bool sim_recovery_is_set(const struct sim_recovery *recovery, const char *key);
bool sim_recovery_reboots(const struct sim_recovery *recovery);

/* config.txt's value of @key; NULL: it has none. */
const char *sim_recovery_setting(const struct sim_recovery *recovery, const char *key);

/* metadata.c: the message of that index. False: there are no more. */
bool sim_recovery_message(
	const struct sim_recovery *recovery, unsigned index, char message[SIM_METADATA_MAX]);
