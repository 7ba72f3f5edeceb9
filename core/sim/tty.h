#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The terminal between the host's end of a CDC-ACM function and the shell on the module: ttyGS0 with agetty's
 * settings. With echo on it has the manners of busybox's line editor, which does the echoing itself: it asks
 * for the cursor, wraps at 80 columns and takes no more than 1023 bytes. With echo off (stty -echo) the editor
 * stays away, and lines of 4095 bytes pass in silence.
 *
 * Lock: its own, guards all of it; nothing else is taken under it. The host side and the shell's threads meet
 * here.
 */
#define SIM_TTY_LINE 4096
#define SIM_TTY_EDIT 1024
#define SIM_TTY_IN   8192
#define SIM_TTY_OUT  65536
#define SIM_COLUMNS  80

struct sim_tty {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool hung_up; /* the device is gone, or the simulation ends */
	bool dead;    /* nobody is behind it */

	bool echo, onlcr;
	bool interrupted; /* ^C, not yet seen by the command under way */
	int escape;	  /* within an escape sequence of the host's: how far */
	size_t column;
	char line[SIM_TTY_LINE]; /* being typed */
	size_t typed;

	char in[SIM_TTY_IN]; /* whole lines for the shell, each with its newline */
	size_t n_in;
	char out[SIM_TTY_OUT]; /* for the host; a ring */
	size_t out_at, n_out;
};

void sim_tty_init(struct sim_tty *tty, bool dead);
void sim_tty_finish(struct sim_tty *tty);
void sim_tty_hang_up(struct sim_tty *tty);

/* The host's side. @aborted: guarded by the tty's lock; see console.h for the errors. */
ssize_t sim_tty_host_read(
	struct sim_tty *tty, const bool *aborted, void *buffer, size_t size, uint64_t deadline);
ssize_t sim_tty_host_write(struct sim_tty *tty, const bool *aborted, const void *buffer,
	size_t size, uint64_t deadline);

/* Sets *@aborted, and wakes whoever it concerns. */
void sim_tty_abort(struct sim_tty *tty, bool *aborted);

/* The shell's side. 0, or -EIO after a hang-up. */
int sim_tty_prompt(struct sim_tty *tty, const char *prompt);
int sim_tty_read_line(struct sim_tty *tty, char line[SIM_TTY_LINE]); /* without its newline */
int sim_tty_print(struct sim_tty *tty, const void *data, size_t size);
void sim_tty_set(
	struct sim_tty *tty, const char *word); /* one of stty's; unknown ones change nothing */

/* Until @until. 0, -EIO after a hang-up, -EINTR after a ^C for who feels it. */
int sim_tty_wait(struct sim_tty *tty, uint64_t until, bool interruptible);
