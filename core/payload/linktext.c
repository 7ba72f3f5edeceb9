#include <stdio.h>

#include "payload/linktext.h"
#include "payload/payload.h"

#define LINK_SIZE_MAX 256 /* far above any link, far below any firmware */

bool linktext_detect(struct payload_file *file, char *text, size_t size)
{
	uint64_t n = payload_file_size(file);
	char content[LINK_SIZE_MAX];

	if (n == 0 || n > sizeof(content) || payload_file_read(file, content, (size_t)n, 0) < 0)
		return false;
	if (content[n - 1] == '\n') /* added by an editor, or by a kind archiver */
		n--;
	for (uint64_t i = 0; i < n; i++)
		if (content[i] < 0x20 || content[i] > 0x7e)
			return false;
	if (n == 0)
		return false;
	snprintf(text, size, "%.*s", (int)n, content);
	return true;
}

void linktext_explain(
	const char *name, const char *path, const char *text, char *message, size_t size)
{
	snprintf(message, size,
		"%s in %s is no boot file but the text of a symlink (%.60s): "
		"the directory was copied without its links; copy it with cp -rL",
		name, path, text);
}
