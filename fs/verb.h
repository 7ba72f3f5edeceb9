#pragma once

#include <stddef.h>

/*
 * The word in what was written to a control file: white space before and behind it does not count.
 * 0 or -EINVAL: no word, more than one, or one that is too long to be a verb. Pure; any thread.
 */
#define FS_VERB_MAX 16

int fs_verb_parse(const char *data, size_t size, char ret_word[FS_VERB_MAX]);
