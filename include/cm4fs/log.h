#pragma once

#include <stdarg.h>
#include <syslog.h>

/*
 * Messages to the operator: to standard error until cm4_log_to_syslog, to the system log from then on.
 * Levels are syslog's. Any thread. No newline at the end.
 */
void cm4_log(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cm4_log_to_syslog(void);
void cm4_log_set_debug(int on); /* LOG_DEBUG is dropped unless on */
