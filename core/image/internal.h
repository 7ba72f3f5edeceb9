#pragma once

#include <pthread.h>

#include "image/chunk.h"
#include "image/head.h"
#include "image/image.h"
#include "image/judge.h"
#include "image/prove.h"
#include "image/rangemap.h"
#include "image/stream.h"
#include "image/tally.h"
#include "seam/block.h"
#include "util/bytes.h"

/*
 * The path of a byte:
 *
 *	writer -> [decoder] -> range map -> chunks -> judge -> block seam -> proof -> start
 *
 *	request.c  takes a request from whoever asks, answers it or parks it
 *	content.c  the size, the range maps, and the bytes that go into chunks
 *	thread.c   the image's thread: decides what is done next, opens and closes
 *	judge.c    holds the chunks back until it is known for a disk image; does it end where it says?
 *	tally.c    sums of what passes, and a bmap, which says what is written
 *	writer.c   chunks to the disk, zeros into holes, the sync
 *	prove.c    has proved what was written; the ledger of it
 *	head.c     the first MiB, which is written last
 *	finish.c   what a close() does, and the last one
 *	reader.c   the disk to readers, a window ahead
 *	whole.c    is it whole, as far as its writers' manners tell? (pure)
 *	stream.c   a compressed file: put in order (input.c), decoded on a thread of its own (unpack.c), which is then
 *	           the image's only writer
 *
 * Locking: one lock per image. It is never held across the disk, a completion or the owner.
 * Functions that are called with it held say so; those that give it up in between, too. While it is
 * free anything may have changed but what belongs to the image's thread: the block, the chunks in
 * flight and the reader's buffers.
 */

/* Blocks are those of the range maps, and of the seam. */
#define FIRST_BLOCK(offset) ((offset) / RANGEMAP_BLOCK)
#define END_BLOCK(offset)   (((offset) + RANGEMAP_BLOCK - 1) / RANGEMAP_BLOCK)

struct whole_facts;

enum disk_state {
	DISK_IDLE,
	DISK_WANTED,  /* the owner was asked, and has not answered */
	DISK_OPEN,    /* the image's thread runs */
	DISK_CLOSING, /* it is on its way out, or waits for reap */
};

/* Where a request is, in cm4_io.place. */
enum io_place {
	IO_ANSWERED,
	IO_PARKED,
	IO_RUNNING, /* the image's thread works on it, the lock free */
	IO_FAILED,  /* waits for the failure to be said */
	IO_STREAM,  /* waits for the decoder */
};

/* Bytes read from the disk, aligned; in the reader's hands while it fills them. */
struct window {
	uint64_t start, end; /* of the disk; equal: nothing */
	uint64_t change;     /* the image's when it was read: any later one makes it stale */
	unsigned char *data;
};

struct reader {
	struct window windows[2]; /* the one in use, and the one read ahead */
	size_t latest;		  /* which of them was filled last */
	uint64_t next;		  /* where a sequential reader goes on */
	unsigned streak;	  /* sequential reads so far */
};

struct cm4_image {
	/* Fixed. */
	enum cm4_image_mode mode;
	char disk[CM4_DISK_MAX];
	struct image_owner owner;
	struct image_policy policy;

	pthread_mutex_t lock;
	pthread_cond_t wake; /* the thread waits for work, or for aborts to be through */
	/* All below is guarded by the lock. */
	unsigned refs;
	char label[CM4_LABEL_MAX];
	unsigned opens, opens_writable;

	/* The disk. */
	enum disk_state state;
	bool writable; /* wanted, or open, for writing */
	struct block *block;
	pthread_t thread;
	bool asleep;	   /* the thread waits on wake */
	unsigned aborting; /* callers in an abort of block or prover: these must live */
	struct chunk_pool pool;
	struct reader reader;
	struct head head;
	struct prove prove;
	struct prove_zeros zeros;
	unsigned char *scratch; /* one block, for what a chunk does not cover */

	/* Requests. */
	struct cm4_io_list parked, failed;
	struct cm4_io *running;

	/* Where the file is compressed; NULL: it is the image itself, or not known yet. */
	struct stream *stream;
	struct stream_list retired;
	struct cm4_io_list stream_parked;

	/*
	 * The content. data: on the disk or in a chunk. known: data, and what was said to be zeros.
	 */
	uint64_t size;
	struct rangemap data, known; /* FLASH only; known lies within the size */
	uint64_t change;	     /* counts everything that changes the content */
	uint64_t synced;	     /* the change up to which all is on the medium */
	bool touched;		     /* changed or synced since it was opened first */
	bool ahead;		     /* the size was set, not grown into */
	bool wrote_since_sized;
	bool has_data;	       /* not only zeros were written */
	bool size_is_given;    /* it was closed between the size and the first data */
	bool synced_by_writer; /* ... after the last write */
	bool killed;	       /* the last word of its writer was its death */

	struct tally tally;

	/* The flash. */
	struct judge judge;
	bool began;	 /* said, and neither whole, incomplete nor failed since */
	bool restart;	 /* emptied since: the next byte begins anew */
	bool committing; /* all is there, and the start is being written: changes wait */
	bool whole;
	bool superseded;
	int error;	 /* sticks; negative */
	bool say_failed; /* the thread has yet to say it */
	int said_error;
	bool say_incomplete;
	char text[256];

	/* Progress. */
	uint64_t bytes_in, bytes_written;
	uint64_t active_ns, active_since; /* CLOCK_MONOTONIC; since 0: not writing */
	struct timespec started, ended;
};

/* Disk open. All of the image's blocks, as far as the disk goes. */
static inline uint64_t image_end(const struct cm4_image *image)
{
	return min64(END_BLOCK(image->size) * RANGEMAP_BLOCK, image->block->bytes);
}

/* image.c. Lock not held, and nobody else is left, nor a thread of its own. */
void image_free(struct cm4_image *image);

/* image.c, state.c. Lock held. */
/* What lasts as long as somebody has it open, ends if nobody has. */
void image_settle(struct cm4_image *image);
void image_wake(struct cm4_image *image);
/* IDLE becomes WANTED; the caller then calls image_ask. */
void image_want_locked(struct cm4_image *image);
void image_ask(struct cm4_image *image);    /* lock not held */
void image_forget(struct cm4_image *image); /* the content, as if nothing had been written */
bool image_keeps_chunks(const struct cm4_image *image); /* while its disk is closed */
/* Of which no signal is the business. Lock held, or not. 0 or -errno. */
int image_start_thread(pthread_t *thread, void *(*run)(void *data), void *data);
void image_close_locked(struct cm4_image *image, bool writable);
void image_clock_start(struct cm4_image *image);
void image_clock_stop(struct cm4_image *image);

/* thread.c. On the image's thread; lock held, given up in between. */
void image_tell(struct cm4_image *image, enum image_event event, int error, const char *text);

/*
 * Lock held. The error sticks, all parked requests wait for the thread to say it, the disk will be
 * closed. @say: it is the end of a flash, and the owner hears of it.
 */
void image_fail(struct cm4_image *image, int error, bool say, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* request.c. */
enum answer {
	ANSWER_READY,  /* io->result */
	ANSWER_LATER,  /* the disk, or room in the chunks, is needed first */
	ANSWER_FAILED, /* the image has failed by it: io goes with the parked ones */
};

bool io_changes(const struct cm4_io *io);		/* it needs a disk that can be written */
bool io_closes(const struct cm4_io *io);		/* a sync, or a close() */
void io_list_complete(struct cm4_io_list *list);	/* lock not held */
bool image_has_changers(const struct cm4_image *image); /* lock held: some are parked */

/* Lock held. Answers what can be answered without waiting. */
enum answer request_answer(struct cm4_image *image, struct cm4_io *io);

/*
 * Lock held. Answers parked requests from the first on, as far as it goes; they are put on @done.
 */
void request_advance(struct cm4_image *image, struct cm4_io_list *done);

/* Lock not held. What a stream has decoded; -ESTALE if it was retired. */
void request_submit_decoded(struct stream *stream);

/* Lock held. As if it had never come, but for what was taken of it; false: it is answered already. */
bool request_withdraw(struct cm4_image *image, struct cm4_io *io);

/* content.c. Lock held; disk open for writing and the flash announced, where it says disk. */
enum answer content_write(struct cm4_image *image, struct cm4_io *io);	  /* disk */
enum answer content_truncate(struct cm4_image *image, struct cm4_io *io); /* disk */
enum answer content_zero(struct cm4_image *image, struct cm4_io *io);	  /* disk */
enum answer content_allocate(struct cm4_image *image, struct cm4_io *io); /* disk */
void content_facts(const struct cm4_image *image, struct whole_facts *ret_facts);
void content_clear(struct cm4_image *image);

/* Would this request need more than the disk has? Then the image fails (FLASH). Disk. */
bool content_fits(struct cm4_image *image, const struct cm4_io *io);

/*
 * writer.c. On the image's thread; lock held, given up while the disk works. What goes wrong sticks
 * to the image (a flash is then closing). sync, fill_holes: 0, or -errno if the image is not as its
 * writers think.
 */
void writer_write_run(struct cm4_image *image); /* the next transfer that is queued */
void writer_write_chunk(
	struct cm4_image *image, uint64_t index); /* what is not yet written of this MiB */
int writer_drain(struct cm4_image *image);	  /* all that was taken so far is on the disk */
int writer_sync(struct cm4_image *image);	  /* ... and on the medium */
int writer_fill_holes(
	struct cm4_image *image); /* zeros where nothing was written, behind the head */

/* The disk answered @error to @what: the image fails by it. Returns writer_verdict, which is an error then. */
int writer_failed(struct cm4_image *image, int error, const char *what, uint64_t offset);
int writer_verdict(
	const struct cm4_image *image); /* 0, or why the image is no longer as its writers think */

/* A vector of zeros, of up to WRITER_ZEROS bytes. Returns its length. */
#define WRITER_ZEROS	 (4u << 20)
#define WRITER_ZEROS_IOV 16
int writer_zeros(struct iovec iov[WRITER_ZEROS_IOV], uint64_t bytes);

/*
 * reader.c. serve: lock held; from the windows; true when all of it is read. @stale: also what is
 * just read.
 */
bool reader_serve(struct cm4_image *image, struct cm4_io *io, bool stale);
/* Lock not held. 0 or -errno; what the medium cannot read is EIO. */
int reader_read_disk(struct block *block, void *buffer, size_t size, uint64_t offset);
/*
 * On the image's thread; lock held, given up while the disk works. fetch: what @io lacks next; 0 or
 * -errno.
 */
int reader_fetch(struct cm4_image *image, const struct cm4_io *io);
bool reader_may_prefetch(struct cm4_image *image);
void reader_prefetch(struct cm4_image *image);
void reader_fini(struct cm4_image *image);

/*
 * finish.c. On the image's thread; lock held, given up in between. flash: a close() that its writers' manners do not
 * object to; 0, -EBADMSG or -EINVAL where it may go on, or -errno by which it has failed. verify: see prove_again.
 * incomplete: nobody has it open any more, and it is not whole.
 */
int finish_flash(struct cm4_image *image);
int finish_verify(struct cm4_image *image);
void finish_incomplete(struct cm4_image *image);

/* thread.c. */
void *image_thread(void *data);
