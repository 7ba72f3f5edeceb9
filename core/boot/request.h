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
	const char *refusal;	   /* why it is to be answered as missing; NULL where it is not */
	char name[WIRE_NAME_SIZE]; /* NUL-terminated; "" with DONE alone; '?' where not printable */
};

/*
 * 0, or what makes the message garbage: -EMSGSIZE (not 260 bytes), -EILSEQ (a name without its NUL),
 * -EOPNOTSUPP (no such command).
 */
int boot_request_parse(const void *bytes, size_t size, struct boot_request *ret_request);

/* The garbage in a few words, for a log. */
const char *boot_request_fault(int error);
