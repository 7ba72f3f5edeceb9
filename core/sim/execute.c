#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "sim/shell.h"
#include "sim/words.h"

/* How the shell runs what it reads: lists of pipelines of commands, and where their output goes. */

struct drop_sink {
	struct sim_sink sink;
	struct sim_job *job;
};

/* 1 to 3 are as one here: there is nothing but pages to drop. */
static int drop_put(struct sim_sink *sink, const void *data, size_t size)
{
	return size ? sim_dump_drop_caches(((struct drop_sink *)sink)->job) : 0;
}

/* NAME=VALUE; false: it is none. What is too long or too many is forgotten. */
static bool assign(struct sim_job *job, const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	if (n == 0 || word[n] != '=')
		return false;
	for (size_t i = 0; i < SIM_VARIABLES && n < sizeof(job->variables[i].name); i++) {
		struct sim_variable *variable = &job->variables[i];

		if (*variable->name &&
			(strlen(variable->name) != n || strncmp(variable->name, word, n) != 0))
			continue;
		snprintf(variable->name, sizeof(variable->name), "%.*s", (int)n, word);
		snprintf(variable->value, sizeof(variable->value), "%s", word + n + 1);
		break;
	}
	return true;
}

/* Takes redirections out of the words and turns the call's output where they say. 0, or the exit status 1. */
static int redirect(struct sim_call *call, struct sim_words *words, struct drop_sink *drop)
{
	int n = 0;

	for (int i = 0; i < words->n; i++) {
		const char *operator= words->words[i], *file;
		struct sim_sink **target = *operator== '2' ? &call->err : & call->out;

		if (!words->redirects[i]) {
			words->words[n++] = words->words[i];
			continue;
		}
		if (strcmp(operator, "2>&1") == 0) {
			call->err = call->out;
			continue;
		}
		if (strcmp(operator, ">&2") == 0) {
			call->out = call->err;
			continue;
		}
		file = i + 1 < words->n ? words->words[++i] : "";
		if (strcmp(file, "/dev/null") == 0) {
			if (*operator!= '<')
				*target = &sim_sink_null;
		} else if (strcmp(file, "/proc/sys/vm/drop_caches") == 0 && *operator!= '<') {
			*target = &drop->sink;
		} else {
			sim_job_print(call->err, "sh: can't open %s: no such file\n", file);
			return 1;
		}
	}
	words->words[n] = NULL;
	words->n = n;
	return 0;
}

/* The words of one stage, ready to run; "busybox" before an applet says nothing new. 0, 1 or -errno. */
static int prepare(struct sim_call *call, const char *text, size_t length, struct sim_words *words,
	struct drop_sink *drop)
{
	int r = sim_words_split(call->job, text, length, words);

	*drop = (struct drop_sink){{drop_put}, call->job};
	if (r < 0)
		return r == -E2BIG || r == -EINVAL ? 1 : r;
	r = redirect(call, words, drop);
	call->argv = words->words;
	call->argc = words->n;
	if (call->argc > 1 && strcmp(call->argv[0], "busybox") == 0) {
		call->argv++;
		call->argc--;
	}
	return r;
}

static int run_words(struct sim_call *call)
{
	sim_command *command;

	while (call->argc && assign(call->job, call->argv[0])) {
		call->argv++;
		call->argc--;
	}
	if (call->argc == 0)
		return 0;
	command = sim_command_find(call->argv[0]);
	if (command)
		return command(call);
	sim_job_print(call->err, "sh: %s: not found\n", call->argv[0]);
	return 127;
}

/* ( ... ) or { ...; }: a list within; the first keeps its variables to itself. */
static int run_group(struct sim_call *call, const char *text, size_t length)
{
	struct sim_job *job = call->job, inner = *job;
	int r;

	if (job->depth == SIM_DEPTH_MAX)
		return 1;
	inner.depth++;
	inner.out = call->out;
	inner.err = call->err;
	r = sim_shell_execute(&inner, text + 1, length - 2);
	if (*text == '{')
		memcpy(job->variables, inner.variables, sizeof(job->variables));
	return r < 0 ? r : inner.status;
}

static int run_stage(struct sim_job *job, const char *text, size_t length, struct sim_sink *out)
{
	struct sim_call call = {.job = job, .out = out, .err = job->err};
	struct sim_words words;
	struct drop_sink drop;
	size_t group;
	int r;

	while (length && isspace((unsigned char)*text)) {
		text++;
		length--;
	}
	group = sim_words_group(text, length);
	r = prepare(&call, text + group, length - group, &words, &drop);
	if (r)
		return r;
	if (group && call.argc)
		return sim_job_print(call.err, "sh: syntax error\n") < 0 ? -EIO : 2;
	return group ? run_group(&call, text, group) : run_words(&call);
}

/* A stage that takes another's output, and all behind it; they end in their order. */
static int run_pipeline(struct sim_job *job, const char *text, size_t length, struct sim_sink *out)
{
	struct sim_call call = {.job = job, .out = out, .err = job->err};
	struct sim_filter filter;
	struct sim_words words;
	struct drop_sink drop;
	size_t last = 0;
	struct sim_piece piece;
	int r, first;

	/* The last stage is what stands behind the last bar. */
	for (size_t at = 0; at < length; at += piece.next) {
		if (sim_words_piece(text + at, length - at, SIM_LEVEL_PIPELINE, &piece) < 0)
			break;
		last = at;
	}
	if (last == 0)
		return run_stage(job, text, length, out);

	r = prepare(&call, text + last, length - last, &words, &drop);
	if (r == 0 && (call.argc == 0 || sim_filter_open(&filter, &call) < 0)) {
		sim_job_print(call.err, "sh: %s: not found\n", call.argc ? call.argv[0] : "");
		r = 127;
	}
	if (r)
		return r;
	first = run_pipeline(job, text, last - 1, &filter.sink);
	r = filter.end(&filter);
	return first < 0 ? first : r;
}

static int run_and_or(struct sim_job *job, const char *text, size_t length)
{
	enum sim_separator before = SIM_SEP_THEN;
	struct sim_piece piece;

	for (; length; text += piece.next, length -= piece.next) {
		int r = sim_words_piece(text, length, SIM_LEVEL_AND_OR, &piece);

		if (r < 0)
			return r;
		if (before == SIM_SEP_THEN || (before == SIM_SEP_AND) == (job->status == 0)) {
			r = run_pipeline(job, text, piece.length, job->out);
			if (r < 0)
				return r;
			job->status = r;
		}
		before = piece.separator;
	}
	return 0;
}

struct spawned {
	struct sim_job job;
	struct sim_slot *slot;
	size_t length;
	char text[];
};

static void *run_spawned(void *data)
{
	struct spawned *spawned = data;

	run_and_or(&spawned->job, spawned->text, spawned->length);
	atomic_store(&spawned->slot->over, true);
	free(spawned);
	return NULL;
}

static int spawn(struct sim_job *job, const char *text, size_t length)
{
	struct sim_slot *slot = NULL;
	struct spawned *spawned;

	/* A job's own jobs would need a keeper: they run in its foreground. */
	if (!job->background && !job->depth)
		slot = sim_shell_slot(job->shell);
	if (!slot)
		return run_and_or(job, text, length);
	spawned = calloc(1, sizeof(*spawned) + length);
	if (!spawned)
		return -ENOMEM;
	spawned->job = *job;
	spawned->job.background = true;
	spawned->slot = slot;
	spawned->length = length;
	memcpy(spawned->text, text, length);
	if (pthread_create(&slot->thread, NULL, run_spawned, spawned)) {
		free(spawned);
		return -EAGAIN;
	}
	slot->taken = true;
	job->status = 0;
	return 0;
}

/* The text has no end of its own: a background job's is a copy of just its bytes. */
static bool is_blank(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] != ' ' && text[i] != '\t')
			return false;
	return true;
}

int sim_shell_execute(struct sim_job *job, const char *text, size_t length)
{
	struct sim_piece piece;

	for (; length; text += piece.next, length -= piece.next) {
		int r = sim_words_piece(text, length, SIM_LEVEL_LIST, &piece);

		if (r == 0 && piece.separator == SIM_SEP_BACKGROUND)
			r = spawn(job, text, piece.length);
		else if (r == 0 && !is_blank(text, piece.length))
			r = run_and_or(job, text, piece.length);
		if (r == -EINVAL) {
			job->status = 2;
			return sim_job_print(job->err, "sh: syntax error\n");
		}
		if (r < 0)
			return r;
	}
	return 0;
}
