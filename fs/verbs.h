#pragma once

#include <pthread.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ino.h"

/*
 * The verbs under way, module by module. The kernel lets one write to a file at a time, and a verb's write takes as
 * long as the verb: so while one is under way, `control` is another file to everyone who looks it up, or nobody could
 * cancel a boot by it.
 *
 * Thread: any.
 */
struct fs_verbs_entry;

struct fs_verbs {
	pthread_mutex_t lock;
	TAILQ_HEAD(, fs_verbs_entry) entries; /* of modules that have one under way */
	unsigned turn;
};

void fs_verbs_init(struct fs_verbs *verbs);
void fs_verbs_fini(struct fs_verbs *verbs);

int fs_verbs_begin(struct fs_verbs *verbs, uint64_t module); /* 0 or -ENOMEM */
void fs_verbs_end(struct fs_verbs *verbs, uint64_t module);  /* one that has begun */

/* Which file `control` is at this moment: 0, the usual one; while a verb is under way another one each time. */
unsigned fs_verbs_index(struct fs_verbs *verbs, uint64_t module);
