#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "sim/console.h"
#include "sim/module.h"
#include "util/clock.h"

static int put_text(struct sim_call *call, const char *text)
{
	return call->out->put(call->out, text, strlen(text));
}

static int run_echo(struct sim_call *call)
{
	bool newline = !(call->argc > 1 && strcmp(call->argv[1], "-n") == 0);
	char line[SIM_TTY_LINE] = "";
	size_t n = 0;

	for (int i = newline ? 1 : 2; i < call->argc && n < sizeof(line); i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%s", call->argv[i],
			i + 1 < call->argc ? " " : "");
	if (newline && n < sizeof(line) - 1)
		strcpy(line + n, "\n");
	return put_text(call, line);
}

/* The escape at @text, two bytes long. */
static char unescape(char c)
{
	static const char from[] = "nrtabef\\", to[] = "\n\r\t\a\b\x1b\f\\";
	const char *at = c ? strchr(from, c) : NULL;

	return at ? to[at - from] : c;
}

/* %s, %d, %c-less: strings and numbers alike are taken as they stand. */
static int run_printf(struct sim_call *call)
{
	const char *format = call->argc > 1 ? call->argv[1] : "";
	char text[SIM_TTY_LINE];
	size_t n = 0;
	int next = 2;

	for (; *format && n + 1 < sizeof(text); format++) {
		if (*format == '\\' && format[1]) {
			text[n++] = unescape(*++format);
		} else if (*format == '%' && format[1] == '%') {
			text[n++] = *++format;
		} else if (*format == '%' && format[1] && strchr("sd", format[1])) {
			const char *value = next < call->argc ? call->argv[next++] : "";
			int length = snprintf(text + n, sizeof(text) - n, "%s", value);

			n += (size_t)length < sizeof(text) - n ? (size_t)length
							       : sizeof(text) - n - 1;
			format++;
		} else {
			text[n++] = *format;
		}
	}
	return call->out->put(call->out, text, n);
}

static int run_true(struct sim_call *call)
{
	return 0;
}

static int run_false(struct sim_call *call)
{
	return 1;
}

static int run_stty(struct sim_call *call)
{
	for (int i = 1; i < call->argc; i++)
		sim_tty_set(call->job->shell->tty, call->argv[i]);
	return 0;
}

static int run_sleep(struct sim_call *call)
{
	unsigned long seconds = call->argc > 1 ? strtoul(call->argv[1], NULL, 10) : 0;

	return sim_job_wait(call->job, clock_ns() + seconds * NS_PER_S);
}

static int run_wait(struct sim_call *call)
{
	if (!call->job->background)
		sim_shell_wait(call->job->shell);
	return 0;
}

static bool exists(const struct sim_module *module, const char *path)
{
	if (strcmp(path, "/proc/sys/vm/drop_caches") == 0 || strcmp(path, "/dev/null") == 0)
		return true;
	return sim_console_disk(module, path);
}

/* [ -e PATH ], -b, -w: of all that a path may be, whether it is. */
static int run_test(struct sim_call *call)
{
	if (call->argc < 3 || call->argv[1][0] != '-')
		return 2;
	return exists(call->job->shell->module, call->argv[2]) ? 0 : 1;
}

static int run_uname(struct sim_call *call)
{
	return put_text(call, "Linux\n");
}

static int run_which(struct sim_call *call)
{
	const char *name = call->argc > 1 ? call->argv[call->argc - 1] : "";

	if (!sim_command_find(name))
		return 127;
	return sim_job_print(call->out, "/bin/%s\n", name);
}

static const struct {
	const char *name;
	sim_command *run;
} commands[] = {
	{":", run_true},
	{"[", run_test},
	{"blockdev", sim_dump_blockdev},
	{"busybox", run_true},
	{"cat", sim_dump_cat},
	{"command", run_which},
	{"dd", sim_dump_dd},
	{"echo", run_echo},
	{"export", run_true},
	{"false", run_false},
	{"md5sum", sim_dump_sum},
	{"printf", run_printf},
	{"set", run_true},
	{"sha256sum", sim_dump_sum},
	{"sleep", run_sleep},
	{"stty", run_stty},
	{"sync", sim_dump_sync},
	{"test", run_test},
	{"true", run_true},
	{"uname", run_uname},
	{"wait", run_wait},
	{"which", run_which},
};

sim_command *sim_command_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run;
	}
	return NULL;
}
