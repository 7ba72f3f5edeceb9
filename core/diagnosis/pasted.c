#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis/diagnosis.h"
#include "diagnosis/pasted.h"

#define HEADER_MAX 120 /* a syslog line's time and host */

/* "[  123.456789] [T12] text": the first of them may be a time. */
static const char *skip_brackets(const char *text, int64_t *ret_time_us)
{
	while (*text == '[') {
		const char *end = strchr(text, ']');
		char *rest;
		double time;

		/* "[sda] ..." is a line's own, but no line of the kernel's begins so. */
		if (!end || end - text > 40)
			break;
		time = strtod(text + 1, &rest);
		if (rest == end && time > 0 && time < 1e9 && !*ret_time_us && text[1] != '+')
			*ret_time_us = (int64_t)(time * 1e6);
		text = end + 1;
		text += strspn(text, " ");
	}
	return text;
}

/* "6,1234,5678901,-;text" */
static const char *skip_kmsg(const char *text, int64_t *ret_time_us)
{
	const char *c = text;
	unsigned long long time = 0;

	for (int field = 0; field < 3; field++) {
		char *end;

		time = strtoull(c, &end, 10);
		if (end == c || *end != ',')
			return NULL;
		c = end + 1;
	}
	c = strchr(c, ';');
	*ret_time_us = (int64_t)(time % 1000000000000000ull);
	return c ? c + 1 : NULL;
}

/* "Nov 27 12:00:00 host kernel: text": nothing that ends a subject may stand before it. */
static const char *skip_syslog(const char *text)
{
	const char *kernel = strstr(text, " kernel: "), *colon = strstr(text, ": ");

	if (!kernel || kernel - text > HEADER_MAX || colon < kernel)
		return text;
	return kernel + strlen(" kernel: ");
}

const char *pasted_text(const char *line, int64_t *ret_time_us)
{
	const char *text = line + strspn(line, " \t"), *rest;

	*ret_time_us = 0;
	if (*text >= '0' && *text <= '9' && (rest = skip_kmsg(text, ret_time_us)))
		return rest;
	*ret_time_us = 0;
	if (*text == '<' && (rest = strchr(text, '>')) && rest - text < 6)
		text = rest + 1;
	if (strncmp(text, "kern", 4) == 0 && (rest = strstr(text, ": [")) && rest - text < 20)
		text = rest + 2;
	text = skip_brackets(text, ret_time_us);
	text = skip_syslog(text);
	return skip_brackets(text, ret_time_us);
}

static void forget_times(struct cm4_finding *finding)
{
	finding->earlier = false;
	for (size_t i = 0; i < finding->n_evidence; i++)
		finding->evidence[i].first = finding->evidence[i].last = (struct timespec){0};
}

static void feed(struct diagnosis *diagnosis, const char *log, size_t size)
{
	char line[KERNEL_LINE_MAX];

	while (size) {
		const char *end = memchr(log, '\n', size);
		size_t whole = end ? (size_t)(end - log) + 1 : size;
		size_t n = end ? whole - 1 : size;
		const char *text;
		int64_t time_us;

		n = n < sizeof(line) ? n : sizeof(line) - 1;
		for (size_t i = 0; i < n; i++)
			line[i] = log[i] ? log[i] : '?';
		line[n] = '\0';
		text = pasted_text(line, &time_us);
		diagnosis_line(diagnosis, time_us, text, line);
		log += whole;
		size -= whole;
	}
}

int cm4_explain_log(const char *log, size_t size, struct cm4_report *ret_report)
{
	struct diagnosis *diagnosis = malloc(sizeof(*diagnosis));
	struct cm4_finding *findings = calloc(CM4_FINDINGS_MAX, sizeof(*findings));

	if (!diagnosis || !findings) {
		free(diagnosis);
		free(findings);
		return -ENOMEM;
	}
	diagnosis_init(diagnosis);
	feed(diagnosis, log, size);
	*ret_report = (struct cm4_report){.findings = findings, .source = "standard input"};
	ret_report->n = diagnosis_findings(diagnosis, 0, findings, CM4_FINDINGS_MAX);
	for (size_t i = 0; i < ret_report->n; i++)
		forget_times(&findings[i]);
	free(diagnosis);
	return 0;
}

void cm4_report_fini(struct cm4_report *report)
{
	free(report->findings);
	*report = (struct cm4_report){0};
}
