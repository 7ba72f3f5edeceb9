#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <cm4fs/diagnosis.h>
#include <cm4fs/fleet.h>

#include "text.h"

/*
 * What the readers of `events` have been told so far: of each module its status, and what is wrong. From it comes what
 * is to be told of a change, and what one who begins to read is greeted with; so that greeting and changes are of one
 * piece.
 *
 * Pure but for the memory; whoever has it guards it. @text: lines are appended; NULL: nobody reads. Where there is no
 * memory for a line, it is missing. Times are clock_ms's.
 */
#define FS_TOLD_PROGRESS_MS                                                                        \
	1010 /* a second, and what is lost where times are cut to milliseconds */

struct fs_told_module;

struct fs_told {
	TAILQ_HEAD(, fs_told_module) modules; /* in the order in which they came */
	struct cm4_report report;	      /* the findings that have been told; owned */
};

void fs_told_init(struct fs_told *told);
void fs_told_fini(struct fs_told *told);

void fs_told_news(
	struct fs_told *told, const struct cm4_news *news, uint64_t now, struct fs_text *text);

/*
 * What is wrong now, which it takes over: what is new of it, and what is over. Nothing, all zeros, while nobody reads:
 * then all is new to who comes next.
 */
void fs_told_report(struct fs_told *told, const struct cm4_report *report, struct fs_text *text);

/* hello, the state of every module, and what is wrong. */
void fs_told_greet(const struct fs_told *told, struct fs_text *text);

/*
 * Progress: of a module that is being flashed once in FS_TOLD_PROGRESS_MS, and once more when that has ended. Whose
 * is due, with when; UINT64_MAX: nobody's, ever.
 */
uint64_t fs_told_due(const struct fs_told *told, uint64_t *ret_module);
void fs_told_progress(
	struct fs_told *told, const struct cm4_status *status, uint64_t now, struct fs_text *text);
/* It has none any more: no such module. */
void fs_told_no_progress(struct fs_told *told, uint64_t module);
