#include <stdio.h>

#include "diagnosis/internal.h"

/* What a port's machine has come to, in the table's words. */

static int64_t us_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000;
}

static bool has(const struct diagnosis_port *port, unsigned events)
{
	for (unsigned i = 0; i < KERNEL_EVENT_N; i++)
		if ((events & BIT(i)) && port->traces[i].times)
			return true;
	return false;
}

void finding_init(struct cm4_finding *ret, enum failure failure)
{
	const struct table_row *row = table_row(failure);

	*ret = (struct cm4_finding){
		.id = row->id,
		.blame = row->blame,
		.advice = row->advice,
	};
	snprintf(ret->text, sizeof(ret->text), "%s", row->text);
}

struct findings {
	struct cm4_finding *all;
	size_t n, max;
	int64_t now_us;
};

/* In the order in which they were first said; where no times are known, in that of the events. */
static void add_evidence(struct cm4_finding *finding, const struct cm4_evidence *evidence)
{
	size_t i = finding->n_evidence++;

	for (; i && us_of(&finding->evidence[i - 1].first) > us_of(&evidence->first); i--)
		finding->evidence[i] = finding->evidence[i - 1];
	finding->evidence[i] = *evidence;
}

static void add(struct findings *findings, const struct diagnosis_port *port, enum failure failure,
	unsigned events)
{
	struct cm4_finding *finding;
	int64_t last = 0;

	if (findings->n == findings->max)
		return;
	finding = &findings->all[findings->n++];
	finding_init(finding, failure);
	snprintf(finding->port, sizeof(finding->port), "%s", port->name);
	for (unsigned i = 0; i < KERNEL_EVENT_N && finding->n_evidence < CM4_EVIDENCE_MAX; i++) {
		if (!(events & BIT(i)) || !port->traces[i].times)
			continue;
		add_evidence(finding, &port->traces[i]);
		if (us_of(&port->traces[i].last) > last)
			last = us_of(&port->traces[i].last);
	}
	finding->earlier = findings->now_us && last &&
			   findings->now_us - last > DIAGNOSIS_EARLIER_S * 1000000ll;
}

/* A disk of the VPU's firmware, on a module for which there is something better. */
static bool loses_disks(const struct diagnosis_port *port)
{
	return port->was_vpu && port->chip;
}

static enum failure why_not_enumerated(const struct diagnosis_port *port)
{
	if (loses_disks(port))
		return FAILURE_VPU_PAYLOAD;
	if (port->mute > port->garbled && port->mute >= port->refused)
		return FAILURE_PORT_MUTE;
	return port->refused > port->garbled ? FAILURE_PORT_REFUSES : FAILURE_PORT_GARBLED;
}

/* A keyboard that falters is not our business; one that is not known may be a module. */
static bool may_be_module(const struct diagnosis_port *port)
{
	return port->vendor == 0 || port->vendor == VENDOR_BROADCOM;
}

/* Calm for a while, with somebody there: it is over. */
static bool flaps_now(const struct findings *findings, const struct diagnosis_port *port)
{
	int64_t last = us_of(&port->traces[KERNEL_LEFT].last);

	return port->flaps && (!findings->now_us || !port->vendor ||
				      findings->now_us - last < DIAGNOSIS_CALM_S * 1000000ll);
}

static void judge_link(struct findings *findings, const struct diagnosis_port *port)
{
	if (has(port, BIT(KERNEL_CONTROLLER)))
		add(findings, port, FAILURE_CONTROLLER, BIT(KERNEL_CONTROLLER));
	if (has(port, BIT(KERNEL_OVER_CURRENT)))
		add(findings, port, FAILURE_OVER_CURRENT, BIT(KERNEL_OVER_CURRENT));
	else if (has(port, FAILED_ENUMERATION) && may_be_module(port))
		add(findings, port, why_not_enumerated(port),
			FAILED_ENUMERATION | (loses_disks(port) ? OF_ITS_DISK : 0));
	if (has(port, BIT(KERNEL_HUB)))
		add(findings, port, FAILURE_HUB, BIT(KERNEL_HUB));
	if (has(port, BIT(KERNEL_BUS_POWER)) && may_be_module(port))
		add(findings, port, FAILURE_BUS_POWER, BIT(KERNEL_BUS_POWER));
	if (flaps_now(findings, port) && may_be_module(port))
		add(findings, port, FAILURE_PORT_FLAPS, BIT(KERNEL_LEFT) | BIT(KERNEL_NEW));
}

static void judge_module(struct findings *findings, const struct diagnosis_port *port)
{
	bool stalls = port->traces[KERNEL_RESET].times >= DIAGNOSIS_RESETS ||
		      has(port, BIT(KERNEL_OFFLINE));

	if (port->slow)
		add(findings, port, FAILURE_FULL_SPEED,
			BIT(KERNEL_NEW) | BIT(KERNEL_FOUND) | BIT(KERNEL_MAXPACKET));
	if (port->own)
		add(findings, port, FAILURE_OWN_SYSTEM, BIT(KERNEL_FOUND));
	if (!may_be_module(port))
		return;
	if (has(port, BIT(KERNEL_NO_MEDIUM)))
		add(findings, port, FAILURE_NO_MEDIUM, BIT(KERNEL_NO_MEDIUM));
	if (has(port, BIT(KERNEL_DISK_ERROR)))
		add(findings, port, FAILURE_MEDIUM, BIT(KERNEL_DISK_ERROR));
	if (stalls && !(loses_disks(port) && has(port, FAILED_ENUMERATION)))
		add(findings, port, loses_disks(port) ? FAILURE_VPU_PAYLOAD : FAILURE_WRITE_STALL,
			BIT(KERNEL_RESET) | BIT(KERNEL_OFFLINE));
}

size_t diagnosis_findings(
	const struct diagnosis *diagnosis, int64_t now_us, struct cm4_finding *ret, size_t max)
{
	struct findings findings = {ret, 0, max, now_us};

	/* A port that shows nothing comes before one that shows something. */
	for (size_t i = 0; i < diagnosis->n_ports; i++)
		judge_link(&findings, &diagnosis->ports[i]);
	for (size_t i = 0; i < diagnosis->n_ports; i++)
		judge_module(&findings, &diagnosis->ports[i]);
	return findings.n;
}
