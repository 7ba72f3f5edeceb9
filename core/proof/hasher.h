#pragma once

#include <sys/uio.h>

#include "proof/sha256.h"

/*
 * A thread that hashes what another one is writing in the meantime: a link that waits for a hash is idle, and that
 * is felt on a machine without instructions for SHA-256 (400 MB/s, beside a link's 40).
 *
 * One user thread at a time, one hash at a time.
 */
struct hasher;

int hasher_new(struct hasher **ret_hasher); /* 0, -ENOMEM or -EAGAIN (no thread) */
void hasher_free(struct hasher *hasher);    /* NULL is accepted; what was started is finished */

/* The vector is copied, its bytes are borrowed until finish. At most HASHER_IOV of them. */
#define HASHER_IOV 16
void hasher_start(struct hasher *hasher, const struct iovec *iov, int n);

/* Waits for what was started. 0 or -ENOMEM. */
int hasher_finish(struct hasher *hasher, unsigned char ret_hash[SHA256_SIZE]);
