#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/wire.h"

/* One message of the second stage, read with distrust. Pure. */

enum boot_verb {
	BOOT_VERB_SIZE,
	BOOT_VERB_READ,
	BOOT_VERB_METADATA, /* the name is the message: see metadata.h */
	BOOT_VERB_DONE,
};

struct boot_request {
	enum boot_verb verb;
	bool refused; /* the name is absolute or leads upwards: to be answered as missing */
	char name[WIRE_NAME_SIZE]; /* printable ASCII, NUL-terminated; "" with DONE alone */
};

/*
 * 0, or what makes the message garbage: -EMSGSIZE (not 260 bytes), -EILSEQ (a name without its NUL,
 * or with bytes that are no printable ASCII), -EOPNOTSUPP (no such command).
 */
int boot_request_parse(const void *bytes, size_t size, struct boot_request *ret_request);

/* The garbage in a few words, for a log. */
const char *boot_request_fault(int error);
