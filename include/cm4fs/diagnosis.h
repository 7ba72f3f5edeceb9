#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <cm4fs/module.h>

/*
 * What is wrong, and how one can tell: for DIAGNOSIS.TXT, the root's status.json and `cm4fs doctor`.
 * All of these are copies, owned by the caller; what a const char * points at is constant.
 */

#define CM4_EVIDENCE_MAX  8
#define CM4_EVIDENCE_TEXT 160
#define CM4_FINDINGS_MAX  64

/* A line, or several of one kind: the first of them. Printable ASCII, whoever said it. */
struct cm4_evidence {
	struct timespec first, last; /* CLOCK_REALTIME; 0: not known */
	unsigned times;
	char text[CM4_EVIDENCE_TEXT];
};

struct cm4_finding {
	const char *id; /* a word for scripts, the manual's heading: "port-garbled" */
	enum cm4_blame blame;
	bool note;		   /* nothing is wrong with a module or a port */
	bool earlier;		   /* long past, and never heard of again */
	char port[CM4_PORT_MAX];   /* "" where it is no port's */
	char module[CM4_NAME_MAX]; /* "" where it is no module's */
	char text[256];		   /* a sentence without its full stop */
	const char *advice;	   /* steps joined by newlines, the most likely first */
	struct cm4_evidence evidence[CM4_EVIDENCE_MAX];
	size_t n_evidence;
};

struct cm4_report {
	struct cm4_finding *findings; /* the gravest first */
	size_t n;
	size_t n_modules;
	char source[64]; /* what is followed, for people; "" nothing may be read */
};

/*
 * Explains a log that somebody pasted: lines as dmesg, the journal, syslog or /dev/kmsg have them.
 * Evidence has no times, the lines are quoted with theirs. 0 or -ENOMEM.
 */
int cm4_explain_log(const char *log, size_t size, struct cm4_report *ret_report);

void cm4_report_fini(struct cm4_report *report);
