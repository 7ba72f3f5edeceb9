#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/throttle.h"
#include "sim/tty.h"

struct sim_module;

/*
 * The shell behind the console: as much of busybox's ash as somebody needs who wants a disk read, hashed and
 * flushed on the module itself; of all else it complains as ash does. Lists (; && || &), pipes into a hash,
 * ( ) and { }, quotes, variables, $? and $( ), redirections to the few files there are.
 *
 * Thread: one for the shell, one for each job in the background, each with a struct sim_job of its own.
 */
#define SIM_CORES 4
#define SIM_CORE_RATE                                                                              \
	100000000ull /* bytes per second of SHA-256: the Cortex-A72 has no instructions for it */
#define SIM_JOBS_MAX  16
#define SIM_VARIABLES 16
#define SIM_DEPTH_MAX 8 /* of ( ), { } and $( ) */

/* Room for one in the background. */
struct sim_slot {
	bool taken; /* the shell's own thread's, as is all but over */
	pthread_t thread;
	atomic_bool over; /* it waits for nothing but to be joined */
};

struct sim_shell {
	/* Constant. */
	struct sim_module *module; /* of which only what is constant is used */
	struct sim_tty *tty;
	bool noisy; /* kernel messages come in between */

	pthread_mutex_t lock; /* guards the cores; held over nothing */
	struct sim_throttle cores[SIM_CORES];

	/* The shell's own thread's. */
	struct sim_slot slots[SIM_JOBS_MAX];
	unsigned noises;
};

/* Where output goes. */
struct sim_sink {
	int (*put)(struct sim_sink *sink, const void *data, size_t size); /* 0 or -errno */
};

struct sim_variable {
	char name[32];
	char value[256];
};

/* What one thread of the shell is at. */
struct sim_job {
	struct sim_shell *shell;
	bool background;
	int status; /* $? */
	int depth;
	struct sim_variable variables[SIM_VARIABLES];
	struct sim_sink *out, *err;
};

void sim_shell_init(
	struct sim_shell *shell, struct sim_module *module, struct sim_tty *tty, bool noisy);
void sim_shell_finish(struct sim_shell *shell);

/* Prompts, reads and runs, until the terminal hangs up. */
void sim_shell_run(struct sim_shell *shell);

/* A line of text; what became of it is in job->status. 0, or -errno: the job must end (hang-up, ^C). */
int sim_shell_execute(struct sim_job *job, const char *text, size_t length);

/* The same, its output into @value, without the newlines at its end. */
int sim_shell_capture(struct sim_job *job, const char *text, char *value, size_t size);

const char *sim_shell_variable(const struct sim_job *job, const char *name); /* "" if unset */

/* For every job in the background. */
void sim_shell_wait(struct sim_shell *shell);

/* Room for another one; NULL: there is none. */
struct sim_slot *sim_shell_slot(struct sim_shell *shell);

/* Output of a job. 0 or -errno. */
int sim_job_print(struct sim_sink *sink, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Until @until; 0, -EIO after a hang-up, -EINTR after a ^C, which background jobs do not feel. */
int sim_job_wait(struct sim_job *job, uint64_t until);

/* When @size more bytes will have been hashed, by whichever core is free first. */
uint64_t sim_shell_hash_time(struct sim_shell *shell, size_t size);
