#include "image/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"

int input_init(struct input *input)
{
	input->ring = malloc(INPUT_SIZE);
	return input->ring ? 0 : -ENOMEM;
}

void input_fini(struct input *input)
{
	free(input->ring);
	*input = (struct input){0};
}

size_t input_room(const struct input *input, uint64_t offset)
{
	uint64_t end = input->base + INPUT_SIZE;

	return offset < end ? (size_t)min64(end - offset, INPUT_SIZE) : 0;
}

/* [start, end) becomes the extents' own; it overlaps none of them. */
static int add_extent(struct input *input, uint64_t start, uint64_t end)
{
	struct input_extent *extents = input->extents;
	size_t at = 0;
	bool joins_before, joins_behind;

	while (at < input->n_extents && extents[at].end < start)
		at++;
	joins_before = at < input->n_extents && extents[at].end == start;
	if (joins_before)
		at++;
	joins_behind = at < input->n_extents && extents[at].start == end;

	if (joins_before && joins_behind) {
		extents[at - 1].end = extents[at].end;
		memmove(&extents[at], &extents[at + 1],
			(input->n_extents - at - 1) * sizeof(extents[0]));
		input->n_extents--;
	} else if (joins_before) {
		extents[at - 1].end = end;
	} else if (joins_behind) {
		extents[at].start = start;
	} else if (input->n_extents == INPUT_EXTENTS) {
		return -ENOBUFS;
	} else {
		memmove(&extents[at + 1], &extents[at],
			(input->n_extents - at) * sizeof(extents[0]));
		extents[at] = (struct input_extent){start, end};
		input->n_extents++;
	}
	return 0;
}

static bool overlaps(const struct input *input, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < input->n_extents; i++)
		if (start < input->extents[i].end && input->extents[i].start < end)
			return true;
	return start < input->base;
}

static void copy(unsigned char *to, const unsigned char *from, size_t n)
{
	if (from)
		memcpy(to, from, n);
	else
		memset(to, 0, n);
}

int input_put(struct input *input, uint64_t offset, const unsigned char *data, size_t n)
{
	size_t at = offset % INPUT_SIZE, first = (size_t)min64(n, INPUT_SIZE - at);
	int r;

	if (n == 0)
		return 0;
	if (overlaps(input, offset, offset + n))
		return -EINVAL;
	r = add_extent(input, offset, offset + n);
	if (r < 0)
		return r;
	copy(input->ring + at, data, first);
	copy(input->ring, data ? data + first : NULL, n - first);
	return 0;
}

size_t input_ready(const struct input *input, const unsigned char **ret_data)
{
	size_t at = input->base % INPUT_SIZE;

	if (!input->n_extents || input->extents[0].start != input->base)
		return 0;
	*ret_data = input->ring + at;
	return (size_t)min64(input->extents[0].end - input->base, INPUT_SIZE - at);
}

void input_take(struct input *input, size_t n)
{
	input->base += n;
	if (!n)
		return;
	input->extents[0].start = input->base;
	if (input->extents[0].start < input->extents[0].end)
		return;
	input->n_extents--;
	memmove(&input->extents[0], &input->extents[1],
		input->n_extents * sizeof(input->extents[0]));
}

uint64_t input_end(const struct input *input)
{
	return input->n_extents ? input->extents[input->n_extents - 1].end : input->base;
}

uint64_t input_gap(const struct input *input)
{
	return input->n_extents ? input->extents[0].start - input->base : 0;
}

uint64_t input_next(const struct input *input, uint64_t *at)
{
	for (size_t i = 0; i < input->n_extents; i++) {
		if (input->extents[i].start > *at)
			return input->extents[i].start;
		if (input->extents[i].end > *at)
			*at = input->extents[i].end;
	}
	return UINT64_MAX;
}
