#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis/diagnosis.h"
#include "diagnosis/pasted.h"
#include "fuzz.h"

/*
 * A log that is pasted, and the same lines as a kernel says them. Whatever they are: what is found is bounded, clean,
 * of a row of the table, and found again; and a line in front of which a device could stand means nothing.
 */

static void check_port(const char *port)
{
	CHECK(strlen(port) < CM4_PORT_MAX);
	CHECK(strspn(port, "0123456789.-") == strlen(port));
}

static void check_finding(const struct cm4_finding *finding)
{
	bool known = false;

	for (unsigned i = 0; i < FAILURE_N; i++)
		known = known || table_row((enum failure)i)->id == finding->id;
	CHECK(known);
	check_port(finding->port);
	CHECK(finding->n_evidence > 0 && finding->n_evidence <= CM4_EVIDENCE_MAX);
	for (size_t i = 0; i < finding->n_evidence; i++) {
		const char *text = finding->evidence[i].text;

		CHECK(finding->evidence[i].times > 0 && *text);
		CHECK(strlen(text) < CM4_EVIDENCE_TEXT);
		for (; *text; text++)
			CHECK(*text >= ' ' && *text <= '~');
	}
}

/* As a device's own string, the line is nothing. */
static void check_quoted(const char *line)
{
	struct kernel_line parsed;
	char quoted[KERNEL_LINE_MAX + 64];

	for (const char *const *before =
			(const char *const[]){"usb 1-2: Product: ", "usb 1-2: SerialNumber: ",
				"input: ", "scsi 4:0:0:0: Direct-Access     ", NULL};
		*before; before++) {
		snprintf(quoted, sizeof(quoted), "%s%s", *before, line);
		CHECK(kernel_line_parse(quoted, &parsed) == KERNEL_NOTHING);
		CHECK(!*parsed.port && !parsed.error);
	}
}

static void feed(struct diagnosis *diagnosis, const uint8_t *bytes, size_t size)
{
	size_t begin = 0;

	for (size_t i = 0; i <= size; i++) {
		char line[KERNEL_LINE_MAX];
		struct kernel_line parsed;
		size_t n = i - begin;
		int64_t time_us;
		const char *text;

		if (i < size && bytes[i] != '\n' && bytes[i] != '\0')
			continue;
		n = n < sizeof(line) ? n : sizeof(line) - 1;
		memcpy(line, bytes + begin, n);
		line[n] = '\0';
		begin = i + 1;
		text = pasted_text(line, &time_us);
		CHECK(text >= line && text <= line + n && time_us >= 0);
		if (kernel_line_parse(text, &parsed) != KERNEL_NOTHING)
			check_port(parsed.port);
		check_quoted(text);
		diagnosis_line(diagnosis, time_us, text, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct cm4_finding findings[CM4_FINDINGS_MAX];
	static struct diagnosis diagnosis;
	struct cm4_report report;
	size_t n;

	CHECK(cm4_explain_log((const char *)bytes, size, &report) == 0);
	CHECK(report.n <= CM4_FINDINGS_MAX);
	for (size_t i = 0; i < report.n; i++)
		check_finding(&report.findings[i]);
	cm4_report_fini(&report);

	diagnosis_init(&diagnosis);
	feed(&diagnosis, bytes, size);
	CHECK(diagnosis.n_ports <= DIAGNOSIS_PORTS_MAX);
	n = diagnosis_findings(&diagnosis, 0, findings, CM4_FINDINGS_MAX);
	for (size_t i = 0; i < n; i++)
		check_finding(&findings[i]);
	CHECK(n == diagnosis_findings(&diagnosis, 0, findings, CM4_FINDINGS_MAX));
	return 0;
}
