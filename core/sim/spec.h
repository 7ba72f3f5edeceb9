#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/fault.h"
#include "sim/sim.h"

struct sim_model;

#define SIM_MODULES_MAX 256

/* A SPEC, understood. Constant once parsed. */
struct sim_spec {
	unsigned count;
	uint64_t emmc; /* bytes; 0: none */
	bool emmc_given;
	uint64_t nvme;	  /* bytes; 0: none */
	uint64_t link;	  /* bytes per second; 0: no limit */
	uint64_t medium;  /* bytes per second; 0: no limit */
	unsigned boot_ms; /* the module's own part of a boot */
	const struct sim_model *model;
	char *dir;	  /* NULL: media in memory */
	char *kernel_log; /* NULL: none; "denied"; else a file of lines */
	struct sim_fault faults[SIM_FAULTS_MAX];
	size_t n_faults;
};

/* A number with K, M or G behind it (of 1024). 0 or -EINVAL. */
int sim_parse_size(const char *text, uint64_t *ret_size);
