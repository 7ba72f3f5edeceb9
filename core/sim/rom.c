#include <errno.h>
#include <string.h>

#include "sim/rom.h"

static uint32_t le32(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void sim_rom_reset(struct sim_rom *rom, uint32_t status, size_t packet)
{
	sim_inflow_drop(&rom->inflow);
	*rom = (struct sim_rom){.status = status, .packet = packet};
}

void sim_rom_finish(struct sim_rom *rom)
{
	sim_inflow_drop(&rom->inflow);
}

enum sim_point sim_rom_point(const struct sim_rom *rom)
{
	switch (rom->state) {
	case SIM_ROM_IDLE:
		return SIM_POINT_ROM;
	case SIM_ROM_HEADER:
		return SIM_POINT_HEADER;
	case SIM_ROM_HAS_HEADER:
	case SIM_ROM_SECOND_STAGE:
		return SIM_POINT_SECOND_STAGE;
	case SIM_ROM_HAS_SECOND:
	case SIM_ROM_LEAVES:
	case SIM_ROM_STUCK:
		break;
	}
	return SIM_POINT_STATUS;
}

static int refuse(struct sim_record *record, const char *what, uint64_t size)
{
	sim_record_add(record, SIM_EVENT_REFUSED, what, size, NULL);
	return -EPIPE;
}

int sim_rom_control_out(struct sim_rom *rom, struct sim_record *record, uint32_t length)
{
	bool header = rom->state == SIM_ROM_IDLE;
	int r;

	if (rom->state == SIM_ROM_STUCK)
		return -ETIMEDOUT;
	if (header ? length != SIM_HEADER_SIZE
		   : rom->state != SIM_ROM_HAS_HEADER || length != rom->length)
		return refuse(record, "control-out", length);

	r = sim_inflow_begin(&rom->inflow, length);
	if (r < 0)
		return r;
	rom->state = header ? SIM_ROM_HEADER : SIM_ROM_SECOND_STAGE;
	return 0;
}

ssize_t sim_rom_control_in(
	struct sim_rom *rom, struct sim_record *record, uint32_t length, void *buffer, size_t size)
{
	unsigned char *status = buffer;

	if (rom->state == SIM_ROM_STUCK)
		return -ETIMEDOUT;
	if (rom->state != SIM_ROM_HAS_SECOND || length != SIM_STATUS_SIZE ||
		size != SIM_STATUS_SIZE)
		return refuse(record, "control-in", length);

	for (unsigned i = 0; i < SIM_STATUS_SIZE; i++)
		status[i] = (unsigned char)(rom->status >> 8 * i);
	sim_record_add(record, SIM_EVENT_STATUS, NULL, rom->status, NULL);
	rom->state = rom->status ? SIM_ROM_STUCK : SIM_ROM_LEAVES;
	return SIM_STATUS_SIZE;
}

/* All that was announced is here. */
static int arrived(
	struct sim_rom *rom, struct sim_record *record, const char *digest, uint64_t size)
{
	if (rom->state == SIM_ROM_SECOND_STAGE) {
		sim_record_add(record, SIM_EVENT_SECOND_STAGE, NULL, size, digest);
		rom->state = SIM_ROM_HAS_SECOND;
		return 0;
	}

	sim_record_add(record, SIM_EVENT_HEADER, NULL, size, digest);
	rom->length = le32(rom->header);
	/* The length is signed on the wire, and nothing boots of no bytes. */
	if (rom->length == 0 || rom->length > INT32_MAX) {
		rom->halted = true;
		return refuse(record, "header", rom->length);
	}
	rom->state = SIM_ROM_HAS_HEADER;
	return 0;
}

int sim_rom_bulk(struct sim_rom *rom, struct sim_record *record, const void *data, size_t size)
{
	char digest[SIM_DIGEST_MAX];
	uint64_t at = rom->inflow.received, total = rom->inflow.announced;
	int r;

	if (rom->state == SIM_ROM_STUCK)
		return -ETIMEDOUT;
	if (rom->halted || sim_inflow_take(&rom->inflow, data, size, rom->packet) < 0) {
		rom->halted = true;
		return refuse(record, "bulk", size);
	}
	if (rom->state == SIM_ROM_HEADER) {
		memcpy(rom->header + at, data, size);
	} else {
		sim_search_feed(&rom->msd, data, size);
		sim_search_feed(&rom->recovery, data, size);
	}

	r = sim_inflow_end(&rom->inflow, digest);
	return r > 0 ? arrived(rom, record, digest, total) : r;
}
