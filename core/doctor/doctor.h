#pragma once

#include <cm4fs/diagnosis.h>
#include <cm4fs/doctor.h>

#include "seam/host.h"

struct kernel_log;
struct payload;

/* What is examined: all borrowed. */
struct doctor_patient {
	const struct host_facts *host;
	struct payload *payload;      /* NULL: none could be opened, */
	const char *payload_message;  /* ... and why */
	const struct cm4_report *log; /* what doctor_listen heard */
	time_t now;
};

/* A judgement on each thing that cm4fs needs of this host. Pure, but for the payload's files. */
void doctor_examine(const struct doctor_patient *patient, struct cm4_checkup *ret);

/*
 * What the kernel's log has said so far, and the ports show now: a second or two where it is long,
 * and bounded. End with cm4_report_fini. 0 or -ENOMEM.
 */
int doctor_listen(struct kernel_log *log, struct cm4_report *ret);
