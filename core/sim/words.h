#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sim_job;

/* How the shell reads text: pieces between separators, and words with their quotes and expansions. */

enum sim_level {
	SIM_LEVEL_LIST,	    /* ends at ; or & */
	SIM_LEVEL_AND_OR,   /* ... at && or || */
	SIM_LEVEL_PIPELINE, /* ... at | */
};

enum sim_separator {
	SIM_SEP_END,
	SIM_SEP_THEN,
	SIM_SEP_BACKGROUND,
	SIM_SEP_AND,
	SIM_SEP_OR,
	SIM_SEP_PIPE
};

struct sim_piece {
	size_t length;
	enum sim_separator separator; /* that ends it */
	size_t next;		      /* where the text goes on */
};

/* The piece at the start of @text. 0, or -EINVAL: a quote or a bracket is left open. */
int sim_words_piece(
	const char *text, size_t length, enum sim_level level, struct sim_piece *ret_piece);

/* How long the ( ) or { } is that @text begins with; 0: it begins with none. */
size_t sim_words_group(const char *text, size_t length);

#define SIM_WORDS_MAX  64
#define SIM_WORDS_TEXT 8192

struct sim_words {
	char *words[SIM_WORDS_MAX + 1]; /* ends with NULL */
	bool redirects[SIM_WORDS_MAX];	/* the word is an operator: ">", "2>", "<", "2>&1" */
	int n;
	char text[SIM_WORDS_TEXT]; /* what they point into */
	size_t used;
};

/* A simple command's words. $( ) runs in @job. 0; -E2BIG; or what running came to. */
int sim_words_split(struct sim_job *job, const char *text, size_t length, struct sim_words *words);
