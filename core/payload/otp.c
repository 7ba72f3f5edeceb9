#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "payload/otp-key.h"
#include "payload/payload.h"
#include "util/cleanup.h"

#define NAME_SIZE_MAX 256 /* what a module can ask for */
#define PIECE_SIZE    (64 * 1024)

/* One payload, looked at. Names are those of texts that were met; what was met before is not looked at again. */
struct check {
	struct payload *payload;
	const struct boot_chip *chip;
	const char *port;
	char *message;
	size_t size;
	char names[OTP_TEXTS_MAX][NAME_SIZE_MAX];
	size_t n;
};

static void cleanup_file(struct payload_file **file)
{
	payload_file_close(*file);
}

static void cleanup_image(struct otp_image **image)
{
	otp_image_free(*image);
}

static int burns(const struct check *check, const char *name, const struct otp_finding *finding)
{
	char where[48];

	if (finding->line > 0)
		snprintf(where, sizeof(where), "line %llu", (unsigned long long)finding->line);
	else
		snprintf(where, sizeof(where), "byte %llu", (unsigned long long)finding->offset);
	snprintf(check->message, check->size,
		"%.96s, %s: %s=%s would burn one-time-programmable memory, for good; "
		"leave it out, or start cm4fs with --allow-otp",
		name, where, finding->key, *finding->value ? finding->value : "(unknown)");
	return -EPERM;
}

static int unreadable(const struct check *check, const char *name, int error)
{
	snprintf(check->message, check->size,
		"%.96s cannot be searched for what burns one-time-programmable memory: %s", name,
		strerror(-error));
	return error;
}

static int meet(struct check *check, const char *name, size_t size)
{
	if (size == 0 || size >= NAME_SIZE_MAX)
		return 0;
	for (size_t i = 0; i < check->n; i++)
		if (strlen(check->names[i]) == size && memcmp(check->names[i], name, size) == 0)
			return 0;
	if (check->n == OTP_TEXTS_MAX) {
		snprintf(check->message, check->size,
			"config.txt includes more files than can be searched for what burns "
			"one-time-programmable memory: %u",
			OTP_TEXTS_MAX);
		return -EPERM;
	}
	memcpy(check->names[check->n], name, size);
	check->names[check->n++][size] = '\0';
	return 0;
}

static bool is_space(uint8_t byte)
{
	return byte <= ' ' || byte >= 0x7f;
}

/* `include NAME`, with as many blanks as one likes. */
static int meet_included(struct check *check, const uint8_t *line, size_t size)
{
	static const char word[] = "include";
	const size_t n = sizeof(word) - 1;

	while (size > 0 && is_space(*line)) {
		line++;
		size--;
	}
	if (size <= n || !otp_is_same(line, word, n) || !otp_is_blank(line[n]))
		return 0;
	line += n;
	size -= n;
	while (size > 0 && otp_is_blank(*line)) {
		line++;
		size--;
	}
	while (size > 0 && otp_is_blank(line[size - 1]))
		size--;
	return meet(check, (const char *)line, size);
}

static int meet_all_included(struct check *check, const uint8_t *text, size_t size)
{
	size_t begin = 0;

	for (size_t i = 0; i <= size; i++) {
		int r;

		if (i < size && !otp_is_end(text[i]))
			continue;
		r = meet_included(check, text + begin, i - begin);
		if (r < 0)
			return r;
		begin = i + 1;
	}
	return 0;
}

static int look_through(const struct check *check, const char *name, struct payload_file *file)
{
	_cleanup_(cleanup_image) struct otp_image *image = NULL;
	_cleanup_free_ uint8_t *piece = malloc(PIECE_SIZE);
	uint64_t size = payload_file_size(file);
	struct otp_finding finding;

	if (!piece || otp_image_new(&image) < 0)
		return unreadable(check, name, -ENOMEM);
	for (uint64_t done = 0; done < size;) {
		size_t n = size - done < PIECE_SIZE ? (size_t)(size - done) : PIECE_SIZE;
		int r = payload_file_read(file, piece, n, done);

		if (r < 0)
			return unreadable(check, name, r);
		otp_image_add(image, piece, n);
		done += n;
	}
	return otp_image_end(image, &finding) ? burns(check, name, &finding) : 0;
}

static int read_text(struct check *check, const char *name, struct payload_file *file)
{
	_cleanup_free_ uint8_t *text = malloc(OTP_TEXT_SIZE_MAX);
	uint64_t size = payload_file_size(file);
	struct otp_finding finding;
	int r;

	if (size > OTP_TEXT_SIZE_MAX) {
		snprintf(check->message, check->size,
			"%.96s is too large to be searched for what burns one-time-programmable "
			"memory",
			name);
		return -EPERM;
	}
	if (!text)
		return unreadable(check, name, -ENOMEM);
	r = payload_file_read(file, text, (size_t)size, 0);
	if (r < 0)
		return unreadable(check, name, r);
	if (otp_scan(text, (size_t)size, &finding))
		return burns(check, name, &finding);
	return meet_all_included(check, text, (size_t)size);
}

static int check_file(struct check *check, const char *name, bool is_text)
{
	_cleanup_(cleanup_file) struct payload_file *file = NULL;
	int r;

	r = payload_find(check->payload, check->chip, check->port, name, &file);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return unreadable(check, name, r);
	return is_text ? read_text(check, name, file) : look_through(check, name, file);
}

static int check_all(struct check *check)
{
	static const char *const texts[] = {"config.txt", "tryboot.txt", "autoboot.txt"};
	static const char *const images[] = {"bootfiles.bin", "boot.img"};
	int r = 0;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		meet(check, texts[i], strlen(texts[i]));
	for (size_t i = 0; r == 0 && i < check->n; i++)
		r = check_file(check, check->names[i], true);
	for (size_t i = 0; r == 0 && i < sizeof(images) / sizeof(images[0]); i++)
		r = check_file(check, images[i], false);
	return r;
}

int otp_check_payload(struct payload *payload, const struct boot_chip *chip, const char *port,
	char *message, size_t size)
{
	_cleanup_free_ struct check *check = malloc(sizeof(*check));

	*message = '\0';
	if (!check) {
		snprintf(message, size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	check->payload = payload;
	check->chip = chip;
	check->port = port;
	check->message = message;
	check->size = size;
	check->n = 0;
	return check_all(check);
}
