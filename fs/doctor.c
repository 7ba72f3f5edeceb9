#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cm4fs/log.h>

#include "doctor.h"
#include "findings.h"
#include "util/cleanup.h"

#define STATUS_FAILED 1
#define LOG_MAX	      (64u << 20) /* of a log that is pasted: its end counts */
#define LOG_STEP      65536

/* "--json"; "--payload=DIR". @ret_value: behind the =. */
static bool is_option(const char *arg, const char *name, const char **ret_value)
{
	size_t n = strlen(name);

	if (strncmp(arg, name, n) != 0 || (arg[n] && arg[n] != '='))
		return false;
	*ret_value = arg[n] ? arg + n + 1 : NULL;
	return true;
}

bool fs_doctor_asked(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "doctor") != 0)
		return false;
	for (int i = 2; i < argc; i++)
		if (argv[i][0] != '-')
			return false;
	return true;
}

static bool take(const char *arg, struct fs_doctor *ret)
{
	const char *value;

	if (strcmp(arg, "-") == 0)
		ret->explain = true;
	else if (strcmp(arg, "--json") == 0)
		ret->json = true;
	else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
		ret->help = true;
	else if (is_option(arg, "--payload", &value) && value)
		ret->payload = value;
	else if (is_option(arg, "--simulate", &value))
		ret->simulate = value ? value : "1";
	else
		return false;
	return true;
}

int fs_doctor_parse(int argc, char **argv, struct fs_doctor *ret)
{
	*ret = (struct fs_doctor){0};
	for (int i = 2; i < argc; i++) {
		if (take(argv[i], ret))
			continue;
		cm4_log(LOG_ERR, "doctor does not know %s; cm4fs doctor --help shows what it does",
			argv[i]);
		return -EINVAL;
	}
	return 0;
}

void fs_doctor_help(void)
{
	fputs("usage: cm4fs doctor [--json] [--payload=DIR] [--simulate=SPEC]\n"
	      "       cm4fs doctor [--json] -\n"
	      "\n"
	      "Examines this host with your own rights: a line for each thing that cm4fs needs, "
	      "ok, "
	      "warn or FAIL,\n"
	      "and what to do about it. With - it explains a kernel log from standard input:\n"
	      "\n"
	      "    sudo dmesg | cm4fs doctor -\n"
	      "\n"
	      "--simulate listens to a simulated kernel instead of this host's. Exit status: 1 if "
	      "anything FAILs.\n",
		stdout);
}

static bool any_fails(const struct cm4_checkup *checkup)
{
	for (size_t i = 0; i < checkup->n; i++)
		if (checkup->checks[i].level == CM4_CHECK_FAIL)
			return true;
	return false;
}

static json_t *checks_json(const struct cm4_checkup *checkup)
{
	json_t *array = json_array();

	for (size_t i = 0; i < checkup->n; i++) {
		const struct cm4_check *check = &checkup->checks[i];

		if (json_array_append_new(
			    array, json_pack("{s:s, s:s, s:s, s:s}", "level",
					   cm4_check_level_to_string(check->level), "name",
					   check->name, "text", FS_UTF8(check->text), "remedy",
					   FS_UTF8(check->remedy))) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* Takes @root over. */
static int print_json(FILE *out, json_t *root)
{
	int r = root ? json_dumpf(root, out, JSON_INDENT(2)) : -1;

	fputc('\n', out);
	json_decref(root);
	return r;
}

static void print_checks(FILE *out, const struct cm4_checkup *checkup)
{
	for (size_t i = 0; i < checkup->n; i++) {
		const struct cm4_check *check = &checkup->checks[i];

		fprintf(out, "%-5s %s: %s.", cm4_check_level_to_string(check->level), check->name,
			FS_UTF8(check->text));
		if (*check->remedy)
			fprintf(out, " -> %s", FS_UTF8(check->remedy));
		fputc('\n', out);
	}
}

int fs_doctor_print(
	FILE *out, const struct cm4_checkup *checkup, const struct cm4_report *report, bool json)
{
	int status = any_fails(checkup) ? STATUS_FAILED : 0;

	if (!json)
		print_checks(out, checkup);
	else if (print_json(out, json_pack("{s:i, s:b, s:o, s:o}", "version", 1, "ok", status == 0,
					 "checks", checks_json(checkup), "findings",
					 fs_findings_json(report))) < 0)
		status = STATUS_FAILED;
	return status;
}

/* All there is, or its end where it is too long. NULL: no memory. */
static char *read_all(FILE *in, size_t *ret_size)
{
	char *all = NULL, *more;
	size_t size = 0, n;

	do {
		if (size > LOG_MAX) {
			memmove(all, all + size - LOG_MAX / 2, LOG_MAX / 2);
			size = LOG_MAX / 2;
		}
		more = realloc(all, size + LOG_STEP);
		if (!more) {
			free(all);
			return NULL;
		}
		all = more;
		n = fread(all + size, 1, LOG_STEP, in);
		size += n;
	} while (n > 0);
	*ret_size = size;
	return all;
}

static void print_explained(FILE *out, const struct cm4_report *report)
{
	if (fs_findings_bad(report))
		fs_findings_print(out, report);
	else
		fprintf(out,
			"Nothing in this log speaks of a bad link. If a module does not show up "
			"all "
			"the same,\nplug it in again while watching: sudo dmesg --follow; where no "
			"line is new, no data\nreach this computer. See DIAGNOSIS.TXT in a mount "
			"for "
			"what to try then.\n");
}

int fs_doctor_explain(FILE *in, FILE *out, bool json)
{
	_cleanup_free_ char *log = NULL;
	struct cm4_report report;
	size_t size;
	int status;

	log = read_all(in, &size);
	if (!log || cm4_explain_log(log, size, &report) < 0) {
		cm4_log(LOG_ERR, "out of memory");
		return STATUS_FAILED;
	}
	status = fs_findings_bad(&report) ? STATUS_FAILED : 0;
	if (!json)
		print_explained(out, &report);
	else if (print_json(out, json_pack("{s:i, s:b, s:o}", "version", 1, "ok", status == 0,
					 "findings", fs_findings_json(&report))) < 0)
		status = STATUS_FAILED;
	cm4_report_fini(&report);
	return status;
}
