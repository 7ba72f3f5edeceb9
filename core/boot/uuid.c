#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "boot/uuid.h"
#include "util/hex.h"

#define WORD_DIGITS_MAX 8

struct text {
	char bytes[BOOT_UUID_SIZE];
	size_t n;
	bool ended; /* by a half of 0 */
};

/* Of C40's basic set; 0 for its shifts and its space, which no identifier has. */
static char character(unsigned value)
{
	if (value >= 4 && value <= 13)
		return (char)('0' + value - 4);
	if (value >= 14 && value <= 39)
		return (char)('A' + value - 14);
	return '\0';
}

/* 1600 * first + 40 * second + third + 1 */
static bool add_half(struct text *text, uint16_t half)
{
	unsigned packed = half - 1u;
	unsigned values[3] = {packed / 1600, packed / 40 % 40, packed % 40};

	if (half == 0) {
		text->ended = true;
		return true;
	}
	if (text->ended)
		return false;
	for (size_t i = 0; i < 3; i++) {
		char c = character(values[i]);

		if (!c || text->n == BOOT_UUID_SIZE - 1)
			return false;
		text->bytes[text->n++] = c;
	}
	return true;
}

/* strtoul would take signs and blanks. */
static bool read_word(const char *digits, size_t n, uint32_t *ret_word)
{
	uint32_t word = 0;

	if (n == 0 || n > WORD_DIGITS_MAX || hex_span(digits, n) != n)
		return false;
	for (size_t i = 0; i < n; i++)
		word = word << 4 | (uint32_t)hex_value(digits[i]);
	*ret_word = word;
	return true;
}

int boot_uuid_decode(const char *words, char ret_uuid[BOOT_UUID_SIZE])
{
	struct text text = {.n = 0};

	for (;;) {
		size_t n = strcspn(words, "_");
		uint32_t word;

		if (!read_word(words, n, &word) || !add_half(&text, (uint16_t)word) ||
			!add_half(&text, (uint16_t)(word >> 16)))
			return -EINVAL;
		if (words[n] == '\0')
			break;
		words += n + 1;
	}
	if (text.n == 0)
		return -EINVAL;
	memcpy(ret_uuid, text.bytes, sizeof(text.bytes));
	return 0;
}
