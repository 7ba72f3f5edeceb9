#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/fault.h"
#include "sim/spec.h"

/* What stands behind the @ of a fault. */
enum value { VALUE_NONE, VALUE_POINT, VALUE_WORD, VALUE_NAME, VALUE_BYTES, VALUE_MS, VALUE_NUMBER };

static const char *const nonsense_words[] = {
	[SIM_NONSENSE_BAD_COMMAND] = "bad-command",
	[SIM_NONSENSE_NO_NUL] = "no-nul",
	[SIM_NONSENSE_DOTDOT] = "dotdot",
	[SIM_NONSENSE_ABSOLUTE] = "absolute",
	[SIM_NONSENSE_CONTROL] = "control",
	[SIM_NONSENSE_ENDLESS] = "endless",
	[SIM_NONSENSE_SHORT] = "short",
	[SIM_NONSENSE_BOOT_SIG] = "boot-sig",
	NULL,
};

static const char *const eeprom_words[] = {
	[SIM_EEPROM_GREEN] = "green",
	[SIM_EEPROM_HASH] = "hash",
	[SIM_EEPROM_FAILED] = "failed",
	[SIM_EEPROM_MUTE] = "mute",
	[SIM_EEPROM_GARBAGE] = "garbage",
	NULL,
};

static const char *const console_words[] = {
	[SIM_CONSOLE_NONE] = "none",
	[SIM_CONSOLE_DEAD] = "dead",
	[SIM_CONSOLE_NOISY] = "noisy",
	NULL,
};

struct entry {
	const char *name;
	enum value value;
	const char *const *words; /* of a VALUE_WORD out of a list */
	const char *help;
};

static const struct entry faults[] = {
	[SIM_FAULT_SILENT] = {"silent", VALUE_POINT, NULL, "says nothing any more, from POINT on"},
	[SIM_FAULT_UNPLUG] = {"unplug", VALUE_POINT, NULL, "pulled out at POINT, its cache lost"},
	[SIM_FAULT_STALL] = {"stall", VALUE_POINT, NULL, "refuses one request at POINT"},
	[SIM_FAULT_NONSENSE] = {"nonsense", VALUE_WORD, nonsense_words,
		"the second stage sends malformed or hostile messages, or asks for one\n"
		"                     missing file for ever"},
	[SIM_FAULT_STATUS] = {"status", VALUE_NUMBER, NULL,
		"the ROM answers the second stage with this status (0 would be good)"},
	[SIM_FAULT_EARLY_RESET] = {"early-reset", VALUE_NONE, NULL,
		"starts the second stage before it is asked for the status; harmless"},
	[SIM_FAULT_ROM_TWICE] = {"rom-twice", VALUE_NONE, NULL,
		"the ROM shows once more before the second stage; harmless"},
	[SIM_FAULT_NO_SECOND] = {"no-second", VALUE_NONE, NULL,
		"takes its second stage and never comes back"},
	[SIM_FAULT_NO_DISK] = {"no-disk", VALUE_NONE, NULL, "takes all files and never comes back"},
	[SIM_FAULT_NO_MMC] = {"no-mmc", VALUE_NONE, NULL,
		"becomes a mass-storage device without mmcblk0"},
	[SIM_FAULT_NO_MEDIUM] = {"no-medium", VALUE_NONE, NULL, "mmcblk0 has size 0"},
	[SIM_FAULT_REPLUG] = {"replug", VALUE_MS, NULL,
		"plugged in again, so many milliseconds after an unplug"},
	[SIM_FAULT_ADOPT] = {"adopt", VALUE_NONE, NULL, "is in mass storage from the start"},
	[SIM_FAULT_FASTBOOT] = {"fastboot", VALUE_NONE, NULL,
		"is another tool's fastboot gadget from the start"},
	[SIM_FAULT_LOCKED] = {"locked", VALUE_NONE, NULL,
		"is locked to a key: asks for boot.sig behind boot.img, for ever"},
	[SIM_FAULT_EEPROM] = {"eeprom", VALUE_WORD, eeprom_words,
		"an update that is not written: green says nothing of it, hash says\n"
		"                     success and another hash, failed says fail, garbage sends\n"
		"                     hostile metadata; mute writes it, and sends no metadata"},
	[SIM_FAULT_FULL_SPEED] = {"full-speed", VALUE_NONE, NULL,
		"on the bus at 12 Mbit/s, as on a bad cable"},
	[SIM_FAULT_BAD_LINK] = {"bad-link", VALUE_NONE, NULL,
		"never shows up: the kernel's log alone tells of it, with error -71"},
	[SIM_FAULT_HELD] = {"held", VALUE_NONE, NULL, "its disks are held by another program"},
	[SIM_FAULT_WRITE_ERROR] = {"write-error", VALUE_BYTES, NULL,
		"a write to this place on the disk is rejected"},
	[SIM_FAULT_READ_ERROR] = {"read-error", VALUE_BYTES, NULL,
		"this place on the disk cannot be read"},
	[SIM_FAULT_SYNC_ERROR] = {"sync-error", VALUE_NONE, NULL,
		"synchronising the disk's cache fails"},
	[SIM_FAULT_SLOW_WRITE] = {"slow-write", VALUE_MS, NULL,
		"every write takes so many milliseconds longer"},
	[SIM_FAULT_CORRUPT] = {"corrupt", VALUE_BYTES, NULL,
		"the medium keeps another byte here than its cache shows"},
	[SIM_FAULT_DROP_WRITE] = {"drop-write", VALUE_BYTES, NULL,
		"the block at this place gets no further than the cache"},
	[SIM_FAULT_NO_CACHE] = {"no-cache", VALUE_NONE, NULL,
		"writes are on the medium when they end, and reads come from there"},
	[SIM_FAULT_CONSOLE] = {"console", VALUE_WORD, console_words,
		"the module's console is not there, mute, or full of kernel messages"},
};

static const struct entry points[] = {
	[SIM_POINT_ROM] = {"rom", VALUE_NONE, NULL, "the ROM's first request"},
	[SIM_POINT_HEADER] = {"header", VALUE_NONE, NULL, "the 24 bytes before the second stage"},
	[SIM_POINT_SECOND_STAGE] = {"second-stage", VALUE_NONE, NULL, "the second stage's bytes"},
	[SIM_POINT_STATUS] = {"status", VALUE_NONE, NULL, "the ROM's status is asked for"},
	[SIM_POINT_SECOND] = {"second", VALUE_NONE, NULL, "the second stage's first message"},
	[SIM_POINT_FILE] = {"file", VALUE_NAME, NULL, "the bytes of this boot file"},
	[SIM_POINT_DONE] = {"done", VALUE_NONE, NULL, "the second stage's Done"},
	[SIM_POINT_DISK] = {"disk", VALUE_NONE, NULL, "its disks have just come up"},
	[SIM_POINT_WRITE] = {"write", VALUE_BYTES, NULL, "so much was written to its disks"},
	[SIM_POINT_READ] = {"read", VALUE_BYTES, NULL, "so much was read from its disks"},
	[SIM_POINT_SYNC] = {"sync", VALUE_NONE, NULL, "a disk's cache is synchronised"},
};

#define N_FAULTS (sizeof(faults) / sizeof(faults[0]))
#define N_POINTS (sizeof(points) / sizeof(points[0]))

/* The index of @word, which is @length long; @n where it is not in the table. */
static size_t find(const struct entry *table, size_t n, const char *word, size_t length)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strlen(table[i].name) == length && strncmp(table[i].name, word, length) == 0)
			break;
	}
	return i;
}

static int parse_word(const char *const *words, const char *text, uint64_t *ret_number)
{
	for (size_t i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret_number = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_point(const char *text, struct sim_fault *fault)
{
	size_t length = strcspn(text, "=");
	size_t i = find(points, N_POINTS, text, length);
	const char *value = text[length] == '=' ? text + length + 1 : NULL;

	if (i == N_POINTS)
		return -EINVAL;

	fault->point = (enum sim_point)i;
	switch (points[i].value) {
	case VALUE_NONE:
		return value ? -EINVAL : 0;
	case VALUE_NAME:
		if (!value || !*value || strlen(value) >= sizeof(fault->name))
			return -EINVAL;
		strcpy(fault->name, value);
		return 0;
	case VALUE_BYTES:
		return value ? sim_parse_size(value, &fault->number) : -EINVAL;
	case VALUE_POINT:
	case VALUE_WORD:
	case VALUE_MS:
	case VALUE_NUMBER:
		break;
	}
	return -EINVAL;
}

static int parse_value(
	enum value kind, const char *const *words, const char *value, struct sim_fault *fault)
{
	if (kind == VALUE_NONE || !value)
		return kind == VALUE_NONE && !value ? 0 : -EINVAL;
	if (kind == VALUE_POINT)
		return parse_point(value, fault);
	if (kind == VALUE_WORD)
		return parse_word(words, value, &fault->number);
	return sim_parse_size(value, &fault->number);
}

int sim_fault_parse(const char *text, struct sim_fault *ret_fault, char *message, size_t size)
{
	struct sim_fault fault = {0};
	const char *name = text, *slash = strchr(text, '/');
	size_t length, digits = strspn(text, "0123456789");
	size_t i;

	if (slash && digits > 0 && digits < 5 && text + digits == slash) {
		fault.module = (unsigned)strtoul(text, NULL, 10);
		name = slash + 1;
	}
	length = strcspn(name, "@=");
	i = find(faults, N_FAULTS, name, length);
	if (i == N_FAULTS || (name != text && fault.module == 0)) {
		snprintf(message, size, "fault=%s: no such fault (--simulate=help lists them)",
			text);
		return -EINVAL;
	}

	fault.kind = (enum sim_fault_kind)i;
	if (parse_value(faults[i].value, faults[i].words, name[length] ? name + length + 1 : NULL,
		    &fault) < 0) {
		snprintf(message, size, "fault=%s: %s", text,
			faults[i].value == VALUE_NONE ? "this fault takes no value"
						      : "its value is missing or not understood");
		return -EINVAL;
	}
	*ret_fault = fault;
	return 0;
}

/* One line: what to write, its value behind @join, and what it does. */
static void help_entry(FILE *stream, const struct entry *entry, char join)
{
	static const char *const words[] = {
		[VALUE_NONE] = "",
		[VALUE_POINT] = "POINT",
		[VALUE_WORD] = "",
		[VALUE_NAME] = "NAME",
		[VALUE_BYTES] = "BYTES",
		[VALUE_MS] = "MS",
		[VALUE_NUMBER] = "N",
	};
	int n = fprintf(stream, "  %s", entry->name);

	if (entry->value != VALUE_NONE)
		n += fprintf(stream, "%c%s", join, words[entry->value]);
	for (size_t i = 0; entry->words && entry->words[i]; i++)
		n += fprintf(stream, "%s%s", i ? "|" : "", entry->words[i]);
	fprintf(stream, "%s%*s%s\n", n > 20 ? "\n" : "", n > 20 ? 21 : 21 - n, "", entry->help);
}

void sim_fault_help(FILE *stream)
{
	fputs("faults, fault=[N/]NAME[@VALUE], for module N or for every one:\n", stream);
	for (size_t i = 0; i < N_FAULTS; i++)
		help_entry(stream, &faults[i], '@');
	fputs("points in a module's life, at each of which a fault strikes once:\n", stream);
	for (size_t i = 0; i < N_POINTS; i++)
		help_entry(stream, &points[i], '=');
}

static bool mine(const struct sim_faults *all, size_t i)
{
	return all->faults[i].module == 0 || all->faults[i].module == all->module;
}

bool sim_faults_number(const struct sim_faults *all, enum sim_fault_kind kind, uint64_t *ret_number)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->faults[i].kind != kind || !mine(all, i))
			continue;
		if (ret_number)
			*ret_number = all->faults[i].number;
		return true;
	}
	return false;
}

bool sim_faults_have(const struct sim_faults *all, enum sim_fault_kind kind)
{
	return sim_faults_number(all, kind, NULL);
}

bool sim_faults_strike(struct sim_faults *all, enum sim_point point, const char *name,
	uint64_t from, uint64_t to, enum sim_fault_kind *ret_kind, uint64_t *ret_number)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct sim_fault *fault = &all->faults[i];

		if (faults[fault->kind].value != VALUE_POINT || fault->point != point ||
			!mine(all, i))
			continue;
		if (all->spent & 1ull << i)
			continue;
		if (points[point].value == VALUE_NAME && (!name || strcmp(name, fault->name) != 0))
			continue;
		if (points[point].value == VALUE_BYTES &&
			(fault->number < from || fault->number >= to))
			continue;

		all->spent |= 1ull << i;
		*ret_kind = fault->kind;
		*ret_number = fault->number;
		return true;
	}
	return false;
}
