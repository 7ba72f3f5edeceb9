#pragma once

#include "sim/shell.h"

/* The shell's commands, one table. */

/* One run of one. */
struct sim_call {
	struct sim_job *job;
	int argc;
	char **argv; /* ends with NULL */
	struct sim_sink *out, *err;
};

/* Its exit status, or -errno: the job must end. */
typedef int sim_command(struct sim_call *call);

sim_command *sim_command_find(const char *name); /* NULL: not found */

/* A command that takes what comes out of another: a sink, and what it says at the end. */
struct sim_filter {
	struct sim_sink sink;
	struct sim_call call;
	void *state;
	int (*end)(struct sim_filter *filter); /* as sim_command; frees what there is */
};

/* 0; -ENOENT: no such filter. */
int sim_filter_open(struct sim_filter *filter, const struct sim_call *call);

/* dump.c: what reads and hashes disks. */
sim_command sim_dump_dd, sim_dump_cat, sim_dump_sum, sim_dump_sync, sim_dump_blockdev;

/* Nothing, and /proc/sys/vm/drop_caches. */
extern struct sim_sink sim_sink_null;
int sim_dump_drop_caches(struct sim_job *job);
