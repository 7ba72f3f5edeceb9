#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "payload/layout.h"
#include "payload/source.h"

struct blobs {
	struct payload payload;
	char *label;
	size_t n;
	struct payload_blob blobs[];
};

static const struct payload_blob *lookup(const struct blobs *blobs, const char *path)
{
	for (size_t i = 0; i < blobs->n; i++)
		if (strcmp(blobs->blobs[i].name, path) == 0)
			return &blobs->blobs[i];
	return NULL;
}

static int blobs_find(struct payload *payload, const struct boot_chip *chip, const char *port,
	const char *name, struct payload_file **ret_file)
{
	const struct blobs *blobs = (const struct blobs *)payload;
	struct layout layout;

	layout_fill(&layout, chip, port, name);
	for (size_t i = 0; i < layout.n; i++) {
		const struct payload_blob *blob = lookup(blobs, layout.paths[i]);

		if (blob)
			return payload_file_new_memory(blob->data, blob->size, ret_file);
	}
	return -ENOENT;
}

static void blobs_free(struct payload *payload)
{
	struct blobs *blobs = (struct blobs *)payload;

	free(blobs->label);
	free(blobs);
}

static const struct payload_ops blobs_ops = {
	.find = blobs_find,
	.free = blobs_free,
};

int payload_new_blobs(
	const char *label, const struct payload_blob *files, size_t n, struct payload **ret_payload)
{
	struct blobs *blobs = calloc(1, sizeof(*blobs) + n * sizeof(*files));

	if (!blobs)
		return -ENOMEM;
	blobs->payload.ops = &blobs_ops;
	blobs->label = strdup(label);
	if (!blobs->label) {
		blobs_free(&blobs->payload);
		return -ENOMEM;
	}
	blobs->payload.label = blobs->label;
	blobs->n = n;
	for (size_t i = 0; i < n; i++)
		blobs->blobs[i] = files[i];

	*ret_payload = &blobs->payload;
	return 0;
}
