#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <cm4fs/module.h>

#include "proof/ledger.h"
#include "proof/prover.h"

struct cm4_image;
struct hasher;

/*
 * How an image has what it writes proved: hashed beside the writing, entered into a ledger, and given to a prover who
 * follows behind (proof/prover.h). While the disk is open there is one; the ledger stays, for the verb verify.
 *
 * FLASH images only; where nothing is to be proved, all of it succeeds and does nothing.
 */
/* So many zeros have this hash. The image's thread's own. */
struct prove_zeros {
	uint64_t length; /* 0: not known yet */
	unsigned char hash[SHA256_SIZE];
};

struct prove {
	struct prover *prover; /* NULL: the disk is closed, or nothing is to be proved */
	struct hasher *hasher;
	struct ledger ledger;
	bool overwritten; /* somebody else has changed the disk since */

	/* Of provers that are no more; with @base, of which the one that is there proved what does not count. */
	uint64_t bytes, base;
	enum cm4_verify kind; /* off: of none yet */
	char reason[160];     /* why readback; else "" */
};

/* On the image's thread; lock held. 0, -ENOMEM or -EAGAIN. */
int prove_begin(struct cm4_image *image);

/* On the image's thread; lock held, given up in between. What is not proved yet never will be. */
void prove_end(struct cm4_image *image);

/*
 * On the image's thread; lock not held. Writes to the disk, and has it proved; waits where too much is unproved. 0 or
 * -errno, the disk's or the prover's.
 */
int prove_writev(struct cm4_image *image, const struct iovec *iov, int n, uint64_t offset);

/* On the image's thread; lock held, given up in between. All that was written is proved; 0 or -errno. */
int prove_wait(struct cm4_image *image);

/* Lock held, the disk open. 0; -ENODATA: of a part of it nothing is known; -ESTALE: the disk is another's since. */
int prove_can_again(const struct cm4_image *image);

/*
 * On the image's thread; lock held, given up in between. All of it once more, by the ledger. 0; -ESTALE: it became
 * another's meanwhile; else what the prover found, and the image is not failed by it yet.
 */
int prove_again(struct cm4_image *image);

/* Lock held. Whether @error is the prover's, and then its own sentence. */
bool prove_explains(struct cm4_image *image, int error, char *text, size_t size);

/* Lock held. */
void prove_status(struct cm4_image *image, struct cm4_image_status *status);
void prove_forget(struct cm4_image *image); /* the content begins anew */
