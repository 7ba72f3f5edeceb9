#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/*
 * A harness without libFuzzer: every file of a corpus is replayed, and then a number of variations on it
 * that are the same in every run. It finds what was found before, on any compiler.
 *
 *     replay-NAME VARIATIONS DIRECTORY
 */

#define SEED_SIZE_MAX (1 << 16)

static uint64_t random_state = 0x2545f4914f6cdd1d;

/* xorshift64* */
static uint32_t next_random(uint32_t below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)(random_state * 0x2545f4914f6cdd1d >> 32) % below;
}

static size_t vary(uint8_t *bytes, size_t size)
{
	static const uint8_t odd[] = {
		0x00, 0x01, 0x02, 0x7f, 0x80, 0xf0, 0xf3, 0xff, '/', '.', '*'};

	for (uint32_t n = 1 + next_random(4); n > 0 && size > 0; n--) {
		uint32_t at = next_random((uint32_t)size);

		switch (next_random(4)) {
		case 0:
			bytes[at] = (uint8_t)next_random(256);
			break;
		case 1:
			bytes[at] = odd[next_random(sizeof(odd))];
			break;
		case 2: /* out of step by a byte */
			memmove(bytes + at, bytes + at + 1, --size - at);
			break;
		case 3:
			if (next_random(8) == 0)
				size = at;
			break;
		}
	}
	return size;
}

/* In memory of exactly its size, so that a sanitizer sees a read beyond it. */
static bool run(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return false;
	memcpy(copy, bytes, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	return true;
}

static bool replay(const char *path, unsigned variations)
{
	static uint8_t seed[SEED_SIZE_MAX], varied[SEED_SIZE_MAX];
	FILE *file = fopen(path, "rbe");
	size_t size;

	if (!file)
		return false;
	size = fread(seed, 1, sizeof(seed), file);
	fclose(file);

	if (size == 0 || !run(seed, size))
		return false;
	for (unsigned i = 0; i < variations; i++) {
		memcpy(varied, seed, size);
		if (!run(varied, vary(varied, size)))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	unsigned variations = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
	DIR *dir = argc == 3 ? opendir(argv[2]) : NULL;
	struct dirent *entry;
	unsigned n = 0;

	if (!dir) {
		fprintf(stderr, "usage: %s VARIATIONS DIRECTORY\n", argv[0]);
		return EXIT_FAILURE;
	}
	while ((entry = readdir(dir))) {
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", argv[2], entry->d_name);
		if (!replay(path, variations)) {
			fprintf(stderr, "%s: cannot be replayed\n", path);
			return EXIT_FAILURE;
		}
		n++;
	}
	closedir(dir);
	printf("%u seeds and %u variations on each\n", n, variations);
	return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
