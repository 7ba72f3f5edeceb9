#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cm4fs/diagnosis.h>

#include "diagnosis/line.h"
#include "diagnosis/table.h"
#include "seam/kernel_log.h"

/*
 * What the kernel's lines mean together, over time: one machine per port. A port that fails to
 * enumerate what is plugged in stays a finding until something enumerates on it, for the kernel
 * gives up after four tries and then says no more, however long the module is left there.
 *
 * Pure: no thread, no clock, no I/O. Belongs to whoever feeds it.
 */

#define DIAGNOSIS_PORTS_MAX 64 /* the one longest unheard of makes room */
#define DIAGNOSIS_HOSTS_MAX 16
#define DIAGNOSIS_FLAPS	    6  /* departures ... */
#define DIAGNOSIS_FLAPS_S   30 /* ... in so many seconds: a healthy boot has two or three */
#define DIAGNOSIS_CALM_S    60 /* ... and after so many it is got over */
#define DIAGNOSIS_EARLIER_S 3600
#define DIAGNOSIS_RESETS    2

struct diagnosis_port {
	char name[CM4_PORT_MAX]; /* "": of the host as a whole */
	uint64_t heard;		 /* by the count of lines */

	/* Who is there; 0: nobody, or not known. */
	unsigned mbps;
	uint16_t vendor, product;

	uint16_t chip; /* the product of the boot ROM last seen here */
	bool slow;     /* a module enumerated at full speed */
	bool was_vpu;  /* the last that enumerated was the VPU firmware's disk */
	bool own;      /* ... a Linux gadget that is no module's mass storage */
	bool flaps;
	unsigned garbled, mute, refused; /* errors since something enumerated */
	unsigned over_currents;		 /* by sysfs's count */
	bool over_currents_known;

	int64_t left_us[DIAGNOSIS_FLAPS]; /* a ring */
	unsigned n_left;
	struct cm4_evidence traces[KERNEL_EVENT_N];
};

struct diagnosis {
	struct diagnosis_port ports[DIAGNOSIS_PORTS_MAX];
	size_t n_ports;
	uint64_t lines; /* that meant something */
	bool sampled;	/* sysfs has been looked at */
	struct {
		unsigned host;
		char port[CM4_PORT_MAX];
	} hosts[DIAGNOSIS_HOSTS_MAX];
	unsigned n_hosts; /* a ring */
};

void diagnosis_init(struct diagnosis *diagnosis);

/*
 * A line of the log, without time or level. @time_us: CLOCK_REALTIME, 0 not known. @shown: the line
 * as it is to be quoted; NULL: as it is. True when it meant something.
 */
bool diagnosis_line(
	struct diagnosis *diagnosis, int64_t time_us, const char *text, const char *shown);

/*
 * Ports as sysfs shows them now, all of them: makes up for a log that is denied, or that was
 * overwritten before it was read.
 */
void diagnosis_ports(
	struct diagnosis *diagnosis, int64_t time_us, const struct kernel_port *ports, size_t n);

/* At most @max, the gravest first; returns how many. @now_us 0: nothing is long past. */
size_t diagnosis_findings(
	const struct diagnosis *diagnosis, int64_t now_us, struct cm4_finding *ret, size_t max);

/* A finding with the table's words, and nothing else. */
void finding_init(struct cm4_finding *ret, enum failure failure);
