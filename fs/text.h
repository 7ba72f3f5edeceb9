#pragma once

#include <stddef.h>

#include <cm4fs/diagnosis.h>
#include <cm4fs/module.h>

/*
 * The files that are read as text, rendered from a snapshot. Owned by the caller: free() the data.
 * Pure but for the memory; any thread.
 */
struct fs_text {
	char *data; /* NULL when empty */
	size_t size;
};

int fs_text_readme(struct fs_text *ret_text); /* all of them: 0 or -ENOMEM */
int fs_text_control(struct fs_text *ret_text);
int fs_text_details(const struct cm4_status *status, struct fs_text *ret_text);
int fs_text_fail(const struct cm4_status *status, struct fs_text *ret_text);

/* JSON (json.c). */
int fs_json_module(const struct cm4_status *status, struct fs_text *ret_text);
int fs_json_root(const struct cm4_status *statuses, size_t n, const struct cm4_report *report,
	struct fs_text *ret_text);

/*
 * Strings from outside, made harmless (clean.c). What comes from a module is printable ASCII,
 * anything else in it a `?`; what comes from a person, a file's name, may be any UTF-8 without
 * control characters. @size: of @out, at least 1; cut to fit, never within a character. Returns
 * @out.
 */
const char *fs_clean_ascii(const char *in, char *out, size_t size);
const char *fs_clean_utf8(const char *in, char *out, size_t size);

#define FS_CLEAN_MAX 1024
#define FS_ASCII(in) fs_clean_ascii((in), (char[FS_CLEAN_MAX]){0}, FS_CLEAN_MAX)
#define FS_UTF8(in)  fs_clean_utf8((in), (char[FS_CLEAN_MAX]){0}, FS_CLEAN_MAX)

/* "2026-11-23T06:27:38.123Z". Returns @out. */
const char *fs_clean_time(const struct timespec *time, char out[32]);
