#pragma once

#include <jansson.h>
#include <stdio.h>

#include <cm4fs/diagnosis.h>

#include "text.h"

/*
 * Findings as people and scripts read them: DIAGNOSIS.TXT, the root's status.json, and what `cm4fs
 * doctor` says. Pure but for the memory; any thread.
 */

/* What is wrong in a sentence first, then the evidence, then what to try. When all is well it says so. */
void fs_findings_print(FILE *stream, const struct cm4_report *report);

int fs_text_diagnosis(const struct cm4_report *report, struct fs_text *ret_text); /* 0 or -ENOMEM */

/* An array; NULL when out of memory. */
json_t *fs_findings_json(const struct cm4_report *report);

/* Steps joined by newlines, as an array of strings; NULL when out of memory. */
json_t *fs_findings_steps(const char *steps);

/* Whether anything is wrong now with a module, a port or the link. */
bool fs_findings_bad(const struct cm4_report *report);
