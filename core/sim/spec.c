#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "sim/model.h"
#include "sim/spec.h"
#include "util/cleanup.h"

int sim_parse_size(const char *text, uint64_t *ret_size)
{
	size_t digits = strspn(text, "0123456789");
	unsigned shift = 0;
	uint64_t number;

	/* 19 digits fit into 64 bits, whatever they are. */
	if (digits == 0 || digits > 19)
		return -EINVAL;
	number = strtoull(text, NULL, 10);

	switch (text[digits]) {
	case '\0':
		break;
	case 'K':
	case 'k':
		shift = 10;
		break;
	case 'M':
	case 'm':
		shift = 20;
		break;
	case 'G':
	case 'g':
		shift = 30;
		break;
	default:
		return -EINVAL;
	}
	if (shift && text[digits + 1])
		return -EINVAL;
	if (number > UINT64_MAX >> 1 >> shift)
		return -EINVAL;

	*ret_size = number << shift;
	return 0;
}

/* A key's parser: NULL, or what is wrong with @value. */
typedef const char *key_parser(struct sim_spec *spec, const char *value);

static const char *key_count(struct sim_spec *spec, const char *value)
{
	uint64_t n;

	if (sim_parse_size(value, &n) < 0 || n < 1 || n > SIM_MODULES_MAX)
		return "must be a number from 1 to 256";
	spec->count = (unsigned)n;
	return NULL;
}

static const char *disk_size(const char *value, uint64_t *ret_size)
{
	uint64_t bytes;

	if (sim_parse_size(value, &bytes) < 0 || bytes > 1ull << 46)
		return "not a size (a number, with K, M or G)";
	if (bytes % 512)
		return "must be a multiple of 512 bytes";
	*ret_size = bytes;
	return NULL;
}

static const char *key_emmc(struct sim_spec *spec, const char *value)
{
	spec->emmc_given = true;
	return disk_size(value, &spec->emmc);
}

static const char *key_nvme(struct sim_spec *spec, const char *value)
{
	return disk_size(value, &spec->nvme);
}

static const char *key_link(struct sim_spec *spec, const char *value)
{
	return sim_parse_size(value, &spec->link) < 0 ? "not a rate in bytes per second" : NULL;
}

static const char *key_medium(struct sim_spec *spec, const char *value)
{
	return sim_parse_size(value, &spec->medium) < 0 ? "not a rate in bytes per second" : NULL;
}

static const char *key_boot(struct sim_spec *spec, const char *value)
{
	uint64_t ms;

	if (sim_parse_size(value, &ms) < 0 || ms > 600000)
		return "must be a number of milliseconds, at most 600000";
	spec->boot_ms = (unsigned)ms;
	return NULL;
}

static const char *key_model(struct sim_spec *spec, const char *value)
{
	const struct sim_model *model = sim_model_find(value);

	if (!model)
		return "no such model (cm4, cm4-lite, cm5, cm3, cm1)";
	spec->model = model;
	return NULL;
}

static const char *key_dir(struct sim_spec *spec, const char *value)
{
	char *dir;

	if (!*value)
		return "must name a directory";
	dir = strdup(value);
	if (!dir)
		return "out of memory";
	free(spec->dir);
	spec->dir = dir;
	return NULL;
}

static const char *key_kernel_log(struct sim_spec *spec, const char *value)
{
	char *path;

	if (!*value)
		return "must name a file, or say denied";
	path = strdup(value);
	if (!path)
		return "out of memory";
	free(spec->kernel_log);
	spec->kernel_log = path;
	return NULL;
}

static const struct {
	const char *name, *value;
	key_parser *parse; /* NULL: fault, which speaks for itself */
	const char *help;
} keys[] = {
	{"count", "N", key_count, "how many modules (1)"},
	{"emmc", "SIZE", key_emmc, "of mmcblk0, a multiple of 512 (1G)"},
	{"nvme", "SIZE", key_nvme, "of a second disk, nvme0n1 (none)"},
	{"link", "RATE", key_link, "bytes per second over USB (40M; 0 = no limit)"},
	{"medium", "RATE", key_medium, "bytes per second of the medium (150M; 0 = no limit)"},
	{"boot", "MS", key_boot, "the module's own part of a boot, in milliseconds (1000)"},
	{"model", "MODEL", key_model, "see below (cm4)"},
	{"dir", "DIR", key_dir,
		"keeps media as DIR/SERIAL-mmcblk0.img, each a file or a symlink to a block\n"
		"                     device, and writes what was received into "
		"DIR/SERIAL-record.txt;\n"
		"                     an EEPROM that was updated is DIR/SERIAL-eeprom.bin; DIR\n"
		"                     holds no colon (without it: media in memory)"},
	{"kernel-log", "FILE", key_kernel_log,
		"lines that the kernel says, followed as they are added; denied: it may\n"
		"                     not be read"},
	{"fault", "FAULT", NULL, "see below; may be repeated"},
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static int parse_fault(struct sim_spec *spec, const char *value, char *message, size_t size)
{
	if (spec->n_faults == SIM_FAULTS_MAX) {
		snprintf(message, size, "fault=%s: more than %d faults", value, SIM_FAULTS_MAX);
		return -EINVAL;
	}
	return sim_fault_parse(value, &spec->faults[spec->n_faults++], message, size);
}

static int parse_word(struct sim_spec *spec, char *word, char *message, size_t size)
{
	char *value = strchr(word, '=');
	const char *complaint;

	if (!value) {
		snprintf(message, size, "'%s' is not KEY=VALUE (--simulate=help lists the keys%s)",
			word, spec->dir ? "; DIR cannot hold a colon" : "");
		return -EINVAL;
	}
	*value++ = '\0';

	for (size_t i = 0; i < N_KEYS; i++) {
		if (strcmp(keys[i].name, word) != 0)
			continue;
		if (!keys[i].parse)
			return parse_fault(spec, value, message, size);
		complaint = keys[i].parse(spec, value);
		if (complaint) {
			snprintf(message, size, "%s=%s: %s", word, value, complaint);
			return -EINVAL;
		}
		return 0;
	}
	snprintf(message, size, "'%s' is no key (--simulate=help lists them)", word);
	return -EINVAL;
}

static int check_faults(const struct sim_spec *spec, char *message, size_t size)
{
	for (size_t i = 0; i < spec->n_faults; i++) {
		if (spec->faults[i].module > spec->count) {
			snprintf(message, size, "fault=%u/...: there are only %u modules",
				spec->faults[i].module, spec->count);
			return -EINVAL;
		}
	}
	return 0;
}

static int parse(struct sim_spec *spec, char *text, char *message, size_t size)
{
	char *word, *rest = text;
	int r;

	if (*text && !text[strspn(text, "0123456789")]) {
		const char *complaint = key_count(spec, text);

		if (complaint)
			snprintf(message, size, "count %s: %s", text, complaint);
		return complaint ? -EINVAL : 0;
	}
	while ((word = strsep(&rest, ":"))) {
		/* An empty SPEC is one module; an empty word is a slip. */
		if (!*word && word == text && !rest)
			break;
		r = parse_word(spec, word, message, size);
		if (r < 0)
			return r;
	}
	return check_faults(spec, message, size);
}

int sim_spec_parse(const char *text, struct sim_spec **ret_spec, char *message, size_t size)
{
	struct sim_spec *spec = calloc(1, sizeof(*spec));
	_cleanup_free_ char *copy = strdup(text ? text : "");
	int r;

	if (!spec || !copy) {
		free(spec);
		return -ENOMEM;
	}
	spec->count = 1;
	spec->emmc = 1ull << 30;
	spec->link = 40ull << 20;
	spec->medium = 150ull << 20;
	spec->boot_ms = 1000;
	spec->model = sim_model_find("cm4");

	r = parse(spec, copy, message, size);
	if (r < 0) {
		sim_spec_free(spec);
		return r;
	}
	if (!spec->model->has_emmc && !spec->emmc_given)
		spec->emmc = 0;
	*ret_spec = spec;
	return 0;
}

void sim_spec_free(struct sim_spec *spec)
{
	if (!spec)
		return;
	free(spec->dir);
	free(spec->kernel_log);
	free(spec);
}

void sim_spec_help(FILE *stream)
{
	fputs("--simulate=COUNT, or KEY=VALUE pairs joined by colons; K, M and G are of 1024:\n",
		stream);
	for (size_t i = 0; i < N_KEYS; i++) {
		int n = fprintf(stream, "  %s=%s", keys[i].name, keys[i].value);

		fprintf(stream, "%*s%s\n", 21 - n, "", keys[i].help);
	}
	fputs("models:\n", stream);
	for (size_t i = 0; sim_model_get(i); i++)
		fprintf(stream, "  %-18s %s\n", sim_model_get(i)->name, sim_model_get(i)->help);
	fputs("what becomes of a module follows from the second stage that it was sent: mass "
	      "storage\n"
	      "of the VPU where that holds the text start4.elf (CM1, CM3: any), an EEPROM update "
	      "where\n"
	      "it holds pieeprom.bin (CM4, CM5), else the Linux gadget\n",
		stream);
	sim_fault_help(stream);
}
