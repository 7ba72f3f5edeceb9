#pragma once

#include <stddef.h>

/*
 * What happened to one module, in lines with times, for its log file: bounded, the oldest lines
 * make room. Thread: any; it has its own lock, the innermost of all.
 */
struct journal;

int journal_new(struct journal **ret_journal); /* 0 or -ENOMEM */
void journal_free(struct journal *journal);    /* NULL is accepted */

/* Control characters in it, which may come from USB, become '?'. */
void journal_add(struct journal *journal, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A NUL-terminated copy: free() it. NULL when out of memory. @ret_size counts without the NUL. */
char *journal_copy(struct journal *journal, size_t *ret_size);
