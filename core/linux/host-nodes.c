#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux/host.h"
#include "util/cleanup.h"

/* The modules that are connected: who of them may be opened, and which are put to sleep when idle. */

static bool read_text(const char *directory, const char *name, char *ret, size_t size)
{
	char path[600];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, ret, size - 1);
	if (n <= 0)
		return false;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return true;
}

static bool is_module(const char *directory)
{
	static const char *const products[] = {"2763", "2764", "2711", "2712", "0001", "0104"};
	char vendor[8], product[8];

	if (!read_text(directory, "idVendor", vendor, sizeof(vendor)) ||
		!read_text(directory, "idProduct", product, sizeof(product)) ||
		strcmp(vendor, "0a5c") != 0)
		return false;
	for (size_t i = 0; i < sizeof(products) / sizeof(products[0]); i++)
		if (strcmp(product, products[i]) == 0)
			return true;
	return false;
}

/* NULL: no more room. */
static struct host_node *add_node(const char *root, struct host_facts *facts, const char *port)
{
	struct host_node *node;
	char path[512];

	if (facts->n_nodes == HOST_NODES_MAX)
		return NULL;
	node = &facts->nodes[facts->n_nodes];
	snprintf(path, sizeof(path), "%s%s", root, node->path);
	node->usable = faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0;
	snprintf(node->port, sizeof(node->port), "%.*s", CM4_PORT_MAX - 1, port);
	facts->n_nodes++;
	return node;
}

static void add_device(
	const char *root, struct host_facts *facts, const char *directory, const char *port)
{
	char bus[16], device[16], control[16];
	struct host_node *node;

	if (facts->n_nodes == HOST_NODES_MAX || !read_text(directory, "busnum", bus, sizeof(bus)) ||
		!read_text(directory, "devnum", device, sizeof(device)))
		return;
	snprintf(facts->nodes[facts->n_nodes].path, sizeof(facts->nodes[0].path),
		"/dev/bus/usb/%03u/%03u", (unsigned)strtoul(bus, NULL, 10),
		(unsigned)strtoul(device, NULL, 10));
	node = add_node(root, facts, port);
	if (node && read_text(directory, "power/control", control, sizeof(control)))
		node->autosuspends = strcmp(control, "auto") == 0;
}

static void add_disks(
	const char *root, struct host_facts *facts, const char *directory, const char *port)
{
	char pattern[700];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*:*/host*/target*/*/block/*", directory);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc && facts->n_nodes < HOST_NODES_MAX; i++) {
		struct host_node *node;

		snprintf(facts->nodes[facts->n_nodes].path, sizeof(facts->nodes[0].path),
			"/dev/%.50s", strrchr(found.gl_pathv[i], '/') + 1);
		node = add_node(root, facts, port);
		if (node)
			node->disk = true;
	}
	globfree(&found);
}

void linux_host_nodes(const char *root, struct host_facts *ret)
{
	char devices[300];
	struct dirent *entry;
	DIR *dir;

	snprintf(devices, sizeof(devices), "%s/sys/bus/usb/devices", root);
	dir = opendir(devices);
	while (dir && (entry = readdir(dir))) {
		char directory[600];

		if (entry->d_name[0] == '.' || strchr(entry->d_name, ':'))
			continue;
		snprintf(directory, sizeof(directory), "%s/%s", devices, entry->d_name);
		if (is_module(directory)) {
			add_device(root, ret, directory, entry->d_name);
			add_disks(root, ret, directory, entry->d_name);
		}
	}
	if (dir)
		closedir(dir);
}
