#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boot_chip;
struct payload;

/*
 * The guard before one-time-programmable memory. Four keys in a config.txt burn it, for good: program_pubkey,
 * program_jtag_lock, program_rpiboot_gpio and revoke_devkey, with a value other than 0 (PROTOCOL, "Boot files"). Which
 * [section] a key stands in does not matter: nobody but the firmware knows which sections hold. Where in doubt, the
 * guard says that it burns: who is refused wrongly says --allow-otp, who is not is left with a module that he has
 * locked.
 */
struct otp_finding {
	const char *key; /* static */
	char value[24];	 /* as it stands there, cut short; "" where it lies elsewhere in an image */
	uint64_t line;	 /* from 1; 0: in an image, which has no lines */
	uint64_t offset; /* of the key */
};

/*
 * The first one in a text. A key counts where it begins a line, behind blanks and whatever is no ASCII (a byte order
 * mark); a NUL ends a line, and is a blank. Nothing else on a line can be a key, so a comment needs no rule. Pure.
 */
bool otp_scan(const void *data, size_t size, struct otp_finding *ret_finding);

/*
 * Within bytes that hold files in sectors of 512, such as a FAT image or a tar: each file's bytes are there, but a file
 * may lie in pieces, so beyond the sector nobody knows what belongs together. Hence:
 *   - KEY=VALUE counts anywhere, unless a `#` that begins its line stands before it in the same sector, or the key is
 *     the end of a longer word there;
 *   - a key at a sector's end, whose value does not follow, counts;
 *   - so does a key of which one half ends some sector, and the other begins another.
 * What looks like a format string (KEY=%d) or has no value does not.
 *
 * The bytes are added in pieces of any size; memory is constant. Pure.
 */
struct otp_image;

int otp_image_new(struct otp_image **ret_image); /* 0 or -ENOMEM */
void otp_image_free(struct otp_image *image);	 /* NULL is accepted */
void otp_image_add(struct otp_image *image, const void *data, size_t size);
bool otp_image_end(struct otp_image *image, struct otp_finding *ret_finding); /* at most once */

/* All at once. 1: found; 0: not; -ENOMEM. */
int otp_scan_image(const void *data, size_t size, struct otp_finding *ret_finding);

#define OTP_TEXT_SIZE_MAX (1u << 20) /* far above any that firmware reads */
#define OTP_TEXTS_MAX	  64	     /* of files that include each other */

/*
 * All that @chip on @port could ask of @payload and that may hold such a line: config.txt, those that take its place
 * (tryboot.txt, autoboot.txt), whatever these include and is there, bootfiles.bin with every member, boot.img. Files
 * are found as a module's are, so that places and confinement are the same: what would not be served is not looked at.
 *
 * 0 or -errno, with a sentence in @message (at least 256 bytes):
 *   EPERM   it burns: file, line and key are named; or a text is so large, or includes so many, that nobody can
 *           tell
 *   EIO, EACCES, ENOMEM: it could not be looked at
 */
int otp_check_payload(struct payload *payload, const struct boot_chip *chip, const char *port,
	char *message, size_t size);
