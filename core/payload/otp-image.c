#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "payload/otp-key.h"

#define SECTOR	    512u
#define AHEAD	    (2 * SECTOR) /* what is looked at behind a key, at the most */
#define WINDOW_SIZE (128 * SECTOR)
#define VALUE_MAX   128u /* no line of the firmware's is longer */

/*
 * A window goes over the bytes in steps of whole sectors. Around what is looked at there is always the sector before
 * it, and AHEAD behind it, unless the image ends.
 */
struct otp_image {
	uint8_t window[WINDOW_SIZE];
	size_t n;
	size_t from;   /* what lies before has been looked at */
	uint64_t base; /* where in the image the window begins */
	bool ended;

	bool found;
	struct otp_finding finding; /* the first */

	/* Keys in two parts: bit N: the first N letters were seen to end a sector, the others to begin one. */
	uint32_t fronts[OTP_KEYS_N], backs[OTP_KEYS_N];
	struct otp_finding back[OTP_KEYS_N]; /* the last seen */
};

int otp_image_new(struct otp_image **ret_image)
{
	struct otp_image *image = calloc(1, sizeof(*image));

	if (!image)
		return -ENOMEM;
	*ret_image = image;
	return 0;
}

void otp_image_free(struct otp_image *image)
{
	free(image);
}

static size_t sector_of(size_t at)
{
	return at - at % SECTOR;
}

/* Within its sector. */
static size_t line_start(const uint8_t *bytes, size_t at)
{
	size_t sector = sector_of(at);

	while (at > sector && !otp_is_end(bytes[at - 1]))
		at--;
	return at;
}

static size_t skip_blanks(const uint8_t *bytes, size_t size, size_t at)
{
	while (at < size && otp_is_blank(bytes[at]))
		at++;
	return at;
}

static size_t value_size(const struct otp_image *image, size_t value)
{
	size_t n = image->n - value;

	return n < VALUE_MAX ? n : VALUE_MAX;
}

static bool is_comment(const uint8_t *bytes, size_t at)
{
	size_t first = skip_blanks(bytes, at, line_start(bytes, at));

	return first < at && bytes[first] == '#';
}

static bool begins_line(const uint8_t *bytes, size_t at)
{
	return skip_blanks(bytes, at, line_start(bytes, at)) == at;
}

/* A NUL is no end that a text has: names in a program's table have it. */
static bool begins_text_line(const uint8_t *bytes, size_t at)
{
	size_t start = line_start(bytes, at);

	return begins_line(bytes, at) && (start % SECTOR == 0 || bytes[start - 1] != '\0');
}

/*
 * What follows a key that ends before @at. @ret_cut: between key and value a sector ends, and what comes then is no
 * value.
 */
static enum otp_value judge_behind(
	const struct otp_image *image, size_t at, size_t *ret_value, bool *ret_cut)
{
	const uint8_t *bytes = image->window;
	size_t sector = sector_of(at - 1), value = skip_blanks(bytes, image->n, at);
	enum otp_value judged;

	*ret_value = value;
	if (value == image->n || bytes[value] != '=') {
		*ret_cut = sector_of(value) > sector || (value == image->n && !image->ended);
		return OTP_VALUE_NONE;
	}
	sector = sector_of(value);
	value = skip_blanks(bytes, image->n, value + 1);
	*ret_value = value;
	judged = otp_judge(bytes + value, value_size(image, value));
	if (judged == OTP_VALUE_BURNS && bytes[value] == '%')
		judged = OTP_VALUE_NONE;
	*ret_cut = judged == OTP_VALUE_NONE && sector_of(value) > sector;
	return judged;
}

/* @cut: what stands at @value is not the key's. */
static void found(struct otp_image *image, const char *key, size_t at, size_t value, bool cut)
{
	if (image->found)
		return;
	image->found = true;
	otp_report(key, image->window + value, cut ? 0 : value_size(image, value), &image->finding);
	image->finding.offset = image->base + at;
}

static void look_at_key(struct otp_image *image, const char *key, size_t at)
{
	const uint8_t *bytes = image->window;
	size_t value;
	bool cut;

	if ((at % SECTOR != 0 && otp_is_word(bytes[at - 1])) || is_comment(bytes, at))
		return;
	if (judge_behind(image, at + strlen(key), &value, &cut) == OTP_VALUE_BURNS)
		found(image, key, at, value, bytes[value] < 0x20 || bytes[value] >= 0x7f);
	else if (cut && begins_text_line(bytes, at))
		found(image, key, at, value, true);
}

static void look_at_front(struct otp_image *image, size_t end)
{
	const uint8_t *bytes = image->window;
	size_t n = 0;

	while (n <= OTP_KEY_SIZE_MAX && n < SECTOR && otp_is_word(bytes[end - n - 1]))
		n++;
	if (n == 0 || n > OTP_KEY_SIZE_MAX || !begins_line(bytes, end - n))
		return;
	for (size_t i = 0; i < OTP_KEYS_N; i++)
		if (n < strlen(otp_key(i)) && otp_is_same(bytes + end - n, otp_key(i), n))
			image->fronts[i] |= 1u << n;
}

static void look_at_back(struct otp_image *image, size_t begin)
{
	const uint8_t *bytes = image->window + begin;
	size_t left = image->n - begin, n = 0, value;
	bool cut;

	while (n <= OTP_KEY_SIZE_MAX && n < left && otp_is_word(bytes[n]))
		n++;
	if (n == 0 || judge_behind(image, begin + n, &value, &cut) != OTP_VALUE_BURNS)
		return;
	for (size_t i = 0; i < OTP_KEYS_N; i++) {
		size_t size = strlen(otp_key(i));

		if (n >= size || !otp_is_same(bytes, otp_key(i) + size - n, n))
			continue;
		image->backs[i] |= 1u << (size - n);
		otp_report(otp_key(i), image->window + value, value_size(image, value),
			&image->back[i]);
		image->back[i].offset = image->base + begin;
	}
}

/* Keys that begin before @to, and sectors that end there. */
static void look(struct otp_image *image, size_t to)
{
	size_t at = image->from, start;
	const char *key;

	while (!image->found && otp_next_key(image->window, image->n, &at, &start, &key) &&
		start < to)
		if (start >= image->from)
			look_at_key(image, key, start);

	for (size_t edge = image->from + SECTOR; !image->found && edge <= to; edge += SECTOR) {
		look_at_front(image, edge);
		look_at_back(image, edge);
	}
}

static void slide(struct otp_image *image)
{
	size_t to = image->n - AHEAD, gone = to - SECTOR;

	look(image, to);
	image->n -= gone;
	memmove(image->window, image->window + gone, image->n);
	image->base += gone;
	image->from = SECTOR;
}

void otp_image_add(struct otp_image *image, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	while (size > 0 && !image->found) {
		size_t room = WINDOW_SIZE - image->n, n = size < room ? size : room;

		memcpy(image->window + image->n, bytes, n);
		image->n += n;
		bytes += n;
		size -= n;
		if (image->n == WINDOW_SIZE)
			slide(image);
	}
}

bool otp_image_end(struct otp_image *image, struct otp_finding *ret_finding)
{
	image->ended = true;
	if (!image->found)
		look(image, image->n);
	for (size_t i = 0; !image->found && i < OTP_KEYS_N; i++) {
		image->found = (image->fronts[i] & image->backs[i]) != 0;
		if (image->found)
			image->finding = image->back[i];
	}
	if (image->found)
		*ret_finding = image->finding;
	return image->found;
}

int otp_scan_image(const void *data, size_t size, struct otp_finding *ret_finding)
{
	struct otp_image *image;
	int r;

	r = otp_image_new(&image);
	if (r < 0)
		return r;
	otp_image_add(image, data, size);
	r = otp_image_end(image, ret_finding);
	otp_image_free(image);
	return r;
}
