#pragma once

struct kernel_log;
struct sim_bus;

/* What the kernel would say of the bus's modules, and what the SPEC's kernel-log has it say. 0 or -ENOMEM. */
int sim_kernel_log_open(struct sim_bus *bus, struct kernel_log **ret_log);
