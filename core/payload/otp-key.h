#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "payload/otp.h"

/* Within the guard: the keys, and what stands around one. Pure. */

#define OTP_KEYS_N	 4
#define OTP_KEY_SIZE_MAX 20

/* The table's row; NULL behind the last. */
const char *otp_key(size_t i);

/*
 * The next key whole within @bytes, whatever stands around it, in letters of either case. @at: where to look from;
 * then, where to look on. Every key has a `_`, and has it behind one of two words: that is what is searched for.
 */
bool otp_next_key(
	const uint8_t *bytes, size_t size, size_t *at, size_t *ret_start, const char **ret_key);

/* Whether @n bytes are those of @text, in letters of either case. */
bool otp_is_same(const uint8_t *bytes, const char *text, size_t n);

bool otp_is_word(uint8_t byte);	 /* a part of a key's name */
bool otp_is_blank(uint8_t byte); /* space, tab, and the controls that are blank on paper */
bool otp_is_end(uint8_t byte);	 /* of a line: LF, CR, NUL */

/* The value that ends with its line: nothing; some way to write 0, with or without a comment; anything else. */
enum otp_value {
	OTP_VALUE_NONE,
	OTP_VALUE_ZERO,
	OTP_VALUE_BURNS,
};
enum otp_value otp_judge(const uint8_t *value, size_t size);

void otp_report(const char *key, const uint8_t *value, size_t size, struct otp_finding *ret);
