#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "linux/kernel_log.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define DEVICE	   "/dev/kmsg"
#define RECORD_MAX 8192

struct linux_log {
	struct kernel_log base;
	int fd;	     /* -1: denied */
	int wake;    /* an eventfd: readable once abort was called */
	pid_t child; /* journalctl; 0: fd is the log's own device */

	/* What the journal said, up to the last whole line. */
	char buffer[RECORD_MAX];
	size_t n;
};

static int64_t realtime_of_boot_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 - (int64_t)(clock_ns() / 1000);
}

/*
 * "3,1234,5678901,-;text", and lines with a blank before them that belong to it. Whoever may write to the
 * device can do so, but never with the kernel's own facility, 0.
 */
bool linux_kmsg_parse(const char *record, int64_t boot_us, struct kernel_record *ret)
{
	unsigned long long time_us;
	unsigned prefix;
	const char *text = strchr(record, ';');
	size_t n;

	if (!text || sscanf(record, "%u,%*u,%llu,", &prefix, &time_us) != 2 || prefix >> 3)
		return false;
	text++;
	n = strcspn(text, "\n");
	n = n < sizeof(ret->text) ? n : sizeof(ret->text) - 1;
	memcpy(ret->text, text, n);
	ret->text[n] = '\0';
	ret->time_us = boot_us + (int64_t)(time_us % 1000000000000000ull);
	return true;
}

/* A line out of the buffer. False: there is no whole one. */
static bool take_line(struct linux_log *log, struct kernel_record *ret)
{
	char *end;

	while ((end = memchr(log->buffer, '\n', log->n))) {
		size_t n = (size_t)(end - log->buffer) + 1;
		bool good;

		*end = '\0';
		good = linux_journal_parse(log->buffer, ret);
		log->n -= n;
		memmove(log->buffer, log->buffer + n, log->n);
		if (good)
			return true;
	}
	/* A line of this length is nobody's. */
	if (log->n == sizeof(log->buffer))
		log->n = 0;
	return false;
}

/* 0, -EAGAIN, or -EIO: there will be no more. */
static int read_journal(struct linux_log *log, struct kernel_record *ret)
{
	ssize_t n;

	while (!take_line(log, ret)) {
		n = read(log->fd, log->buffer + log->n, sizeof(log->buffer) - log->n);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -EIO;
		log->n += (size_t)n;
	}
	return 0;
}

static int read_device(struct linux_log *log, struct kernel_record *ret)
{
	char record[RECORD_MAX];
	ssize_t n;

	do {
		n = read(log->fd, record, sizeof(record) - 1);
		/* EPIPE: overwritten before it was read; the next is the oldest there is. */
		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -EIO;
		record[n] = '\0';
	} while (n < 0 || !linux_kmsg_parse(record, realtime_of_boot_us(), ret));
	return 0;
}

static int log_next(struct kernel_log *base, struct kernel_record *ret, unsigned timeout_ms)
{
	struct linux_log *log = (struct linux_log *)base;
	struct pollfd fds[] = {
		{.fd = log->wake, .events = POLLIN},
		{.fd = log->fd, .events = POLLIN},
	};
	uint64_t deadline = clock_ms() + timeout_ms;
	int r = -EAGAIN;

	for (;;) {
		uint64_t now;

		if (log->fd >= 0)
			r = log->child ? read_journal(log, ret) : read_device(log, ret);
		if (r != -EAGAIN)
			return r;
		now = clock_ms();
		if (now >= deadline)
			return -ETIMEDOUT;
		poll(fds, 2, (int)(deadline - now));
		if (fds[0].revents)
			return -ECANCELED;
	}
}

static size_t log_ports(struct kernel_log *base, struct kernel_port *ret, size_t max)
{
	(void)base;
	return linux_ports(ret, max);
}

static void log_abort(struct kernel_log *base)
{
	eventfd_write(((struct linux_log *)base)->wake, 1);
}

static void log_close(struct kernel_log *base)
{
	struct linux_log *log = (struct linux_log *)base;

	if (log->fd >= 0)
		close(log->fd);
	if (log->child)
		linux_journal_end(log->child);
	close(log->wake);
	free(log);
}

static const struct kernel_log_ops log_ops = {
	.next = log_next,
	.ports = log_ports,
	.abort = log_abort,
	.close = log_close,
};

int linux_kernel_log_open(struct kernel_log **ret_log)
{
	struct linux_log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->base.ops = &log_ops;
	log->wake = eventfd(0, EFD_CLOEXEC);
	if (log->wake < 0) {
		free(log);
		return -ENOMEM;
	}
	log->fd = open(DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log->fd >= 0)
		snprintf(log->base.source, sizeof(log->base.source), DEVICE);
	else if (linux_journal_readable() && linux_journal_start(&log->child, &log->fd) == 0)
		snprintf(log->base.source, sizeof(log->base.source), "the journal");
	*ret_log = &log->base;
	return 0;
}
