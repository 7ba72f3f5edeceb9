#include <stdbool.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cm4fs/log.h>

static atomic_bool to_syslog;
static atomic_bool debug;

void cm4_log(int level, const char *format, ...)
{
	va_list args;

	if (level >= LOG_DEBUG && !debug)
		return;

	va_start(args, format);
	if (to_syslog) {
		vsyslog(level, format, args);
	} else {
		char line[1024];

		vsnprintf(line, sizeof(line), format, args);
		fprintf(stderr, "cm4fs: %s\n", line);
	}
	va_end(args);
}

void cm4_log_to_syslog(void)
{
	openlog("cm4fs", LOG_PID, LOG_DAEMON);
	to_syslog = true;
}

void cm4_log_set_debug(int on)
{
	debug = on;
}
