#include <stdlib.h>
#include <string.h>

#include "diagnosis/line.h"

/* Behind @prefix in @text; NULL where it does not begin with it. */
static const char *after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

/* A small number in @text. False where there is none, or one that is out of all reason. */
static bool number(const char **text, unsigned max, unsigned *ret)
{
	const char *c = *text;
	unsigned value = 0;

	for (; *c >= '0' && *c <= '9'; c++) {
		value = value * 10 + (unsigned)(*c - '0');
		if (value > max)
			return false;
	}
	if (c == *text)
		return false;
	*ret = value;
	*text = c;
	return true;
}

/* "1-1.3" and what follows it. */
static bool path(const char **text, char ret_port[CM4_PORT_MAX])
{
	const char *c = *text;
	unsigned ignored;
	size_t n;

	if (!number(&c, 999, &ignored) || *c++ != '-' || !number(&c, 255, &ignored))
		return false;
	while (*c == '.') {
		c++;
		if (!number(&c, 255, &ignored))
			return false;
	}
	n = (size_t)(c - *text);
	if (n >= CM4_PORT_MAX)
		return false;
	memcpy(ret_port, *text, n);
	ret_port[n] = '\0';
	*text = c;
	return true;
}

/* A port as its hub has it: @separator is '-' behind a root hub's number, '.' behind another hub. */
static bool behind(char port[CM4_PORT_MAX], unsigned number_of_port)
{
	size_t n = strlen(port);
	char separator = strchr(port, '-') ? '.' : '-';
	char digits[4], *d = digits + sizeof(digits);

	do {
		*--d = (char)('0' + number_of_port % 10);
		number_of_port /= 10;
	} while (number_of_port);
	if (n + 1 + (size_t)(digits + sizeof(digits) - d) >= CM4_PORT_MAX)
		return false;
	port[n++] = separator;
	while (d < digits + sizeof(digits))
		port[n++] = *d++;
	port[n] = '\0';
	return true;
}

/*
 * Who a line of the USB core's is about: "usb 1-1.3: ", "usb usb1-port2: " (a port of a root hub),
 * "usb 1-1-port3: " (of another hub), "hub 1-1:1.0: ", "hub 1-0:1.0: " (a root hub).
 * Returns what follows, or NULL.
 */
static const char *subject(const char *text, char ret_port[CM4_PORT_MAX])
{
	unsigned bus, port, ignored;
	const char *c;

	if ((c = after(text, "usb usb"))) {
		if (!number(&c, 999, &bus))
			return NULL;
		memcpy(ret_port, text + 7, (size_t)(c - text) - 7);
		ret_port[c - text - 7] = '\0';
	} else if ((c = after(text, "usb "))) {
		if (!path(&c, ret_port))
			return NULL;
	} else if ((c = after(text, "hub "))) {
		if (!path(&c, ret_port) || *c++ != ':' || !number(&c, 255, &ignored) ||
			*c++ != '.' || !number(&c, 255, &ignored))
			return NULL;
		if (strlen(ret_port) > 2 && strcmp(strchr(ret_port, '-'), "-0") == 0)
			*strchr(ret_port, '-') = '\0';
	} else {
		return NULL;
	}
	if (after(c, "-port")) {
		c += 5;
		if (!number(&c, 255, &port) || !behind(ret_port, port))
			return NULL;
	}
	return after(c, ": ");
}

enum detail {
	DETAIL_NONE,
	DETAIL_ERROR,	/* ", error -71" or " (err = -71)" further on */
	DETAIL_SPEED,	/* "high-speed USB device ..." */
	DETAIL_IDS,	/* "0a5c, idProduct=2711" */
	DETAIL_ON_PORT, /* perhaps " on port 3": older kernels have the hub speak */
};

struct pattern {
	const char *prefix;
	enum kernel_event event;
	enum detail detail;
};

static const struct pattern patterns[] = {
	{"new ", KERNEL_NEW, DETAIL_SPEED},
	{"New USB device found, idVendor=", KERNEL_FOUND, DETAIL_IDS},
	{"USB disconnect", KERNEL_LEFT, DETAIL_NONE},
	{"device descriptor read/", KERNEL_DESCRIPTOR, DETAIL_ERROR},
	{"Device not responding to setup address", KERNEL_SETUP, DETAIL_NONE},
	{"device not accepting address ", KERNEL_ADDRESS, DETAIL_ERROR},
	{"can't set config #", KERNEL_CONFIGURATION, DETAIL_ERROR},
	{"can't read configurations", KERNEL_CONFIGURATION, DETAIL_ERROR},
	{"unable to read config index ", KERNEL_CONFIGURATION, DETAIL_NONE},
	{"unable to enumerate USB device", KERNEL_UNABLE, DETAIL_ON_PORT},
	{"attempt power cycle", KERNEL_POWER_CYCLE, DETAIL_NONE},
	{"connect-debounce failed", KERNEL_CANNOT_ENABLE, DETAIL_ON_PORT},
	{"Cannot enable", KERNEL_CANNOT_ENABLE, DETAIL_ON_PORT},
	{"cannot reset", KERNEL_CANNOT_ENABLE, DETAIL_ON_PORT},
	{"cannot disable", KERNEL_CANNOT_ENABLE, DETAIL_ON_PORT},
	{"disabled by hub (EMI?)", KERNEL_DISTURBED, DETAIL_NONE},
	{"reset ", KERNEL_RESET, DETAIL_SPEED},
	{"over-current", KERNEL_OVER_CURRENT, DETAIL_ON_PORT},
	{"rejected ", KERNEL_BUS_POWER, DETAIL_NONE},
	{"hub_ext_port_status failed", KERNEL_HUB, DETAIL_NONE},
	{"hub_hub_status failed", KERNEL_HUB, DETAIL_NONE},
	{"config failed, ", KERNEL_HUB, DETAIL_NONE},
	{"config ", KERNEL_MAXPACKET, DETAIL_NONE},
};

static int error_in(const char *text)
{
	const char *c = strstr(text, "error -");
	unsigned value;

	c = c ? c + 7 : NULL;
	return c && number(&c, 4095, &value) ? -(int)value : 0;
}

static bool speed_in(const char *text, unsigned *ret_mbps)
{
	static const struct {
		const char *word;
		unsigned mbps;
	} speeds[] = {
		{"low-speed USB device", 1},
		{"full-speed USB device", 12},
		{"high-speed USB device", 480},
		{"SuperSpeed Plus", 10000},
		{"super-speed-plus USB device", 10000},
		{"SuperSpeed", 5000},
		{"super-speed USB device", 5000},
	};

	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		if (after(text, speeds[i].word)) {
			*ret_mbps = speeds[i].mbps;
			return true;
		}
	}
	return false;
}

static bool ids_in(const char *text, struct kernel_line *ret)
{
	char *end;

	ret->vendor = (uint16_t)strtoul(text, &end, 16);
	if (end != text + 4 || !after(end, ", idProduct="))
		return false;
	text = end + 12;
	ret->product = (uint16_t)strtoul(text, &end, 16);
	return end == text + 4;
}

static bool detail(const struct pattern *pattern, const char *rest, struct kernel_line *ret)
{
	unsigned port;

	switch (pattern->detail) {
	case DETAIL_NONE:
		break;
	case DETAIL_ERROR:
		ret->error = error_in(rest);
		break;
	case DETAIL_SPEED:
		return speed_in(rest, &ret->mbps);
	case DETAIL_IDS:
		return ids_in(rest, ret);
	case DETAIL_ON_PORT:
		rest = strstr(rest, " port ");
		rest = rest ? rest + 6 : NULL;
		if (rest && number(&rest, 255, &port))
			return behind(ret->port, port);
		break;
	}
	return true;
}

/* These say more behind a number or two. */
static bool holds(enum kernel_event event, const char *rest)
{
	if (event == KERNEL_MAXPACKET)
		return strstr(rest, "has invalid maxpacket 512, setting to 64");
	if (event == KERNEL_BUS_POWER)
		return strstr(rest, "insufficient available bus power");
	return true;
}

static enum kernel_event parse_usb(const char *text, struct kernel_line *ret)
{
	text = subject(text, ret->port);
	for (size_t i = 0; text && i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		const char *rest = after(text, patterns[i].prefix);

		if (!rest || !holds(patterns[i].event, rest))
			continue;
		return detail(&patterns[i], rest, ret) ? patterns[i].event : KERNEL_NOTHING;
	}
	return KERNEL_NOTHING;
}

/* "scsi host0: usb-storage 1-1:1.0" */
static enum kernel_event parse_scsi(const char *text, struct kernel_line *ret)
{
	if (!(text = after(text, "scsi host")) || !number(&text, 9999, &ret->host) ||
		!(text = after(text, ": usb-storage ")) || !path(&text, ret->port))
		return KERNEL_NOTHING;
	return KERNEL_SCSI_HOST;
}

/* "sd 0:0:0:0: [sda] ..." */
static enum kernel_event parse_sd(const char *text, struct kernel_line *ret)
{
	if (!(text = after(text, "sd ")) || !number(&text, 9999, &ret->host) || *text != ':')
		return KERNEL_NOTHING;
	text = strstr(text, ": ");
	if (!text)
		return KERNEL_NOTHING;
	text += 2;
	if (after(text, "rejecting I/O to offline device") || after(text, "Device offlined"))
		return KERNEL_OFFLINE;
	text = *text == '[' ? strstr(text, "] ") : NULL;
	if (!text)
		return KERNEL_NOTHING;
	text += 2;
	if (after(text, "0 512-byte logical blocks") || after(text, "Media removed") ||
		after(text, "Add. Sense: Medium not present"))
		return KERNEL_NO_MEDIUM;
	if (after(text, "tag#") && strchr(text, ' '))
		text = strchr(text, ' ') + 1;
	if (after(text, "Add. Sense: Medium not present"))
		return KERNEL_NO_MEDIUM;
	return after(text, "Sense Key : Medium Error") ? KERNEL_DISK_ERROR : KERNEL_NOTHING;
}

/* "xhci_hcd 0000:00:14.0: HC died; cleaning up" */
static enum kernel_event parse_controller(const char *text)
{
	const char *what = strstr(text, ": ");

	if (!what || !memchr(text, 'h', (size_t)(what - text)))
		return KERNEL_NOTHING;
	what += 2;
	if (after(what, "HC died") || after(what, "xHCI host controller not responding") ||
		after(what, "host controller not responding"))
		return KERNEL_CONTROLLER;
	return KERNEL_NOTHING;
}

enum kernel_event kernel_line_parse(const char *text, struct kernel_line *ret)
{
	enum kernel_event event = KERNEL_NOTHING;

	*ret = (struct kernel_line){0};
	if (after(text, "usb ") || after(text, "hub "))
		event = parse_usb(text, ret);
	else if (after(text, "sd "))
		event = parse_sd(text, ret);
	else if (after(text, "scsi host"))
		event = parse_scsi(text, ret);
	else if (after(text, "xhci") || after(text, "ehci") || after(text, "dwc2"))
		event = parse_controller(text);
	if (event == KERNEL_NOTHING)
		*ret = (struct kernel_line){0};
	ret->event = event;
	return event;
}
