#pragma once

#include <stddef.h>

/*
 * FACTORY_UUID as recovery.bin sends it: the hex digits of 32-bit words, joined by `_`, the lower half of a word
 * before the upper one, three characters in C40 to each half. "19a519a6_19ab520e_1ac0212b" is 001000911006186073
 * (the pair is the one in usbboot's and rpi-imager's own tests). rpiboot -j writes the decoded text.
 *
 * Strict, where rpiboot reads past its buffers: digits and capital letters alone, at most 36 of them, and behind an
 * end (a word or an upper half of 0) nothing but zeros.
 */
#define BOOT_UUID_SIZE 37 /* with its NUL */

/* 0, or -EINVAL and nothing is changed. */
int boot_uuid_decode(const char *words, char ret_uuid[BOOT_UUID_SIZE]);
