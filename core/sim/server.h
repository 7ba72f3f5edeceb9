#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sim/fault.h"
#include "sim/model.h"
#include "sim/record.h"
#include "sim/recovery.h"

/*
 * The second stage's side of the wire: fetches its program's files from the host's file server, one
 * after the other (GetFileSize, and ReadFile for what is there), tells metadata where it has any,
 * then says Done. Pure, and as strict as the ROM (rom.h); what a ReadFile brings must have the size
 * that was given a moment before.
 *
 * Belongs to its module, whose lock guards it.
 */
#define SIM_MESSAGE_SIZE 260

enum sim_server_state {
	SIM_SERVER_SIZE,   /* the next message asks for a size */
	SIM_SERVER_READ,   /* ... for a file */
	SIM_SERVER_TELL,   /* ... is metadata */
	SIM_SERVER_DONE,   /* ... is Done */
	SIM_SERVER_LEAVES, /* all is said */
	SIM_SERVER_STUCK,  /* lacks what it cannot live without */
};

struct sim_server {
	const struct sim_wish *wishes; /* the program's */
	const struct sim_wish
		*ramdisk; /* what may take their place behind config.txt; NULL: nothing */
	enum sim_server_state state;
	bool asked; /* a message was fetched and waits for its answer */
	bool halted;
	bool lame; /* lacks what its disk needs */
	bool locked;
	bool has_nonsense;
	enum sim_nonsense nonsense;
	unsigned talked; /* messages of nonsense so far */
	size_t packet;
	size_t wish;   /* the one that is under way */
	uint64_t size; /* of it */
	bool recovers;
	struct sim_recovery recovery; /* of who recovers; config.txt of all */
	unsigned told;		      /* messages of metadata so far */
	struct sim_inflow inflow;
};

void sim_server_reset(struct sim_server *server, const struct sim_model *model,
	enum sim_program program, size_t packet);
void sim_server_finish(struct sim_server *server);

enum sim_point sim_server_point(const struct sim_server *server);
const char *sim_server_file(const struct sim_server *server); /* under way; NULL: none */

int sim_server_control_out(struct sim_server *server, struct sim_record *record, uint32_t length);
ssize_t sim_server_control_in(struct sim_server *server, struct sim_record *record, uint32_t length,
	void *buffer, size_t size);
int sim_server_bulk(
	struct sim_server *server, struct sim_record *record, const void *data, size_t size);
