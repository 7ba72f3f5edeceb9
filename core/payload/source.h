#pragma once

#include "payload/payload.h"

/*
 * Within the payload room: what a source of boot files is to the rest of it. There are four: a
 * directory (directory.c), files in memory (blobs.c), the standard places (standard.c), which shows
 * how one source is made of others: it asks them in turn; and the files staged for one module
 * (staged-payload.c), which lie over another source, and are handed to the boot driver instead of it.
 * Nothing else has to know.
 */
struct payload_ops {
	/*
	 * @name has been judged by payload_find. @port: NULL where no overlay may serve. As
	 * payload_find, and -EXDEV: it is there, but as a link that leads out of the payload.
	 */
	int (*find)(struct payload *payload, const struct boot_chip *chip, const char *port,
		const char *name, struct payload_file **ret_file);
	void (*free)(struct payload *payload);
};

struct payload {
	const struct payload_ops *ops;
	const char *label; /* the source's own */
};

/* Whether @name is any chip's second stage. */
bool payload_is_second_stage(const char *name);

/* @fd becomes the file's own, in failure too. 0 or -errno: EIO, ENOMEM. */
int payload_file_new(int fd, struct payload_file **ret_file);

/* @data is borrowed from the payload. 0 or -ENOMEM. */
int payload_file_new_memory(const void *data, size_t size, struct payload_file **ret_file);
