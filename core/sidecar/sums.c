#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sidecar/names.h"
#include "sidecar/sums.h"
#include "util/hex.h"

#define ARMOUR_MESSAGE	 "-----BEGIN PGP SIGNED MESSAGE-----"
#define ARMOUR_SIGNATURE "-----BEGIN PGP SIGNATURE-----"
#define ARMOUR_END	 "-----END PGP SIGNATURE-----"
#define ARMOUR_DASH	 "- "
#define BOM		 "\xef\xbb\xbf"
#define NAME_LENGTH_MAX	 255 /* no file has a longer one */

struct sum {
	const char *name; /* in the text; without directories */
	bool has_directory;
	unsigned char hash[SUMS_SIZE];
};

struct sums {
	char *text; /* a copy, in which names are made */
	struct sum *entries;
	size_t n, room;
};

enum armour { ARMOUR_NONE, ARMOUR_HEADERS, ARMOUR_TEXT, ARMOUR_SIGNED };

struct list {
	struct sums *sums;
	const char *bare; /* what a sum without a name is of; NULL: nothing */
	size_t bare_length;
	enum armour armour;
	unsigned char lone[SUMS_SIZE]; /* the sum without a name */
	unsigned n_lone;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool begins_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* @name: in the text of @sums. */
static int add(struct sums *sums, const char *name, bool has_directory, const unsigned char *hash)
{
	if (sums->n == sums->room) {
		size_t room = sums->room ? 2 * sums->room : 16;
		struct sum *entries = reallocarray(sums->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		sums->entries = entries;
		sums->room = room;
	}
	sums->entries[sums->n] = (struct sum){.name = name, .has_directory = has_directory};
	memcpy(sums->entries[sums->n++].hash, hash, SUMS_SIZE);
	return 0;
}

/* In its place; as sha256sum does it. False: that is none of its escapes. */
static bool unescape(char *name)
{
	char *to = name;

	for (const char *from = name; *from; from++) {
		char c = *from;

		if (c == '\\') {
			from++;
			if (*from != '\\' && *from != 'n' && *from != 'r')
				return false;
			c = *from == 'n' ? '\n' : *from == 'r' ? '\r' : '\\';
		}
		*to++ = c;
	}
	*to = '\0';
	return true;
}

static int add_lone(struct list *list, const unsigned char *hash)
{
	memcpy(list->lone, hash, SUMS_SIZE);
	list->n_lone++;
	return 0;
}

/* What no file can be called is passed over. */
static int add_name(struct list *list, char *name, bool is_escaped, const unsigned char *hash)
{
	char *base;

	if (is_escaped && !unescape(name))
		return 0;
	if (strcmp(name, "-") == 0)
		return add_lone(list, hash);
	while (begins_with(name, "./"))
		name += 2;
	base = strrchr(name, '/');
	base = base ? base + 1 : name;
	if (!*base || strlen(base) > NAME_LENGTH_MAX)
		return 0;
	return add(list->sums, base, base > name, hash);
}

/* HEX, a blank, a blank or an asterisk that says how it was read, NAME; or HEX alone. */
static int take_plain(struct list *list, char *line, bool is_escaped)
{
	unsigned char hash[SUMS_SIZE];
	char *name;

	if (hex_span(line, strlen(line)) != 2 * SUMS_SIZE)
		return 0;
	hex_decode(line, SUMS_SIZE, hash);
	name = line + 2 * SUMS_SIZE;
	if (name[strspn(name, " \t")] == '\0')
		return add_lone(list, hash);
	if (!is_blank(*name))
		return 0;
	name++;
	if (*name == ' ' || *name == '*')
		name++;
	return add_name(list, name, is_escaped, hash);
}

/* SHA256 (NAME) = HEX. @line begins behind the digest's name. A name may hold parentheses itself. */
static int take_tagged(struct list *list, char *line, bool is_escaped)
{
	unsigned char hash[SUMS_SIZE];
	char *name = line + strspn(line, " "), *end = strrchr(line, ')'), *hex;

	if (*name != '(' || !end)
		return 0;
	hex = end + 1 + strspn(end + 1, " \t");
	if (*hex != '=')
		return 0;
	hex += 1 + strspn(hex + 1, " \t");
	if (hex_span(hex, strlen(hex)) != 2 * SUMS_SIZE ||
		hex[2 * SUMS_SIZE + strspn(hex + 2 * SUMS_SIZE, " \t")])
		return 0;
	hex_decode(hex, SUMS_SIZE, hash);
	*end = '\0';
	return add_name(list, name + 1, is_escaped, hash);
}

static int take_line(struct list *list, char *line)
{
	bool is_escaped;

	line += strspn(line, " \t");
	if (*line == '#')
		return 0;
	is_escaped = *line == '\\';
	line += is_escaped;
	if (strncasecmp(line, "SHA256", 6) == 0)
		return take_tagged(list, line + 6, is_escaped);
	if (strncasecmp(line, "SHA2-256", 8) == 0)
		return take_tagged(list, line + 8, is_escaped);
	return take_plain(list, line, is_escaped);
}

/* What is left of a line without the armour; NULL: it is of the armour itself. */
static char *disarm(struct list *list, char *line)
{
	switch (list->armour) {
	case ARMOUR_NONE:
		if (!begins_with(line, ARMOUR_MESSAGE))
			return line;
		list->armour = ARMOUR_HEADERS;
		return NULL;
	case ARMOUR_HEADERS:
		if (!line[strspn(line, " \t")])
			list->armour = ARMOUR_TEXT;
		return NULL;
	case ARMOUR_TEXT:
		if (begins_with(line, ARMOUR_SIGNATURE)) {
			list->armour = ARMOUR_SIGNED;
			return NULL;
		}
		return begins_with(line, ARMOUR_DASH) ? line + strlen(ARMOUR_DASH) : line;
	case ARMOUR_SIGNED:
		if (begins_with(line, ARMOUR_END))
			list->armour = ARMOUR_NONE;
		return NULL;
	}
	return NULL;
}

/* @end: where the line's NUL is. A line that holds another one is nothing that a tool wrote. */
static int take(struct list *list, char *line, char *end)
{
	if (end > line && end[-1] == '\r')
		*--end = '\0';
	if (strlen(line) != (size_t)(end - line))
		return 0;
	line = disarm(list, line);
	return line ? take_line(list, line) : 0;
}

static int take_lines(struct list *list, char *text, char *end)
{
	int r = 0;

	if (begins_with(text, BOM))
		text += strlen(BOM);
	while (r == 0 && text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		char *line = text;

		newline = newline ? newline : end;
		*newline = '\0';
		text = newline + 1;
		r = take(list, line, newline);
	}
	return r;
}

/* A sum without a name is that of the file whose name the list bears, where it is the only one in it. */
static int take_lone(struct list *list, char *name)
{
	if (!list->bare || list->n_lone != 1 || list->sums->n > 0)
		return 0;
	memcpy(name, list->bare, list->bare_length);
	name[list->bare_length] = '\0';
	return add(list->sums, name, false, list->lone);
}

/* The copy has room for the name of the list, too. */
static int fill(struct list *list, const void *text, size_t size)
{
	struct sums *sums = list->sums;
	int r;

	if (size == 0)
		return 0;
	sums->text = malloc(size + 1 + list->bare_length + 1);
	if (!sums->text)
		return -ENOMEM;
	memcpy(sums->text, text, size);
	sums->text[size] = '\0';
	r = take_lines(list, sums->text, sums->text + size);
	return r < 0 ? r : take_lone(list, sums->text + size + 1);
}

int sums_parse(const char *file_name, const void *text, size_t size, struct sums **ret_sums,
	char *why, size_t why_size)
{
	struct list list = {.bare_length = sidecar_sum_stem(file_name)};
	int r;

	if (size > SUMS_TEXT_MAX) {
		snprintf(why, why_size, "it is larger than any list of checksums");
		return -EFBIG;
	}
	list.bare = list.bare_length ? file_name : NULL;
	list.sums = calloc(1, sizeof(*list.sums));
	if (!list.sums)
		return -ENOMEM;
	r = fill(&list, text, size);
	if (r == 0 && list.sums->n == 0) {
		snprintf(why, why_size, "no line of it is one of a SHA-256 sum");
		r = -EINVAL;
	}
	if (r < 0) {
		sums_free(list.sums);
		return r;
	}
	*ret_sums = list.sums;
	return 0;
}

void sums_free(struct sums *sums)
{
	if (!sums)
		return;
	free(sums->text);
	free(sums->entries);
	free(sums);
}

const unsigned char *sums_find(const struct sums *sums, const char *name)
{
	const struct sum *plain = NULL, *elsewhere = NULL;
	bool is_ambiguous = false;

	for (size_t i = 0; i < sums->n; i++) {
		const struct sum *sum = &sums->entries[i];

		if (strcmp(sum->name, name) != 0)
			continue;
		if (!sum->has_directory)
			plain = sum;
		else if (elsewhere && memcmp(elsewhere->hash, sum->hash, SUMS_SIZE) != 0)
			is_ambiguous = true;
		else
			elsewhere = sum;
	}
	if (plain)
		return plain->hash;
	return elsewhere && !is_ambiguous ? elsewhere->hash : NULL;
}

static bool want(
	const struct sums *sums, const char *name, size_t length, unsigned char ret_hash[SUMS_SIZE])
{
	const unsigned char *hash;
	char base[NAME_LENGTH_MAX + 1];

	if (length > NAME_LENGTH_MAX)
		return false;
	memcpy(base, name, length);
	base[length] = '\0';
	hash = sums_find(sums, base);
	if (hash)
		memcpy(ret_hash, hash, SUMS_SIZE);
	return hash;
}

void sums_wanted(const struct sums *sums, const char *image, struct sums_wanted *ret_wanted)
{
	*ret_wanted = (struct sums_wanted){0};
	ret_wanted->has_dropped = want(sums, image, strlen(image), ret_wanted->dropped);
	ret_wanted->has_raw = want(sums, image, sidecar_stem(image), ret_wanted->raw);
}
