#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proof/sha256.h"

/*
 * Answers in what a console says. An answer begins with a nonce that nothing else on the console knows:
 *
 *	NONCE:ID:STATUS.			a question of yes or no
 *	NONCE:ID:STATUS:64 HEX DIGITS -	a hash, as sha256sum prints it; without the digits, there is none
 *
 * Around it there may be anything: echo, prompts, escape sequences, the kernel's messages. Within it control
 * characters and escape sequences are passed over, so that a terminal may wrap its lines where it likes;
 * anything else makes it none. A hash cannot be lengthened or cut by noise, for it must be of its length, and
 * what follows it must stand there.
 *
 * The nonce begins with a letter that is in no other place of an answer. So where a match fails there is
 * nothing to go back to.
 */
#define SCAN_NONCE_SIZE	 19 /* a letter, 16 hex digits, a colon, and the NUL */
#define SCAN_NONCE_FIRST 'Q'
#define SCAN_TAIL	 12

struct scan_answer {
	uint32_t id;
	unsigned status; /* at most three digits */
	bool hashed;
	unsigned char hash[SHA256_SIZE];
};

enum scan_place { SCAN_NONCE, SCAN_ID, SCAN_STATUS, SCAN_HASH, SCAN_END };
enum scan_escape { SCAN_TEXT, SCAN_ESCAPE, SCAN_SEQUENCE, SCAN_STRING };

struct scanner {
	char nonce[SCAN_NONCE_SIZE];
	enum scan_escape escape;
	size_t escaped; /* characters of this escape sequence */
	enum scan_place place;
	size_t at; /* characters of this place */
	struct scan_answer answer;
	char tail[SCAN_TAIL]; /* the last characters of text, oldest first */
};

void scanner_init(struct scanner *scanner, uint64_t nonce);

/* True: with this byte an answer is complete. */
bool scanner_feed(struct scanner *scanner, unsigned char byte, struct scan_answer *ret_answer);

/* Whether @text was the last that was to be read, blanks behind it aside. At most SCAN_TAIL - 1 characters. */
bool scanner_ends_with(const struct scanner *scanner, const char *text);
