#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A file that can only be read from its beginning on, put in order as it comes: a window of INPUT_SIZE bytes over
 * it, which begins at the next byte to be read. Within the window bytes come in any order, each of them once.
 *
 * Thread: the owner's lock guards it. What ready() has given may be read with the lock free until take(): nothing is
 * put there meanwhile.
 */
#define INPUT_SIZE    (4u << 20)
#define INPUT_EXTENTS 64

struct input_extent {
	uint64_t start, end;
};

struct input {
	unsigned char *ring; /* INPUT_SIZE */
	uint64_t base;	     /* the next byte to be read, of the file */
	size_t n_extents;
	struct input_extent
		extents[INPUT_EXTENTS]; /* that are here; sorted, and neither overlap nor touch */
};

int input_init(struct input *input);  /* 0 or -ENOMEM */
void input_fini(struct input *input); /* an input of zeros is accepted */

/* How many bytes could be put at @offset; 0: it lies behind the window. */
size_t input_room(const struct input *input, uint64_t offset);

/*
 * There is room for them. @data NULL: zeros. 0; -EINVAL: one of them has been put already, or even read; -ENOBUFS:
 * too many pieces. Nothing is changed then.
 */
int input_put(struct input *input, uint64_t offset, const unsigned char *data, size_t n);

/* What can be read now, in one piece; 0: the next byte is not here. */
size_t input_ready(const struct input *input, const unsigned char **ret_data);
void input_take(struct input *input, size_t n);

/* Where what is here ends; base if nothing is. */
uint64_t input_end(const struct input *input);

/* Moves *at on to the first byte that is missing; gives where the next one begins that is here, or UINT64_MAX. */
uint64_t input_next(const struct input *input, uint64_t *at);

/* The bytes that are missing before the first that is here; 0: none are, or nothing is here. */
uint64_t input_gap(const struct input *input);
