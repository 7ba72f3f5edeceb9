#pragma once

#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <cm4fs/image.h>
#include <cm4fs/module.h>

struct fs;
struct fs_reader;

enum fs_reply {
	FS_REPLY_ERROR, /* 0 or an error */
	FS_REPLY_WRITE, /* bytes taken */
	FS_REPLY_READ,	/* the bytes read */
	FS_REPLY_ATTR,	/* a truncation: the file as it is now */
};

/*
 * One request that the core answers in its own time.
 *
 * Ownership: two references, the submitter's, which ends with submit, and the core's, which ends
 * when it completes; the watch holds a third while it looks after an interrupted one.
 */
struct fs_op {
	struct fs *fs;
	fuse_req_t req; /* libfuse frees it at the reply */
	pid_t pid;	/* whose request it is */
	enum fs_reply reply;
	uint64_t ino;		 /* FS_REPLY_ATTR */
	struct cm4_image *image; /* with a reference; NULL: a verb */
	bool opened;		 /* the file is open for this request alone */
	struct cm4_io io;
	void *received;	 /* a WRITE's bytes lie in it; the pool's */
	void *buffer;	 /* a READ's; the heap's */
	size_t size;	 /* a verb's: what its write answers */
	uint64_t module; /* ... and whose it is */
	bool clears;	 /* ... and whether it is clear */

	struct fs_reader *reader; /* of events; NULL: none */
	bool parked;		  /* these three under the lock of events */
	ssize_t result;
	TAILQ_ENTRY(fs_op) parking;

	atomic_uint refs;
	atomic_bool replied;

	/* The watch's, under its lock; the rest its thread's own. */
	bool submitted, interrupted;
	uint64_t interrupted_ms;
	TAILQ_ENTRY(fs_op) link;
};

TAILQ_HEAD(fs_op_list, fs_op);

/* NULL after an -ENOMEM reply. Takes a reference to @image, which may be NULL. */
struct fs_op *fs_op_new(fuse_req_t req, struct cm4_image *image, enum fs_reply reply);

void fs_op_fail(struct fs_op *op, int error); /* instead of submitting it */
void fs_op_submit(struct fs_op *op);	      /* to its image: op->io has been filled in */
void fs_op_control(struct fs_op *op, struct cm4_module *module, enum cm4_verb verb);
/* What the module makes of it is the answer. @data is not kept. */
void fs_op_sidecar(struct fs_op *op, struct cm4_module *module, const char *name, const void *data,
	size_t size);
void fs_op_compare(struct fs_op *op, struct cm4_module *module, struct cm4_image *image);
void fs_op_events(struct fs_op *op, struct fs_reader *reader, bool nonblock);

/* Whoever was given it completes it. No lock is held. */
void fs_op_done(struct fs_op *op, ssize_t result);

/* The caller does not want to wait any longer. Only the watch calls this. */
void fs_op_give_up(struct fs_op *op);

struct fs_op *fs_op_ref(struct fs_op *op);
void fs_op_unref(struct fs_op *op);
