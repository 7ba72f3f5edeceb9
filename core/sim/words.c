#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/shell.h"
#include "sim/words.h"

/* Behind the quoted text that begins at @at; @length: it does not end. */
static size_t skip_quoted(const char *text, size_t length, size_t at)
{
	char quote = text[at++];

	while (at < length && text[at] != quote)
		at += quote == '"' && text[at] == '\\' ? 2 : 1;
	return at < length ? at + 1 : length + 1;
}

/* Past the character at @at, with all that is quoted by it; counts brackets. */
static size_t step(const char *text, size_t length, size_t at, int *depth)
{
	char c = text[at];

	if (c == '\'' || c == '"')
		return skip_quoted(text, length, at);
	*depth += c == '(' || c == '{';
	*depth -= c == ')' || c == '}';
	return at + (c == '\\' ? 2 : 1);
}

size_t sim_words_group(const char *text, size_t length)
{
	size_t at = 0;
	int depth = 0;

	if (length == 0 || (*text != '(' && *text != '{'))
		return 0;
	do {
		at = step(text, length, at, &depth);
	} while (at < length && depth);
	return depth ? 0 : at;
}

/* What separates at @at, if anything does at @level, and how long it is. */
static enum sim_separator separator_at(
	const char *text, size_t length, size_t at, enum sim_level level, size_t *ret_length)
{
	char c = text[at], next = at + 1 < length ? text[at + 1] : '\0';
	bool twice = c == next;

	*ret_length = twice ? 2 : 1;
	switch (level) {
	case SIM_LEVEL_LIST:
		if (c == ';' || c == '\n') {
			*ret_length = 1;
			return SIM_SEP_THEN;
		}
		if (c == '&' && !twice && (at == 0 || (text[at - 1] != '>' && text[at - 1] != '&')))
			return SIM_SEP_BACKGROUND;
		break;
	case SIM_LEVEL_AND_OR:
		if (twice && (c == '&' || c == '|'))
			return c == '&' ? SIM_SEP_AND : SIM_SEP_OR;
		break;
	case SIM_LEVEL_PIPELINE:
		if (c == '|')
			return SIM_SEP_PIPE;
		break;
	}
	return SIM_SEP_END;
}

int sim_words_piece(
	const char *text, size_t length, enum sim_level level, struct sim_piece *ret_piece)
{
	size_t at = 0, n;
	int depth = 0;

	while (at < length) {
		enum sim_separator separator =
			depth ? SIM_SEP_END : separator_at(text, length, at, level, &n);

		if (separator != SIM_SEP_END) {
			*ret_piece = (struct sim_piece){at, separator, at + n};
			return 0;
		}
		at = step(text, length, at, &depth);
	}
	*ret_piece = (struct sim_piece){length, SIM_SEP_END, length};
	return depth || at > length ? -EINVAL : 0;
}

/* The reading of one command. */
struct reader {
	struct sim_job *job;
	const char *text;
	size_t length, at;
	struct sim_words *words;
	bool open; /* a word is being made */
};

static int put(struct reader *reader, char c)
{
	struct sim_words *words = reader->words;

	if (!reader->open) {
		if (words->n == SIM_WORDS_MAX)
			return -E2BIG;
		words->words[words->n] = words->text + words->used;
		words->redirects[words->n++] = false;
		reader->open = true;
	}
	/* One byte stays for the NUL. */
	if (words->used + 2 > SIM_WORDS_TEXT)
		return -E2BIG;
	words->text[words->used++] = c;
	return 0;
}

static void close_word(struct reader *reader)
{
	if (reader->open)
		reader->words->text[reader->words->used++] = '\0';
	reader->open = false;
}

/* An expansion's result; outside of quotes its blanks separate words. */
static int put_value(struct reader *reader, const char *value, bool quoted)
{
	int r = 0;

	for (; r == 0 && *value; value++) {
		if (!quoted && isspace((unsigned char)*value))
			close_word(reader);
		else
			r = put(reader, *value);
	}
	return r;
}

/* $( ... ), the reader standing behind the $. */
static int substitute(struct reader *reader, bool quoted)
{
	char value[1024], command[SIM_TTY_LINE];
	size_t begin = reader->at + 1, end = begin;
	int depth = 1, r;

	for (; end < reader->length; end++) {
		depth += reader->text[end] == '(';
		depth -= reader->text[end] == ')';
		if (depth == 0)
			break;
	}
	if (end == reader->length || end - begin >= sizeof(command))
		return -EINVAL;
	memcpy(command, reader->text + begin, end - begin);
	command[end - begin] = '\0';
	reader->at = end + 1;

	r = sim_shell_capture(reader->job, command, value, sizeof(value));
	return r < 0 ? r : put_value(reader, value, quoted);
}

/* $NAME, ${NAME}, $? and $( ), the reader standing at the $. */
static int expand(struct reader *reader, bool quoted)
{
	const char *text = reader->text + ++reader->at;
	size_t left = reader->length - reader->at, brace, n = 0;
	char name[32], number[16];

	if (left && *text == '(')
		return substitute(reader, quoted);
	if (left && *text == '?') {
		reader->at++;
		snprintf(number, sizeof(number), "%d", reader->job->status);
		return put_value(reader, number, quoted);
	}
	brace = left && *text == '{';
	while (brace + n < left &&
		(isalnum((unsigned char)text[brace + n]) || text[brace + n] == '_'))
		n++;
	if (n == 0 || n >= sizeof(name))
		return put(reader, '$');
	memcpy(name, text + brace, n);
	name[n] = '\0';
	reader->at += brace + n + (brace && brace + n < left);
	return put_value(reader, sim_shell_variable(reader->job, name), quoted);
}

static int read_quoted(struct reader *reader)
{
	char quote = reader->text[reader->at++];
	int r = 0;

	/* Even nothing in quotes is a word. */
	if (!reader->open) {
		r = put(reader, 'x');
		if (r == 0)
			reader->words->used--;
	}
	while (r == 0 && reader->at < reader->length && reader->text[reader->at] != quote) {
		char c = reader->text[reader->at];

		if (quote == '"' && c == '$') {
			r = expand(reader, true);
			continue;
		}
		if (quote == '"' && c == '\\' && reader->at + 1 < reader->length &&
			strchr("\"\\$`", reader->text[reader->at + 1]))
			c = reader->text[++reader->at];
		r = put(reader, c);
		reader->at++;
	}
	reader->at++;
	return r;
}

/* >, >>, 2>, <, 2>&1: a word of its own, and marked. */
static int read_redirect(struct reader *reader)
{
	static const char *const operators[] = {
		"2>&1", "2>>", "2>", ">&2", "1>", ">>", ">", "<", NULL};
	const char *text = reader->text + reader->at;
	size_t left = reader->length - reader->at;
	int r = 0;

	for (size_t i = 0; operators[i]; i++) {
		size_t n = strlen(operators[i]);

		if (n > left || strncmp(text, operators[i], n) != 0)
			continue;
		close_word(reader);
		r = put_value(reader, operators[i], true);
		if (r < 0)
			return r;
		reader->words->redirects[reader->words->n - 1] = true;
		close_word(reader);
		reader->at += n;
		return 1;
	}
	return 0;
}

static int read_char(struct reader *reader)
{
	char c = reader->text[reader->at];
	int r;

	if (c == '\'' || c == '"')
		return read_quoted(reader);
	if (c == '$')
		return expand(reader, false);
	if (c == '>' || c == '<' || (!reader->open && (c == '1' || c == '2'))) {
		r = read_redirect(reader);
		if (r)
			return r < 0 ? r : 0;
	}
	if (isspace((unsigned char)c)) {
		close_word(reader);
		reader->at++;
		return 0;
	}
	if (c == '\\' && reader->at + 1 < reader->length)
		c = reader->text[++reader->at];
	reader->at++;
	return put(reader, c);
}

int sim_words_split(struct sim_job *job, const char *text, size_t length, struct sim_words *words)
{
	struct reader reader = {.job = job, .text = text, .length = length, .words = words};
	int r = 0;

	words->n = 0;
	words->used = 0;
	while (r == 0 && reader.at < length)
		r = read_char(&reader);
	close_word(&reader);
	words->words[words->n] = NULL;
	return r;
}
