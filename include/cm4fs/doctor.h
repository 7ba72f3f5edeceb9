#pragma once

#include <stddef.h>

/*
 * What `cm4fs doctor` looks at, and what it finds. Copies, owned by the caller; nothing in them
 * points anywhere.
 */
enum cm4_check_level { CM4_CHECK_OK, CM4_CHECK_WARN, CM4_CHECK_FAIL };

#define CM4_CHECKS_MAX 96

struct cm4_check {
	enum cm4_check_level level;
	char name[32];	   /* a word for scripts: "fuse" */
	char text[320];	   /* a sentence without its full stop */
	char remedy[1024]; /* sentences; "" where there is nothing to do */
};

struct cm4_checkup {
	struct cm4_check checks[CM4_CHECKS_MAX];
	size_t n;
};

/* "ok", "warn", "FAIL" */
const char *cm4_check_level_to_string(enum cm4_check_level level);
