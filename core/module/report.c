#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis/diagnosis.h"
#include "module/identity.h"
#include "module/internal.h"
#include "module/witness.h"
#include "util/cleanup.h"

/* What the kernel says, and what each module knows of itself, put together. */

static bool port_wanted(const struct cm4_fleet_config *config, const char *port)
{
	const char *const *prefix = config->ports;

	if (!prefix || !*prefix || !*port)
		return true;
	for (; *prefix; prefix++)
		/* A hub on the way to it counts, too. */
		if (identity_port_matches(port, *prefix) || identity_port_matches(*prefix, port))
			return true;
	return false;
}

static struct cm4_finding *next(struct cm4_report *report)
{
	return report->n < CM4_FINDINGS_MAX ? &report->findings[report->n++] : NULL;
}

/* Of which port and module, and its first piece of evidence, which has a time. */
__attribute__((format(printf, 4, 5))) static void fill(struct cm4_finding *finding,
	struct cm4_module *module, const struct timespec *time, const char *format, ...)
{
	struct cm4_evidence *evidence = &finding->evidence[finding->n_evidence++];
	va_list args;

	snprintf(finding->port, sizeof(finding->port), "%s", module->port);
	snprintf(finding->module, sizeof(finding->module), "%s", module->name);
	evidence->times = 1;
	evidence->first = evidence->last = *time;
	va_start(args, format);
	vsnprintf(evidence->text, sizeof(evidence->text), format, args);
	va_end(args);
}

static enum failure row_of(const char *id)
{
	for (unsigned i = 0; i < FAILURE_N; i++)
		if (strcmp(table_row((enum failure)i)->id, id) == 0)
			return (enum failure)i;
	return FAILURE_INTERNAL;
}

/* Lock held. */
static void add_failure(struct cm4_report *report, struct cm4_module *module)
{
	struct cm4_finding *finding = next(report);

	if (!finding)
		return;
	finding_init(finding, row_of(module->failure.id));
	finding->blame = module->failure.blame;
	snprintf(finding->text, sizeof(finding->text), "%s", module->failure.text);
	fill(finding, module, &module->since, "state %s, stage %s, link %u Mbit/s: see %s/log",
		cm4_state_to_string(module->life.state), cm4_stage_to_string(module->life.stage),
		module->link_mbps, module->name);
}

/* Lock held. What will go wrong, or is going wrong just now. */
static void add_signs(struct cm4_report *report, struct cm4_module *module)
{
	uint64_t stalled = stall_now_ms(&module->stall);
	struct cm4_finding *finding;

	if (module->around.full_speed && (finding = next(report))) {
		finding_init(finding, FAILURE_FULL_SPEED);
		fill(finding, module, &module->first_seen, "the boot ROM's link: %u Mbit/s",
			module->link_mbps);
	}
	if (stalled && (finding = next(report))) {
		finding_init(finding, FAILURE_WRITE_STALL);
		fill(finding, module, &module->since, "a write has stood still for %llu s",
			(unsigned long long)stalled / 1000);
	}
	if ((module->around.vpu || module_payload_look(module).vpu) && (finding = next(report))) {
		finding_init(finding, FAILURE_VPU_PAYLOAD);
		fill(finding, module, &module->first_seen, "boot files: see %s/DETAILS.TXT",
			module->name);
	}
}

static void add_module(struct cm4_report *report, struct cm4_module *module)
{
	LOCKED(&module->lock);

	if (module->left)
		return;
	if (module->failure.error)
		add_failure(report, module);
	else
		add_signs(report, module);
}

/* A module on the port knows better: what it says of the same thing comes once. */
static bool is_known(const struct cm4_report *report, const struct cm4_finding *finding)
{
	for (size_t i = 0; i < report->n; i++)
		if (report->findings[i].id == finding->id &&
			strcmp(report->findings[i].port, finding->port) == 0)
			return true;
	return false;
}

static void add_ports(struct cm4_report *report, struct cm4_fleet *fleet, bool earlier)
{
	struct witness *witness = fleet_witness(fleet);
	struct cm4_finding *found;
	size_t n;

	found = witness ? calloc(CM4_FINDINGS_MAX, sizeof(*found)) : NULL;
	if (!found)
		return;
	n = witness_findings(witness, found, CM4_FINDINGS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct cm4_finding *finding;

		if (found[i].earlier != earlier ||
			!port_wanted(fleet_config(fleet), found[i].port) ||
			is_known(report, &found[i]))
			continue;
		finding = next(report);
		if (finding)
			*finding = found[i];
	}
	free(found);
}

static void add_host(struct cm4_report *report)
{
	struct cm4_finding *finding;

	if (report->n_modules == 0 && report->n == 0 && (finding = next(report)))
		finding_init(finding, FAILURE_NOTHING);
	if (!*report->source && (finding = next(report))) {
		finding_init(finding, FAILURE_LOG_DENIED);
		finding->note = true;
	}
}

int cm4_fleet_report(struct cm4_fleet *fleet, struct cm4_report *ret_report)
{
	struct cm4_report report = {.n = 0};
	struct cm4_module **modules;
	size_t n;
	int r;

	report.findings = calloc(CM4_FINDINGS_MAX, sizeof(*report.findings));
	if (!report.findings)
		return -ENOMEM;
	r = cm4_fleet_get(fleet, &modules, &n);
	if (r < 0) {
		free(report.findings);
		return r;
	}
	report.n_modules = n;
	if (fleet_witness(fleet))
		snprintf(report.source, sizeof(report.source), "%s",
			witness_source(fleet_witness(fleet)));
	for (size_t i = 0; i < n; i++)
		add_module(&report, modules[i]);
	cm4_fleet_put(modules, n);
	add_ports(&report, fleet, false);
	add_host(&report);
	add_ports(&report, fleet, true);
	*ret_report = report;
	return 0;
}
