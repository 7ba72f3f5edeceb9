#include <errno.h>
#include <string.h>

#include "sim/tty.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum { CTRL_C = 0x03, BACKSPACE = 0x08, BELL = 0x07, CTRL_U = 0x15, ESCAPE = 0x1b, DELETE = 0x7f };

void sim_tty_init(struct sim_tty *tty, bool dead)
{
	*tty = (struct sim_tty){.dead = dead, .echo = true, .onlcr = true};
	pthread_mutex_init(&tty->lock, NULL);
	cond_init(&tty->changed);
}

void sim_tty_finish(struct sim_tty *tty)
{
	pthread_cond_destroy(&tty->changed);
	pthread_mutex_destroy(&tty->lock);
}

void sim_tty_hang_up(struct sim_tty *tty)
{
	LOCKED(&tty->lock);

	tty->hung_up = true;
	pthread_cond_broadcast(&tty->changed);
}

/* What the host does not fetch is lost when the buffer is full: echo must not wait for anybody. */
static void emit(struct sim_tty *tty, char c)
{
	if (tty->n_out == SIM_TTY_OUT || tty->dead)
		return;
	tty->out[(tty->out_at + tty->n_out++) % SIM_TTY_OUT] = c;
	tty->column = c == '\r' || c == '\n' ? 0 : tty->column + 1;
}

static void emit_text(struct sim_tty *tty, const char *text)
{
	for (; *text; text++)
		emit(tty, *text);
	pthread_cond_broadcast(&tty->changed);
}

static void echo(struct sim_tty *tty, char c)
{
	if (!tty->echo)
		return;
	emit(tty, c);
	if (tty->column == SIM_COLUMNS)
		emit_text(tty, "\r\n");
}

static void end_line(struct sim_tty *tty)
{
	memcpy(tty->in + tty->n_in, tty->line, tty->typed);
	tty->n_in += tty->typed;
	tty->in[tty->n_in++] = '\n';
	tty->typed = 0;
	if (tty->echo)
		emit_text(tty, "\r\n");
}

static void erase(struct sim_tty *tty, size_t n)
{
	for (; n && tty->typed; n--) {
		tty->typed--;
		if (tty->echo)
			emit_text(tty, "\b \b");
	}
}

/* Answers to ESC [6n and cursor keys: nothing of them reaches the line. True: @c was part of one. */
static bool in_escape(struct sim_tty *tty, unsigned char c)
{
	if (c == ESCAPE) {
		tty->escape = 1;
		return true;
	}
	if (tty->escape == 0)
		return false;
	if (tty->escape == 1)
		tty->escape = c == '[' ? 2 : 0;
	else if (c >= 0x40 && c <= 0x7e)
		tty->escape = 0;
	return true;
}

static void type(struct sim_tty *tty, unsigned char c)
{
	size_t most = tty->echo ? SIM_TTY_EDIT - 1 : SIM_TTY_LINE - 1;

	if (in_escape(tty, c))
		return;
	if (c == '\r' || c == '\n') {
		end_line(tty);
	} else if (c == CTRL_C) {
		/* What waits is forgotten; an empty line makes a shell that runs nothing prompt again. */
		tty->typed = 0;
		tty->n_in = 0;
		tty->interrupted = true;
		emit_text(tty, "^C");
		end_line(tty);
	} else if (c == BACKSPACE || c == DELETE) {
		erase(tty, 1);
	} else if (c == CTRL_U) {
		erase(tty, tty->typed);
	} else if (tty->typed >= most) {
		emit(tty, BELL);
	} else if (c >= ' ' || c == '\t') {
		tty->line[tty->typed++] = (char)c;
		echo(tty, (char)c);
	}
}

/* A line that is being typed always finds room behind the whole ones. */
static bool has_room(const struct sim_tty *tty)
{
	return tty->n_in + tty->typed + 1 < SIM_TTY_IN && !tty->dead;
}

static int host_check(const struct sim_tty *tty, const bool *aborted)
{
	if (*aborted)
		return -ECANCELED;
	return tty->hung_up ? -ENODEV : 0;
}

ssize_t sim_tty_host_read(
	struct sim_tty *tty, const bool *aborted, void *buffer, size_t size, uint64_t deadline)
{
	char *bytes = buffer;
	size_t n = 0;
	int r;
	LOCKED(&tty->lock);

	while ((r = host_check(tty, aborted)) == 0 && tty->n_out == 0) {
		if (clock_ns() >= deadline)
			return -ETIMEDOUT;
		cond_wait_until(&tty->changed, &tty->lock, deadline);
	}
	if (r < 0)
		return r;
	for (; n < size && tty->n_out; n++, tty->n_out--) {
		bytes[n] = tty->out[tty->out_at];
		tty->out_at = (tty->out_at + 1) % SIM_TTY_OUT;
	}
	pthread_cond_broadcast(&tty->changed);
	return (ssize_t)n;
}

ssize_t sim_tty_host_write(struct sim_tty *tty, const bool *aborted, const void *buffer,
	size_t size, uint64_t deadline)
{
	const unsigned char *bytes = buffer;
	size_t n = 0;
	int r;
	LOCKED(&tty->lock);

	while ((r = host_check(tty, aborted)) == 0 && !has_room(tty)) {
		if (clock_ns() >= deadline)
			return -ETIMEDOUT;
		cond_wait_until(&tty->changed, &tty->lock, deadline);
	}
	if (r < 0)
		return r;
	while (n < size && has_room(tty))
		type(tty, bytes[n++]);
	pthread_cond_broadcast(&tty->changed);
	return (ssize_t)n;
}

int sim_tty_prompt(struct sim_tty *tty, const char *prompt)
{
	LOCKED(&tty->lock);

	emit_text(tty, prompt);
	if (tty->echo)
		emit_text(tty, "\x1b[6n");
	return tty->hung_up ? -EIO : 0;
}

int sim_tty_read_line(struct sim_tty *tty, char line[SIM_TTY_LINE])
{
	size_t n;
	LOCKED(&tty->lock);

	while (!tty->hung_up && tty->n_in == 0)
		cond_wait_until(&tty->changed, &tty->lock, UINT64_MAX);
	if (tty->hung_up)
		return -EIO;

	n = (size_t)((char *)memchr(tty->in, '\n', tty->n_in) - tty->in);
	memcpy(line, tty->in, n);
	line[n] = '\0';
	tty->n_in -= n + 1;
	memmove(tty->in, tty->in + n + 1, tty->n_in);
	tty->interrupted = false;
	pthread_cond_broadcast(&tty->changed);
	return 0;
}

int sim_tty_print(struct sim_tty *tty, const void *data, size_t size)
{
	const char *bytes = data;
	LOCKED(&tty->lock);

	for (size_t i = 0; i < size; i++) {
		while (!tty->hung_up && tty->n_out + 2 > SIM_TTY_OUT)
			cond_wait_until(&tty->changed, &tty->lock, UINT64_MAX);
		if (tty->hung_up)
			return -EIO;
		if (bytes[i] == '\n' && tty->onlcr)
			emit(tty, '\r');
		emit(tty, bytes[i]);
	}
	pthread_cond_broadcast(&tty->changed);
	return 0;
}

void sim_tty_set(struct sim_tty *tty, const char *word)
{
	bool on = *word != '-';
	const char *name = on ? word : word + 1;
	LOCKED(&tty->lock);

	if (strcmp(name, "echo") == 0)
		tty->echo = on;
	else if (strcmp(name, "onlcr") == 0 || strcmp(name, "opost") == 0)
		tty->onlcr = on;
	else if (strcmp(name, "raw") == 0)
		tty->onlcr = !on;
	else if (strcmp(name, "sane") == 0)
		tty->echo = tty->onlcr = true;
}

int sim_tty_wait(struct sim_tty *tty, uint64_t until, bool interruptible)
{
	LOCKED(&tty->lock);

	while (!tty->hung_up && !(interruptible && tty->interrupted) && clock_ns() < until)
		cond_wait_until(&tty->changed, &tty->lock, until);
	if (tty->hung_up)
		return -EIO;
	return interruptible && tty->interrupted ? -EINTR : 0;
}

void sim_tty_abort(struct sim_tty *tty, bool *aborted)
{
	LOCKED(&tty->lock);

	*aborted = true;
	pthread_cond_broadcast(&tty->changed);
}
