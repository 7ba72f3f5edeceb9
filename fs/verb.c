#include <errno.h>
#include <string.h>

#include "verb.h"

static int is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

int fs_verb_parse(const char *data, size_t size, char ret_word[FS_VERB_MAX])
{
	while (size && is_space(data[size - 1]))
		size--;
	while (size && is_space(*data)) {
		data++;
		size--;
	}
	if (!size || size >= FS_VERB_MAX)
		return -EINVAL;
	for (size_t i = 0; i < size; i++)
		if (is_space(data[i]))
			return -EINVAL;
	memcpy(ret_word, data, size);
	ret_word[size] = '\0';
	return 0;
}
