#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proof/sha256.h"

/*
 * What a disk is to hold, as hashes of the ranges that were written, so that it can be proved once more later. Ranges
 * are in the order of the disk and never overlap: what is written again takes the place of what it touches, and where
 * it covers that in part only, nothing is known of the rest any more.
 *
 * 48 bytes for each transfer of up to 4 MiB. Pure; a ledger of zeros is an empty one; the owner's lock guards it.
 */
struct ledger_entry {
	uint64_t offset, length;
	unsigned char hash[SHA256_SIZE];
};

struct ledger {
	struct ledger_entry *entries;
	size_t n, room;
};

/* 0; -ENOMEM: it is not entered, and nothing is known of the range. */
int ledger_add(struct ledger *ledger, uint64_t offset, uint64_t length,
	const unsigned char hash[SHA256_SIZE]);

/* How many bytes of [0, @end) it knows of. */
uint64_t ledger_covers(const struct ledger *ledger, uint64_t end);

void ledger_clear(struct ledger *ledger); /* also frees it */
