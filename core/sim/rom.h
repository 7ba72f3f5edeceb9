#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sim/fault.h"
#include "sim/record.h"
#include "sim/search.h"

/*
 * The boot ROM's side of the wire: takes a 24-byte header and the second stage that it announces,
 * and gives a status. Pure: bytes in, bytes out, what happened into the record. -EPIPE is a STALL:
 * a request out of order or of the wrong length. It changes nothing, except that a stalled bulk
 * endpoint stays halted, for nobody clears it; -ETIMEDOUT: it does not answer, now or later.
 *
 * Belongs to its module, whose lock guards it.
 */
#define SIM_HEADER_SIZE 24
#define SIM_STATUS_SIZE 4

enum sim_rom_state {
	SIM_ROM_IDLE,	      /* wants the header announced */
	SIM_ROM_HEADER,	      /* wants its bytes */
	SIM_ROM_HAS_HEADER,   /* wants the second stage announced, of the header's length */
	SIM_ROM_SECOND_STAGE, /* wants its bytes */
	SIM_ROM_HAS_SECOND,   /* wants to be asked for its status */
	SIM_ROM_LEAVES,	      /* starts the second stage */
	SIM_ROM_STUCK,	      /* gave a bad status */
};

struct sim_rom {
	enum sim_rom_state state;
	bool halted;
	uint32_t status; /* that it will give */
	size_t packet;	 /* the bulk endpoint's maximum packet size */
	uint32_t length; /* of the second stage, by the header */
	unsigned char header[SIM_HEADER_SIZE];
	struct sim_search msd, recovery; /* texts that tell what the second stage is */
	struct sim_inflow inflow;
};

void sim_rom_reset(struct sim_rom *rom, uint32_t status, size_t packet);
void sim_rom_finish(struct sim_rom *rom);

/* Which point in its life the next request is. */
enum sim_point sim_rom_point(const struct sim_rom *rom);

int sim_rom_control_out(struct sim_rom *rom, struct sim_record *record, uint32_t length);
ssize_t sim_rom_control_in(
	struct sim_rom *rom, struct sim_record *record, uint32_t length, void *buffer, size_t size);
int sim_rom_bulk(struct sim_rom *rom, struct sim_record *record, const void *data, size_t size);
