#pragma once

#include <pthread.h>
#include <sys/queue.h>

#include "proof/prover.h"

/*
 *	prover.c    what the writer sees, and the thread
 *	queue.c     what is to be proved: added, taken up, proved or found wrong
 *	medium.c    the thread's one way: the dialogue over a console
 *	readback.c  the other: the block seam
 *
 * One lock a prover, never held across the console or the disk. Both are the thread's; it is only to abort them that
 * others reach for them, and the thread does not close what is being aborted.
 */

/* Lives in one of the two lists; the one that was taken up is the thread's until it is given back. */
struct piece {
	TAILQ_ENTRY(piece) link;
	uint64_t offset, length;
	unsigned char hash[SHA256_SIZE];
	bool doubted;	/* it differed once, and is asked for again */
	bool forgotten; /* written again since it was taken up: whatever comes of it says nothing */
};

TAILQ_HEAD(pieces, piece);

struct prover {
	/* Constant. */
	char disk[CM4_DISK_MAX];
	enum prover_kind wanted;
	struct prover_source source;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* All below is guarded by the lock. */
	struct pieces queued, taken;
	unsigned n; /* in both */
	bool aborted;
	struct prover_status status;
	struct console *console;
	struct block *block;
	unsigned aborting; /* callers within an abort of one of the two */
};

/*
 * queue.c; all of it takes the lock but what says that it is held. The next piece, which is taken up by that; NULL:
 * there is none. A taken one ends by one of the three below it.
 */
struct piece *queue_take(struct prover *prover);
void queue_proved(struct prover *prover, struct piece *piece);
void queue_differs(struct prover *prover, struct piece *piece);
void queue_unreadable(struct prover *prover, struct piece *piece, const char *why);

void queue_give_back(struct prover *prover); /* all that is taken: it is to be taken up anew */
void queue_clear(struct prover *prover);     /* lock held; all of it is freed */

/* Lock held. The first error sticks, and there is nothing to prove any more. */
void queue_fail(struct prover *prover, int error, uint64_t offset, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Something to take up, true; or it is over, false. Waits. */
bool queue_wait(struct prover *prover);
bool queue_is_over(struct prover *prover);
bool queue_pause(struct prover *prover, unsigned ms); /* so long, or until it is over: false */

/*
 * The thread's two ways. 0: it is over, by abort or by an error that sticks. medium_run, else: why it cannot be
 * done this way, with words in @ret_reason that go on "its console ..."; what was taken is not given back.
 */
int medium_run(struct prover *prover, const char **ret_reason);
void readback_run(struct prover *prover);

/* prover.c. The thread makes known, and takes back before it closes, what others may abort. False: aborted. */
bool prover_offer_console(struct prover *prover, struct console *console);
bool prover_offer_block(struct prover *prover, struct block *block);
void prover_withdraw(struct prover *prover);
