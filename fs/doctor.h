#pragma once

#include <stdbool.h>
#include <stdio.h>

#include <cm4fs/diagnosis.h>
#include <cm4fs/doctor.h>

/*
 * `cm4fs doctor`: its command line, and what it prints. Thread: the composition's.
 */
struct fs_doctor {
	bool explain; /* a kernel log from standard input, and nothing of this host */
	bool json, help;
	const char *payload;  /* of the command line; NULL: the standard places */
	const char *simulate; /* a SPEC, whose kernel is listened to; NULL: this host's */
};

/*
 * Whether this is the doctor's command line: one that names any other mount point is none, for
 * SOURCE may be called doctor.
 */
bool fs_doctor_asked(int argc, char **argv);

/* 0, or -EINVAL after a sentence on standard error. */
int fs_doctor_parse(int argc, char **argv, struct fs_doctor *ret);

void fs_doctor_help(void);

/* Both return the exit status: 1 where anything FAILs, or a finding of a pasted log is bad. */
int fs_doctor_print(
	FILE *out, const struct cm4_checkup *checkup, const struct cm4_report *report, bool json);
int fs_doctor_explain(FILE *in, FILE *out, bool json);
