#pragma once

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a module saw, in its order: every stage, every file it asked for, the SHA-256 of every byte
 * string it was sent. Kept for tests in the process, and written to a file for those outside, a line
 * each: the event's word, a name where there is one, a number, a digest where there is one.
 *
 * A record belongs to its module, whose lock guards it.
 */

enum sim_event {
	SIM_EVENT_PLUGGED,
	SIM_EVENT_UNPLUGGED,
	SIM_EVENT_ROM,		/* the ROM is on the bus */
	SIM_EVENT_HEADER,	/* size, digest */
	SIM_EVENT_SECOND_STAGE, /* size, digest */
	SIM_EVENT_STATUS,	/* size: the status given */
	SIM_EVENT_SECOND,	/* the second stage is on the bus; name: which program it is */
	SIM_EVENT_SIZE,		/* name, and the size it was told; 0: there is none */
	SIM_EVENT_FILE,		/* name, size, digest */
	SIM_EVENT_OTP,	  /* name: the setting that would have burnt one-time-programmable memory */
	SIM_EVENT_EEPROM, /* size, digest: it was written */
	SIM_EVENT_METADATA, /* name */
	SIM_EVENT_DONE,
	SIM_EVENT_BLINKS,  /* all is over: off the bus, a light blinks */
	SIM_EVENT_DISK,	   /* size: ms of the boot that were the module's own and its link's */
	SIM_EVENT_REFUSED, /* a request was out of order, and stalled; name: which */
};

#define SIM_DIGEST_MAX 65 /* SHA-256 in hex, with its NUL */

struct sim_item {
	enum sim_event event;
	char name[128];
	uint64_t size;
	char digest[SIM_DIGEST_MAX]; /* "" where there is none */
};

struct sim_record {
	struct sim_item *items;
	size_t n;
	int fd; /* -1: none */
};

/* @path: written anew; NULL: in memory only. 0 or -errno. */
int sim_record_init(struct sim_record *record, const char *path);
void sim_record_finish(struct sim_record *record);

/* @name and @digest may be NULL. What finds no memory or no room is left out. */
void sim_record_add(struct sim_record *record, enum sim_event event, const char *name,
	uint64_t size, const char *digest);

const char *sim_event_to_string(enum sim_event event);

/* A byte string announced by a control request and then sent in bulk, hashed as it comes. */
struct sim_inflow {
	uint64_t announced, received;
	EVP_MD_CTX *hash; /* NULL: nothing is under way */
};

int sim_inflow_begin(struct sim_inflow *inflow, uint64_t announced); /* 0 or -ENOMEM */

/*
 * One bulk transfer. 0, or -EPIPE: more than announced, none announced, or short of @packet without
 * being the last (a short packet ends a transfer, and the receiver still waits for the rest).
 */
int sim_inflow_take(struct sim_inflow *inflow, const void *data, size_t size, size_t packet);

/* Whether all of it is here; then its digest, and the inflow is at rest. */
int sim_inflow_end(struct sim_inflow *inflow, char digest[SIM_DIGEST_MAX]); /* 1, 0 or -ENOMEM */
void sim_inflow_drop(struct sim_inflow *inflow);
