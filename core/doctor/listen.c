#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "diagnosis/diagnosis.h"
#include "doctor/doctor.h"
#include "util/clock.h"

#define FIRST_MS  1000 /* journalctl takes its time to start */
#define NEXT_MS	  100
#define LISTEN_MS 8000
#define PORTS_MAX 512

static int64_t now_us(void)
{
	return (int64_t)time(NULL) * 1000000;
}

static void hear(struct kernel_log *log, struct diagnosis *diagnosis)
{
	uint64_t deadline = clock_ms() + LISTEN_MS;
	struct kernel_record record;
	unsigned patience = *log->source ? FIRST_MS : 0;

	while (clock_ms() < deadline && log->ops->next(log, &record, patience) == 0) {
		diagnosis_line(diagnosis, record.time_us, record.text, NULL);
		patience = NEXT_MS;
	}
}

int doctor_listen(struct kernel_log *log, struct cm4_report *ret)
{
	struct diagnosis *diagnosis = malloc(sizeof(*diagnosis));
	struct cm4_finding *findings = calloc(CM4_FINDINGS_MAX, sizeof(*findings));
	struct kernel_port *ports = calloc(PORTS_MAX, sizeof(*ports));
	int r = -ENOMEM;

	if (diagnosis && findings && ports) {
		diagnosis_init(diagnosis);
		hear(log, diagnosis);
		diagnosis_ports(diagnosis, now_us(), ports, log->ops->ports(log, ports, PORTS_MAX));
		*ret = (struct cm4_report){.findings = findings};
		ret->n = diagnosis_findings(diagnosis, now_us(), findings, CM4_FINDINGS_MAX);
		snprintf(ret->source, sizeof(ret->source), "%s", log->source);
		findings = NULL;
		r = 0;
	}
	free(ports);
	free(findings);
	free(diagnosis);
	return r;
}
