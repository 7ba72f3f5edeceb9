#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux/kernel_log.h"
#include "util/cleanup.h"

/*
 * Every port of every hub, by sysfs: under a hub's interface, "1-1:1.0" or a root hub's "1-0:1.0", each of its ports
 * has a directory, "1-1-port3" or "usb1-port3", and who sits on it is the device "1-1.3" or "1-3".
 */

#define DEVICES "/sys/bus/usb/devices"

static bool read_text(const char *device, const char *name, char *ret, size_t size)
{
	char path[512];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if ((size_t)snprintf(path, sizeof(path), DEVICES "/%s/%s", device, name) >= sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, ret, size - 1);
	if (n <= 0)
		return false;
	ret[n] = '\0';
	return true;
}

static unsigned long read_number(const char *device, const char *name, int base)
{
	char text[32];

	return read_text(device, name, text, sizeof(text)) ? strtoul(text, NULL, base) : 0;
}

/* "usb1-port3" is 1-3, "1-1-port3" is 1-1.3. */
static bool name_of(const char *entry, char ret_port[CM4_PORT_MAX])
{
	const char *port = strstr(entry, "-port");
	bool root = strncmp(entry, "usb", 3) == 0;
	const char *hub = root ? entry + 3 : entry;
	int n;

	if (!port || port < hub || strspn(port + 5, "0123456789") != strlen(port + 5))
		return false;
	n = snprintf(ret_port, CM4_PORT_MAX, "%.*s%c%s", (int)(port - hub), hub, root ? '-' : '.',
		port + 5);
	return n > 0 && n < CM4_PORT_MAX;
}

static void read_port(const char *interface, const char *entry, struct kernel_port *ret)
{
	char name[600];

	snprintf(name, sizeof(name), "%s/over_current_count", entry);
	ret->over_currents = (unsigned)read_number(interface, name, 10);
	ret->vendor = (uint16_t)read_number(ret->port, "idVendor", 16);
	ret->product = (uint16_t)read_number(ret->port, "idProduct", 16);
	ret->link_mbps = (unsigned)read_number(ret->port, "speed", 10);
}

static size_t ports_of(const char *interface, struct kernel_port *ret, size_t max)
{
	char path[512];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), DEVICES "/%s", interface);
	dir = opendir(path);
	while (dir && n < max && (entry = readdir(dir))) {
		ret[n] = (struct kernel_port){0};
		if (name_of(entry->d_name, ret[n].port))
			read_port(interface, entry->d_name, &ret[n++]);
	}
	if (dir)
		closedir(dir);
	return n;
}

size_t linux_ports(struct kernel_port *ret, size_t max)
{
	DIR *dir = opendir(DEVICES);
	struct dirent *entry;
	size_t n = 0;

	while (dir && (entry = readdir(dir))) {
		/* A hub has but one interface, of one setting. */
		if (strlen(entry->d_name) < 64 && strstr(entry->d_name, ":1.0"))
			n += ports_of(entry->d_name, ret + n, max - n);
	}
	if (dir)
		closedir(dir);
	return n;
}
