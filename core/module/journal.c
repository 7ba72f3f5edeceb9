#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "module/journal.h"
#include "util/cleanup.h"

#define JOURNAL_SIZE 65536
#define LINE_SIZE    512

struct journal {
	pthread_mutex_t lock;
	size_t used; /* of text, whole lines only */
	char text[JOURNAL_SIZE];
};

int journal_new(struct journal **ret_journal)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return -ENOMEM;
	pthread_mutex_init(&journal->lock, NULL);
	*ret_journal = journal;
	return 0;
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}

/* Drops whole lines from the front until half is free, so that this is done rarely. */
static void make_room(struct journal *journal, size_t size)
{
	char *keep;

	if (journal->used + size <= JOURNAL_SIZE)
		return;
	keep = memchr(journal->text + JOURNAL_SIZE / 2, '\n', journal->used - JOURNAL_SIZE / 2);
	keep = keep ? keep + 1 : journal->text + journal->used;
	journal->used -= (size_t)(keep - journal->text);
	memmove(journal->text, keep, journal->used);
}

static size_t stamp(char *line, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	n = strftime(line, size, "%F %T", &tm);
	return n + (size_t)snprintf(line + n, size - n, ".%03ld ", now.tv_nsec / 1000000);
}

void journal_add(struct journal *journal, const char *format, ...)
{
	char line[LINE_SIZE];
	size_t head = stamp(line, sizeof(line));
	size_t size;
	va_list args;

	va_start(args, format);
	vsnprintf(line + head, sizeof(line) - head - 1, format, args);
	va_end(args);

	size = strlen(line);
	for (size_t i = head; i < size; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[size++] = '\n';

	LOCKED(&journal->lock);
	make_room(journal, size);
	memcpy(journal->text + journal->used, line, size);
	journal->used += size;
}

char *journal_copy(struct journal *journal, size_t *ret_size)
{
	LOCKED(&journal->lock);
	char *copy = malloc(journal->used + 1);

	if (!copy)
		return NULL;
	memcpy(copy, journal->text, journal->used);
	copy[journal->used] = '\0';
	*ret_size = journal->used;
	return copy;
}
