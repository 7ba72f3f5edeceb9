#pragma once

#include <stdatomic.h>

#include "payload/payload.h"
#include "payload/staged.h"

/* Within staged files: the set that a module's directory has, and that a snapshot has a copy of. */

/* A file's bytes, which never change; shared by the sets that hold it. */
struct staged_blob {
	atomic_uint refs;
	void *data; /* of malloc */
	size_t size;
	time_t date;
};

struct staged_file {
	char path[STAGED_PATH_SIZE];
	struct staged_blob *blob;
};

/* In the order of their paths. */
struct staged_set {
	struct staged_file files[STAGED_FILES_MAX];
	size_t n;
	uint64_t bytes;
};

struct staged_blob *staged_blob_ref(struct staged_blob *blob);
void staged_blob_unref(struct staged_blob *blob);

/* NULL: no such file. */
const struct staged_blob *staged_lookup(const struct staged_set *set, const char *path);

/* @set is blank before. Its blobs are @staged's, each with a reference more. */
void staged_copy(struct staged *staged, struct staged_set *set);
void staged_drop(struct staged_set *set);

/* The last part of a path. */
const char *staged_name(const char *path);

/* Whether this file makes a set complete. */
bool staged_is_stage(const char *path);

/* A snapshot, and what is asked of one beyond a payload's own. Paths are looked up without a port. */
struct staged_snapshot;
int staged_snapshot_new(struct staged *staged, struct payload *base,
	struct staged_snapshot **ret_snapshot, char *message, size_t message_size);
void staged_snapshot_free(struct staged_snapshot *snapshot);
struct payload *staged_snapshot_payload(struct staged_snapshot *snapshot);
const struct staged_set *staged_snapshot_set(const struct staged_snapshot *snapshot);
bool staged_snapshot_is_complete(const struct staged_snapshot *snapshot);
bool staged_snapshot_is_eeprom_update(
	const struct staged_snapshot *snapshot, const struct boot_chip *chip);

/* Of the staged files alone, where they lie loose. NULL: none. */
const struct staged_blob *staged_snapshot_find(
	const struct staged_snapshot *snapshot, const struct boot_chip *chip, const char *name);
