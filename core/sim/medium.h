#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "sim/cache.h"
#include "sim/fault.h"
#include "sim/throttle.h"

/*
 * A module's disk: a medium, and before it the page cache of the system that exports it (cache.h).
 * Through the cache go all reads and writes that come over USB; the medium itself is seen by direct
 * reads on the module, by sim_medium_peek from outside, and after a power-off. There is no call for
 * VERIFY: on the gadget it says GOOD and looks at nothing.
 *
 * A medium without limit to its rate has nothing dirty, ever: where no fault needs a cache it is
 * left out, and transfers go to the medium at memory's speed, several at once, with no lock held.
 *
 * Lock: sim_medium.lock guards all that is not constant. Host files are read and written under it,
 * a MiB at a time, so that a run of pages and what is known about it change together; nobody but
 * this disk's own users waits for that.
 */
struct sim_medium {
	/* Constant. */
	int fd;
	uint64_t bytes;
	bool direct;		      /* fd is a block device, opened O_DIRECT */
	bool through;		      /* no cache */
	bool uncached;		      /* a cache that is empty between two transfers */
	uint64_t corrupt_at, drop_at; /* faults; UINT64_MAX: none */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* an abort, or the power */
	unsigned power;		/* counts how often it was switched off */
	bool claimed;		/* open for writing */
	struct sim_throttle rate;
	struct sim_cache cache;
};

/* Somebody's use of a medium from one power-on: ends at the next power-off. Belongs to its user,
 * but for: */
struct sim_access {
	struct sim_medium *medium;
	unsigned power;
	bool writable;
	bool aborted; /* guarded by the medium's lock */
};

/* @path: NULL for a medium in memory. 0 or -errno with a sentence in @message. */
int sim_medium_new(const char *path, uint64_t bytes, uint64_t rate, const struct sim_faults *faults,
	struct sim_medium **ret_medium, char *message, size_t size);
void sim_medium_free(struct sim_medium *medium); /* NULL is accepted */
uint64_t sim_medium_bytes(const struct sim_medium *medium);

/* What was not written out is lost; every access answers -ENODEV from now on. NULL is accepted. */
void sim_medium_power_off(struct sim_medium *medium);

/* 0, or -EBUSY: @writable, and somebody writes already. */
int sim_medium_claim(struct sim_medium *medium, bool writable, struct sim_access *ret_access);
void sim_medium_release(struct sim_access *access);

/*
 * All block, and take the medium's time, not the link's. 0 or -errno: ENODEV, ECANCELED, EIO (the
 * host's file behind the medium failed).
 */
int sim_medium_writev(
	struct sim_access *access, const struct iovec *iov, int n, size_t size, uint64_t offset);
int sim_medium_read(struct sim_access *access, void *buffer, size_t size, uint64_t offset);
int sim_medium_sync(struct sim_access *access);
int sim_medium_read_direct(struct sim_access *access, void *buffer, size_t size, uint64_t offset);
void sim_medium_drop_caches(struct sim_access *access); /* the clean part, as Linux does */

/* Until @until on CLOCK_MONOTONIC, in ns. 0, -ENODEV or -ECANCELED. */
int sim_medium_wait(struct sim_access *access, uint64_t until);
void sim_medium_abort(struct sim_access *access);

/* The medium as it is, from outside: no time passes, no cache interferes. 0 or -EIO. */
int sim_medium_peek(struct sim_medium *medium, void *buffer, size_t size, uint64_t offset);

/* Bytes in its cache that are not on it now. NULL is accepted: 0. */
uint64_t sim_medium_dirty(struct sim_medium *medium);

/* store.c, for medium.c and cache.c: the host's file. 0 or -errno, which from transfers is EIO. */
int sim_medium_open(struct sim_medium *medium, const char *path); /* NULL: memory */
int sim_medium_raw_read(struct sim_medium *medium, void *buffer, size_t size, uint64_t offset);
int sim_medium_raw_write(
	struct sim_medium *medium, const void *buffer, size_t size, uint64_t offset);
int sim_medium_host_error(void); /* says errno to the log; -EIO */
