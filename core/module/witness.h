#pragma once

#include <stddef.h>

#include <cm4fs/diagnosis.h>

struct backend;

/*
 * Follows what the kernel says of the bus, on a thread of its own, from the oldest line there is.
 * Nothing but a short lock is held, and never across a wait.
 */
struct witness;

int witness_new(struct backend *backend, struct witness **ret_witness); /* 0 or -errno */
void witness_stop(struct witness *witness); /* its thread ends; what it has found stays */
void witness_free(struct witness *witness); /* stops first; NULL is accepted */

/* Any thread. At most @max, the gravest first; returns how many. */
size_t witness_findings(struct witness *witness, struct cm4_finding *ret, size_t max);

/* Which log is followed, for people; "": neither it nor the journal may be read. Constant. */
const char *witness_source(const struct witness *witness);
