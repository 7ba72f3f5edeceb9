#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proof/scan.h"

/* An escape sequence that does not end is none: what hides behind it must come out again. */
#define ESCAPED_MAX 64

enum { BELL = 0x07, ESCAPE = 0x1b, DELETE = 0x7f };

void scanner_init(struct scanner *scanner, uint64_t nonce)
{
	*scanner = (struct scanner){0};
	snprintf(scanner->nonce, sizeof(scanner->nonce), "%c%016" PRIx64 ":", SCAN_NONCE_FIRST,
		nonce);
}

/* What a terminal would show of it: a character that takes a place on the screen. */
static bool is_text(struct scanner *scanner, unsigned char c)
{
	if (c == ESCAPE || (scanner->escape != SCAN_TEXT && ++scanner->escaped > ESCAPED_MAX)) {
		scanner->escape = c == ESCAPE ? SCAN_ESCAPE : SCAN_TEXT;
		scanner->escaped = 0;
	}
	switch (scanner->escape) {
	case SCAN_TEXT:
		return c >= ' ' && c != DELETE;
	case SCAN_ESCAPE:
		if (c == '[')
			scanner->escape = SCAN_SEQUENCE;
		else if (c && strchr("]P^_X", c))
			scanner->escape = SCAN_STRING;
		else if (c != ESCAPE)
			scanner->escape = SCAN_TEXT;
		return false;
	case SCAN_SEQUENCE: /* ends with a letter; no line ends within one */
		if ((c >= 0x40 && c < DELETE) || c == '\n')
			scanner->escape = SCAN_TEXT;
		return false;
	case SCAN_STRING: /* ends with a bell, or another escape */
		if (c == BELL || c == '\n')
			scanner->escape = SCAN_TEXT;
		return false;
	}
	return false;
}

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool go_on(struct scanner *scanner, enum scan_place place)
{
	scanner->place = place;
	scanner->at = 0;
	return true;
}

/* Whether @c may stand where it stands. */
static bool take(struct scanner *scanner, unsigned char c)
{
	struct scan_answer *answer = &scanner->answer;
	int value;

	switch (scanner->place) {
	case SCAN_NONCE:
		if (scanner->at == 0 || (char)c != scanner->nonce[scanner->at])
			return false;
		if (!scanner->nonce[++scanner->at])
			go_on(scanner, SCAN_ID);
		return true;
	case SCAN_ID:
		if (c == ':' && scanner->at)
			return go_on(scanner, SCAN_STATUS);
		if (!is_digit(c) || ++scanner->at > 9)
			return false;
		answer->id = answer->id * 10 + (uint32_t)(c - '0');
		return true;
	case SCAN_STATUS:
		if ((c == ':' || c == '.') && scanner->at)
			return go_on(scanner, c == ':' ? SCAN_HASH : SCAN_NONCE);
		if (!is_digit(c) || ++scanner->at > 3)
			return false;
		answer->status = answer->status * 10 + (unsigned)(c - '0');
		return true;
	case SCAN_HASH:
		if (c == ' ' && scanner->at == 0)
			return go_on(scanner, SCAN_NONCE);
		value = hex_value(c);
		if (value < 0)
			return false;
		answer->hash[scanner->at / 2] =
			(unsigned char)(answer->hash[scanner->at / 2] << 4 | value);
		if (++scanner->at == 2 * SHA256_SIZE)
			go_on(scanner, SCAN_END);
		return true;
	case SCAN_END:
		if (c != ' ')
			return false;
		answer->hashed = true;
		return go_on(scanner, SCAN_NONCE);
	}
	return false;
}

bool scanner_feed(struct scanner *scanner, unsigned char byte, struct scan_answer *ret_answer)
{
	if (!is_text(scanner, byte))
		return false;
	memmove(scanner->tail, scanner->tail + 1, SCAN_TAIL - 1);
	scanner->tail[SCAN_TAIL - 1] = (char)byte;

	if (byte == SCAN_NONCE_FIRST) {
		scanner->place = SCAN_NONCE;
		scanner->at = 1;
		scanner->answer = (struct scan_answer){0};
		return false;
	}
	if (!take(scanner, byte)) {
		go_on(scanner, SCAN_NONCE);
		return false;
	}
	if (scanner->place != SCAN_NONCE || scanner->at)
		return false;
	*ret_answer = scanner->answer;
	return true;
}

bool scanner_ends_with(const struct scanner *scanner, const char *text)
{
	size_t end = SCAN_TAIL, n = strlen(text);

	while (end && scanner->tail[end - 1] == ' ')
		end--;
	return end >= n && memcmp(scanner->tail + end - n, text, n) == 0;
}
