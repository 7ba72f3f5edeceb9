#pragma once

#include <fuse_opt.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <cm4fs/module.h>

/*
 * The command line. Owned by whoever parsed it; no thread but the composition's.
 */
struct fs_options {
	char *payload; /* NULL: the standard places */
	bool simulated;
	char *simulate; /* the SPEC; NULL: one module */
	bool autoboot, raw, allow_otp;
	enum cm4_verify verify;
	char **ports; /* NULL-terminated; NULL: all */
	size_t n_ports;

	bool foreground, debug, help, version;
	bool named; /* fsname= or subtype= was given */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	char *source;
	char *mountpoint;      /* as given */
	struct fuse_args args; /* what is libfuse's */
};

/*
 * 0, or -EINVAL after a sentence on standard error, or -ENOMEM. Free with fs_options_fini in every
 * case. Where help, version or simulate "help" is asked for, the rest need not make sense.
 */
int fs_options_parse(int argc, char **argv, struct fs_options *ret_options);
void fs_options_fini(struct fs_options *options);

bool fs_options_ask(const struct fs_options *options); /* nothing is to be mounted */
void fs_options_help(void);
