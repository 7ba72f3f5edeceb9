#pragma once

#include <stdint.h>
#include <stddef.h>

#include <cm4fs/module.h>

/*
 * The seam to what the kernel says and shows of its USB: the lines of its log, as they come, and its
 * ports. Behind it stand the kernel (/dev/kmsg, the journal, sysfs) and the simulation.
 */
#define KERNEL_LINE_MAX 1024

struct kernel_record {
	int64_t time_us; /* CLOCK_REALTIME; 0: not known */
	char text[KERNEL_LINE_MAX];
};

/* One port of a hub, or what sits on it. */
struct kernel_port {
	char port[CM4_PORT_MAX];
	unsigned link_mbps; /* 0: nobody is there */
	uint16_t vendor, product;
	unsigned over_currents; /* counted since the hub came */
};

struct kernel_log;

struct kernel_log_ops {
	/*
	 * The next line of the kernel's own (not of programs that write into its log), the oldest
	 * first. 0 or -errno: ETIMEDOUT, ECANCELED (aborted), EIO (there will be no more). Where no
	 * log may be read, it waits as if none came.
	 */
	int (*next)(struct kernel_log *log, struct kernel_record *ret, unsigned timeout_ms);

	/* What is on every port now: at most @max, returns how many. */
	size_t (*ports)(struct kernel_log *log, struct kernel_port *ret, size_t max);

	void (*abort)(struct kernel_log *log); /* from any thread; next fails from then on */
	void (*close)(struct kernel_log *log); /* frees it */
};

struct kernel_log {
	const struct kernel_log_ops *ops;
	char source[64]; /* for people; "": neither log nor journal may be read */
};
