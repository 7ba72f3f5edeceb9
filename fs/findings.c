#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "findings.h"

bool fs_findings_bad(const struct cm4_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		if (!report->findings[i].note && !report->findings[i].earlier)
			return true;
	return false;
}

static void print_evidence(FILE *stream, const struct cm4_evidence *evidence)
{
	char time[32];

	if (evidence->first.tv_sec)
		fprintf(stream, "  %s  ", fs_clean_time(&evidence->first, time));
	else
		fprintf(stream, "  ");
	fprintf(stream, "%s", FS_ASCII(evidence->text));
	if (evidence->times > 1 && evidence->last.tv_sec)
		fprintf(stream, "  (%u times, last %s)", evidence->times,
			fs_clean_time(&evidence->last, time));
	else if (evidence->times > 1)
		fprintf(stream, "  (%u times)", evidence->times);
	fprintf(stream, "\n");
}

/* A step a line, numbered where there is a choice. */
static void print_advice(FILE *stream, const char *advice)
{
	bool several = strchr(advice, '\n');
	int number = 1;

	fprintf(stream, several ? "What to try, most likely first:\n" : "What to do:\n");
	while (*advice) {
		int n = (int)strcspn(advice, "\n");

		if (several)
			fprintf(stream, "  %d. %.*s\n", number++, n, advice);
		else
			fprintf(stream, "  %.*s\n", n, advice);
		advice += n + (advice[n] == '\n');
	}
}

static void print_sentence(FILE *stream, const struct cm4_finding *finding)
{
	const char *text = FS_UTF8(finding->text);

	if (finding->earlier)
		fprintf(stream, "Earlier: ");
	if (*finding->module)
		fprintf(stream, "Module %s on port %s: ", FS_ASCII(finding->module),
			FS_ASCII(finding->port));
	else if (*finding->port)
		fprintf(stream, "Port %s: ", FS_ASCII(finding->port));
	/* What stands alone begins as a sentence does. */
	if (*finding->module || *finding->port || finding->earlier || *text < 'a' || *text > 'z')
		fprintf(stream, "%s.\n", text);
	else
		fprintf(stream, "%c%s.\n", *text - 'a' + 'A', text + 1);
	fprintf(stream, "(%s, type: %s)\n", finding->id, cm4_blame_to_string(finding->blame));
}

static void print_finding(FILE *stream, const struct cm4_finding *finding)
{
	print_sentence(stream, finding);
	if (finding->n_evidence)
		fprintf(stream, "\nEvidence:\n");
	for (size_t i = 0; i < finding->n_evidence; i++)
		print_evidence(stream, &finding->evidence[i]);
	fprintf(stream, "\n");
	print_advice(stream, finding->advice);
}

static void print_health(FILE *stream, const struct cm4_report *report)
{
	if (!*report->source)
		fprintf(stream, "Nothing is known to be wrong: ");
	else
		fprintf(stream, "All is well: ");
	if (report->n_modules)
		fprintf(stream, "%zu module%s on the bus, and ", report->n_modules,
			report->n_modules == 1 ? "" : "s");
	if (*report->source)
		fprintf(stream, "%s has no complaint about USB that still holds.\n",
			FS_ASCII(report->source));
	else
		fprintf(stream, "no module has a complaint.\n");
}

void fs_findings_print(FILE *stream, const struct cm4_report *report)
{
	bool first = fs_findings_bad(report);

	if (!first)
		print_health(stream, report);
	for (size_t i = 0; i < report->n; i++) {
		if (!first)
			fprintf(stream, "\n");
		first = false;
		print_finding(stream, &report->findings[i]);
	}
}

int fs_text_diagnosis(const struct cm4_report *report, struct fs_text *ret_text)
{
	struct fs_text text = {0};
	FILE *stream = open_memstream(&text.data, &text.size);
	int failed;

	if (!stream)
		return -ENOMEM;
	fs_findings_print(stream, report);
	failed = ferror(stream);
	if (fclose(stream) || failed) {
		free(text.data);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

json_t *fs_findings_steps(const char *steps)
{
	json_t *array = json_array();

	while (array && *steps) {
		size_t n = strcspn(steps, "\n");

		if (json_array_append_new(array, json_stringn(steps, n)) < 0) {
			json_decref(array);
			return NULL;
		}
		steps += n + (steps[n] == '\n');
	}
	return array;
}

static json_t *time_json(const struct timespec *time)
{
	char text[32];

	return time->tv_sec ? json_string(fs_clean_time(time, text)) : json_null();
}

static json_t *evidence_json(const struct cm4_finding *finding)
{
	json_t *array = json_array();

	for (size_t i = 0; i < finding->n_evidence; i++) {
		const struct cm4_evidence *evidence = &finding->evidence[i];

		if (json_array_append_new(array,
			    json_pack("{s:o, s:o, s:i, s:s}", "first", time_json(&evidence->first),
				    "last", time_json(&evidence->last), "times",
				    (int)evidence->times, "text", FS_ASCII(evidence->text))) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *finding_json(const struct cm4_finding *finding)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:o, s:o}", "id", finding->id, "type",
		cm4_blame_to_string(finding->blame), "note", finding->note, "earlier",
		finding->earlier, "port", FS_ASCII(finding->port), "module",
		FS_ASCII(finding->module), "text", FS_UTF8(finding->text), "advice",
		fs_findings_steps(finding->advice), "evidence", evidence_json(finding));
}

json_t *fs_findings_json(const struct cm4_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->n; i++)
		if (json_array_append_new(array, finding_json(&report->findings[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}
