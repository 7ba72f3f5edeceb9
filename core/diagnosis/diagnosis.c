#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "diagnosis/diagnosis.h"
#include "diagnosis/internal.h"

#define PRODUCT_VPU 0x0001

/* What else a Linux system says that it is, as a gadget: not one of ours (PROTOCOL, "Identity"). */
static const struct {
	uint16_t vendor, product;
} gadgets[] = {
	{0x0525, 0xa4a0},
	{0x0525, 0xa4a1},
	{0x0525, 0xa4a2},
	{0x0525, 0xa4a5},
	{0x0525, 0xa4a7},
	{0x0525, 0xa4aa},
	{0x1d6b, 0x0100},
	{0x1d6b, 0x0101},
	{0x1d6b, 0x0103},
	{0x1d6b, 0x0104},
};

void diagnosis_init(struct diagnosis *diagnosis)
{
	memset(diagnosis, 0, sizeof(*diagnosis));
}

static struct timespec time_of(int64_t us)
{
	return (struct timespec){us / 1000000, us % 1000000 * 1000};
}

static struct diagnosis_port *find_port(struct diagnosis *diagnosis, const char *name)
{
	for (size_t i = 0; i < diagnosis->n_ports; i++)
		if (strcmp(diagnosis->ports[i].name, name) == 0)
			return &diagnosis->ports[i];
	return NULL;
}

/* The port's machine; the one longest unheard of is forgotten for a new one. */
static struct diagnosis_port *get_port(struct diagnosis *diagnosis, const char *name)
{
	struct diagnosis_port *port = find_port(diagnosis, name);

	if (port)
		return port;
	port = &diagnosis->ports[0];
	for (size_t i = 1; i < diagnosis->n_ports; i++)
		if (diagnosis->ports[i].heard < port->heard)
			port = &diagnosis->ports[i];
	if (diagnosis->n_ports < DIAGNOSIS_PORTS_MAX)
		port = &diagnosis->ports[diagnosis->n_ports++];
	memset(port, 0, sizeof(*port));
	snprintf(port->name, sizeof(port->name), "%s", name);
	return port;
}

/* Others' strings may stand in it. */
static void quote(const char *in, char ret[CM4_EVIDENCE_TEXT])
{
	size_t n = 0;

	for (; *in && n < CM4_EVIDENCE_TEXT - 1; in++)
		ret[n++] = *in >= ' ' && *in <= '~' ? *in : '?';
	ret[n] = '\0';
}

static void trace(
	struct diagnosis_port *port, enum kernel_event event, int64_t time_us, const char *shown)
{
	struct cm4_evidence *trace = &port->traces[event];

	if (trace->times++ == 0) {
		trace->first = time_of(time_us);
		quote(shown, trace->text);
	}
	trace->last = time_of(time_us);
}

static void forget(struct diagnosis_port *port, unsigned events)
{
	for (unsigned i = 0; i < KERNEL_EVENT_N; i++)
		if (events & BIT(i))
			port->traces[i] = (struct cm4_evidence){0};
}

static bool is_rom_of_high_speed(uint16_t vendor, uint16_t product)
{
	return vendor == VENDOR_BROADCOM && (product == 0x2711 || product == 0x2712);
}

static bool is_linux_gadget(uint16_t vendor, uint16_t product)
{
	for (size_t i = 0; i < sizeof(gadgets) / sizeof(gadgets[0]); i++)
		if (gadgets[i].vendor == vendor && gadgets[i].product == product)
			return true;
	return false;
}

/* Something has enumerated: whatever failed before is got over, but for a link that is too slow. */
static void found(struct diagnosis_port *port, uint16_t vendor, uint16_t product)
{
	bool slow = port->mbps == 12 || port->traces[KERNEL_MAXPACKET].times;

	port->vendor = vendor;
	port->product = product;
	port->garbled = port->mute = port->refused = 0;
	port->was_vpu = vendor == VENDOR_BROADCOM && product == PRODUCT_VPU;
	port->own = is_linux_gadget(vendor, product);
	forget(port, FAILED_ENUMERATION | OF_ITS_DISK | BIT(KERNEL_OVER_CURRENT) |
			     BIT(KERNEL_BUS_POWER));
	if (is_rom_of_high_speed(vendor, product)) {
		port->chip = product;
		port->slow = slow;
	} else if (vendor != VENDOR_BROADCOM || port->mbps > 12) {
		port->slow = false;
	}
	if (!port->slow)
		forget(port, BIT(KERNEL_MAXPACKET));
}

static void left(struct diagnosis_port *port, int64_t time_us)
{
	/* Before this one came as many more as make it one too many. */
	int64_t since = port->left_us[(port->n_left + 1) % DIAGNOSIS_FLAPS];

	port->left_us[port->n_left++ % DIAGNOSIS_FLAPS] = time_us;
	/* Where no times are known, nothing comes and goes too often. */
	port->flaps = port->n_left >= DIAGNOSIS_FLAPS && since &&
		      time_us - since <= DIAGNOSIS_FLAPS_S * 1000000ll;
	port->mbps = port->vendor = port->product = 0;
	port->own = false;
	/* A hub that is unplugged complains before it goes. */
	forget(port, BIT(KERNEL_HUB));
}

static void count_error(struct diagnosis_port *port, int error)
{
	if (error == -ETIMEDOUT || error == -ENODEV)
		port->mute++;
	else if (error == -EPIPE)
		port->refused++;
	else if (error)
		port->garbled++;
}

static void fresh(struct diagnosis_port *port, unsigned mbps)
{
	port->mbps = mbps;
	port->vendor = port->product = 0;
	port->own = false;
	/* The evidence of a slow link stays until there is a better one. */
	if (!port->slow)
		forget(port, BIT(KERNEL_NEW) | BIT(KERNEL_FOUND) | BIT(KERNEL_MAXPACKET));
}

static const char *port_of_host(const struct diagnosis *diagnosis, unsigned host)
{
	for (unsigned i = 1; i <= DIAGNOSIS_HOSTS_MAX && i <= diagnosis->n_hosts; i++) {
		unsigned slot = (diagnosis->n_hosts - i) % DIAGNOSIS_HOSTS_MAX;

		if (diagnosis->hosts[slot].host == host)
			return diagnosis->hosts[slot].port;
	}
	return NULL;
}

static void note_host(struct diagnosis *diagnosis, const struct kernel_line *line)
{
	unsigned slot = diagnosis->n_hosts++ % DIAGNOSIS_HOSTS_MAX;

	diagnosis->hosts[slot].host = line->host;
	strcpy(diagnosis->hosts[slot].port, line->port);
}

/* NULL: not of interest. */
static const char *whose(struct diagnosis *diagnosis, const struct kernel_line *line)
{
	switch (line->event) {
	case KERNEL_NOTHING:
	case KERNEL_SCSI_HOST:
	case KERNEL_EVENT_N:
		return NULL;
	case KERNEL_NO_MEDIUM:
	case KERNEL_DISK_ERROR:
	case KERNEL_OFFLINE:
		return port_of_host(diagnosis, line->host);
	case KERNEL_NEW:
	case KERNEL_FOUND:
	case KERNEL_LEFT:
	case KERNEL_DESCRIPTOR:
	case KERNEL_SETUP:
	case KERNEL_ADDRESS:
	case KERNEL_CONFIGURATION:
	case KERNEL_UNABLE:
	case KERNEL_POWER_CYCLE:
	case KERNEL_CANNOT_ENABLE:
	case KERNEL_DISTURBED:
	case KERNEL_MAXPACKET:
	case KERNEL_RESET:
	case KERNEL_OVER_CURRENT:
	case KERNEL_BUS_POWER:
	case KERNEL_HUB:
	case KERNEL_CONTROLLER:
		break;
	}
	return line->port;
}

bool diagnosis_line(
	struct diagnosis *diagnosis, int64_t time_us, const char *text, const char *shown)
{
	struct diagnosis_port *port;
	struct kernel_line line;
	const char *name;

	if (kernel_line_parse(text, &line) == KERNEL_NOTHING)
		return false;
	if (line.event == KERNEL_SCSI_HOST)
		note_host(diagnosis, &line);
	name = whose(diagnosis, &line);
	if (!name)
		return true;
	port = get_port(diagnosis, name);
	port->heard = ++diagnosis->lines;
	count_error(port, line.error);
	if (line.event == KERNEL_NEW)
		fresh(port, line.mbps);
	else if (line.event == KERNEL_FOUND)
		found(port, line.vendor, line.product);
	else if (line.event == KERNEL_LEFT)
		left(port, time_us);
	trace(port, line.event, time_us, shown ? shown : text);
	return true;
}

/* Whether the count has grown; where it was never asked for, @fresh says whether it is old. */
static bool more_over_currents(
	struct diagnosis_port *port, const struct kernel_port *seen, bool fresh)
{
	bool more = port->over_currents_known ? seen->over_currents > port->over_currents
					      : !fresh && seen->over_currents > 0;

	port->over_currents = seen->over_currents;
	port->over_currents_known = true;
	return more;
}

static void see_port(struct diagnosis *diagnosis, int64_t time_us, const struct kernel_port *seen)
{
	struct diagnosis_port *port = find_port(diagnosis, seen->port);
	char text[CM4_EVIDENCE_TEXT];

	if (!port && !seen->link_mbps && !seen->over_currents)
		return;
	if (!port)
		port = get_port(diagnosis, seen->port);
	if (more_over_currents(port, seen, !diagnosis->sampled)) {
		snprintf(text, sizeof(text), "over-current: counted %u times by the hub",
			seen->over_currents);
		trace(port, KERNEL_OVER_CURRENT, time_us, text);
	}
	if (seen->vendor == port->vendor && seen->product == port->product)
		return;
	if (!seen->link_mbps) {
		port->mbps = port->vendor = port->product = 0;
		port->own = false;
		return;
	}
	fresh(port, seen->link_mbps);
	found(port, seen->vendor, seen->product);
	snprintf(text, sizeof(text), "device %04x:%04x at %u Mbit/s", seen->vendor, seen->product,
		seen->link_mbps);
	trace(port, KERNEL_FOUND, time_us, text);
}

void diagnosis_ports(
	struct diagnosis *diagnosis, int64_t time_us, const struct kernel_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		see_port(diagnosis, time_us, &ports[i]);
	diagnosis->sampled = true;
}
