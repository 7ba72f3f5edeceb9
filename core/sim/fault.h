#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Misbehaviour to order: fault=[N/]NAME[@VALUE] in a SPEC, N being a module's number from 1,
 * without it every module. All of it stands in two tables, that of the faults and that of the
 * points in a module's life.
 */

enum sim_fault_kind {
	/* What happens at a point. */
	SIM_FAULT_SILENT,
	SIM_FAULT_UNPLUG,
	SIM_FAULT_STALL,
	/* How a stage ends, or what comes after it. */
	SIM_FAULT_NONSENSE,
	SIM_FAULT_STATUS,
	SIM_FAULT_EARLY_RESET,
	SIM_FAULT_ROM_TWICE,
	SIM_FAULT_NO_SECOND,
	SIM_FAULT_NO_DISK,
	SIM_FAULT_NO_MMC,
	SIM_FAULT_NO_MEDIUM,
	SIM_FAULT_REPLUG,
	SIM_FAULT_ADOPT,
	SIM_FAULT_FASTBOOT,
	SIM_FAULT_LOCKED,
	SIM_FAULT_EEPROM,
	SIM_FAULT_FULL_SPEED,
	SIM_FAULT_BAD_LINK,
	/* The disk. */
	SIM_FAULT_HELD,
	SIM_FAULT_WRITE_ERROR,
	SIM_FAULT_READ_ERROR,
	SIM_FAULT_SYNC_ERROR,
	SIM_FAULT_SLOW_WRITE,
	SIM_FAULT_CORRUPT,
	SIM_FAULT_DROP_WRITE,
	SIM_FAULT_NO_CACHE,
	/* The console. */
	SIM_FAULT_CONSOLE,
};

/* Where silent, unplug and stall strike: once each, so that a module that comes back gets through.
 */
enum sim_point {
	SIM_POINT_ROM,		/* the ROM's first request */
	SIM_POINT_HEADER,	/* the 24 bytes before the second stage */
	SIM_POINT_SECOND_STAGE, /* the second stage's bytes */
	SIM_POINT_STATUS,	/* the ROM is asked for its status */
	SIM_POINT_SECOND,	/* the second stage's first message is fetched */
	SIM_POINT_FILE,		/* a named file's bytes */
	SIM_POINT_DONE,		/* the second stage's Done */
	SIM_POINT_DISK,		/* its disks are there */
	SIM_POINT_WRITE,	/* so many bytes were written to its disks */
	SIM_POINT_READ,		/* ... were read */
	SIM_POINT_SYNC,		/* a disk's cache is synchronised */
};

enum sim_nonsense {
	SIM_NONSENSE_BAD_COMMAND,
	SIM_NONSENSE_NO_NUL,
	SIM_NONSENSE_DOTDOT,
	SIM_NONSENSE_ABSOLUTE,
	SIM_NONSENSE_CONTROL,
	SIM_NONSENSE_ENDLESS,
	SIM_NONSENSE_SHORT,
	SIM_NONSENSE_BOOT_SIG,
};

enum sim_eeprom_kind {
	SIM_EEPROM_GREEN,
	SIM_EEPROM_HASH,
	SIM_EEPROM_FAILED,
	SIM_EEPROM_MUTE,
	SIM_EEPROM_GARBAGE,
};

enum sim_console_kind { SIM_CONSOLE_NONE, SIM_CONSOLE_DEAD, SIM_CONSOLE_NOISY };

struct sim_fault {
	enum sim_fault_kind kind;
	unsigned module;      /* 0: every one */
	enum sim_point point; /* of silent, unplug, stall */
	uint64_t number;      /* bytes, milliseconds, a status, or one of the enums above */
	char name[64];	      /* of a file */
};

#define SIM_FAULTS_MAX 64

/* One module's share of them. Guarded by its holder. */
struct sim_faults {
	const struct sim_fault *faults; /* the spec's, constant */
	size_t n;
	unsigned module;
	uint64_t spent; /* a bit for each that struck */
};

/* 0, or -EINVAL with a sentence in @message. */
int sim_fault_parse(const char *text, struct sim_fault *ret_fault, char *message, size_t size);
void sim_fault_help(FILE *stream);

bool sim_faults_have(const struct sim_faults *faults, enum sim_fault_kind kind);
/* Whether there is one, and its number; @ret_number may be NULL. */
bool sim_faults_number(
	const struct sim_faults *faults, enum sim_fault_kind kind, uint64_t *ret_number);

/*
 * Whether one strikes at @point now, and which. @name: of the file; @from, @to: how far a count of
 * bytes goes with this transfer; the fault strikes if its own number lies in between, and
 * @ret_number is that number.
 */
bool sim_faults_strike(struct sim_faults *faults, enum sim_point point, const char *name,
	uint64_t from, uint64_t to, enum sim_fault_kind *ret_kind, uint64_t *ret_number);
