#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * The seam to the shell that a module's mass-storage system offers on its CDC-ACM function: a stream of
 * bytes each way. One thread at a time, but abort.
 */
struct console;

struct console_ops {
	/* Bytes, at least 1; -ETIMEDOUT, -ENODEV, -ECANCELED, -EIO. */
	ssize_t (*read)(struct console *console, void *buffer, size_t size, unsigned timeout_ms);
	ssize_t (*write)(
		struct console *console, const void *buffer, size_t size, unsigned timeout_ms);
	void (*abort)(struct console *console);
	void (*close)(struct console *console); /* frees it */
};

struct console {
	const struct console_ops *ops;
};
