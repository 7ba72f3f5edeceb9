#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "linux/disk.h"
#include "linux/kernel_log.h"
#include "linux/linux.h"
#include "linux/tty.h"
#include "linux/usb.h"
#include "seam/backend.h"
#include "util/cleanup.h"

/*
 * Two sources of news, made into one order. libusb's thread puts USB events into a queue; the dispatcher takes them
 * from there, and disk events from udev, and tells the listener. A disk whose USB device has not been announced yet
 * is kept until it is; what leaves with its USB device is forgotten with it, so that an old disk is never taken
 * for a new one's.
 */

struct usb_event {
	bool attached;
	struct usb_identity identity; /* departed: the port alone */
	TAILQ_ENTRY(usb_event) link;
};

struct known_port {
	char port[CM4_PORT_MAX];
	TAILQ_ENTRY(known_port) link;
};

struct known_disk {
	struct block_identity identity;
	TAILQ_ENTRY(known_disk) link;
};

struct linux_backend {
	struct backend base;
	struct backend_listener listener; /* fixed by start */
	struct linux_usb *usb;
	struct linux_disks *disks;
	pthread_t thread;
	int wake; /* an eventfd */

	pthread_mutex_t lock; /* guards the queue and stop */
	TAILQ_HEAD(, usb_event) queue;
	bool stop;

	/* The dispatcher's own. */
	TAILQ_HEAD(, known_port) ports;
	TAILQ_HEAD(, known_disk) known;
};

/* On libusb's thread. An event lost for want of memory is a module not seen: nothing better can be done. */
static void push(struct linux_backend *backend, bool attached, const struct usb_identity *identity)
{
	struct usb_event *event = malloc(sizeof(*event));

	if (!event)
		return;
	event->attached = attached;
	event->identity = *identity;
	{
		LOCKED(&backend->lock);
		TAILQ_INSERT_TAIL(&backend->queue, event, link);
	}
	eventfd_write(backend->wake, 1);
}

static void on_usb_attached(void *data, const struct usb_identity *identity)
{
	push(data, true, identity);
}

static void on_usb_detached(void *data, const char *port)
{
	struct usb_identity identity = {0};

	snprintf(identity.port, sizeof(identity.port), "%s", port);
	push(data, false, &identity);
}

static struct known_port *find_port(struct linux_backend *backend, const char *port)
{
	struct known_port *known;

	TAILQ_FOREACH (known, &backend->ports, link)
		if (strcmp(known->port, port) == 0)
			return known;
	return NULL;
}

static struct known_disk *find_disk(
	struct linux_backend *backend, const char *port, const char *name)
{
	struct known_disk *known;

	TAILQ_FOREACH (known, &backend->known, link)
		if (strcmp(known->identity.port, port) == 0 &&
			(!name || strcmp(known->identity.name, name) == 0))
			return known;
	return NULL;
}

static void on_disk_attached(void *data, const struct block_identity *identity)
{
	struct linux_backend *backend = data;
	struct known_disk *known = find_disk(backend, identity->port, identity->name);

	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return;
		TAILQ_INSERT_TAIL(&backend->known, known, link);
	}
	known->identity = *identity;
	if (find_port(backend, identity->port))
		backend->listener.disk_attached(backend->listener.data, identity);
}

static void on_disk_detached(void *data, const char *port, const char *name)
{
	struct linux_backend *backend = data;
	struct known_disk *known = find_disk(backend, port, name);

	if (!known)
		return;
	TAILQ_REMOVE(&backend->known, known, link);
	free(known);
	if (find_port(backend, port))
		backend->listener.disk_detached(backend->listener.data, port, name);
}

static void announce(struct linux_backend *backend, struct usb_identity *identity)
{
	struct known_port *port = calloc(1, sizeof(*port));
	struct known_disk *disk;

	if (!port)
		return;
	snprintf(port->port, sizeof(port->port), "%s", identity->port);
	TAILQ_INSERT_TAIL(&backend->ports, port, link);
	linux_usb_serial(identity->port, identity->serial, sizeof(identity->serial));
	backend->listener.usb_attached(backend->listener.data, identity);
	TAILQ_FOREACH (disk, &backend->known, link)
		if (strcmp(disk->identity.port, identity->port) == 0)
			backend->listener.disk_attached(backend->listener.data, &disk->identity);
}

static void depart(struct linux_backend *backend, const char *name)
{
	struct known_port *port = find_port(backend, name);
	struct known_disk *disk;

	while ((disk = find_disk(backend, name, NULL))) {
		TAILQ_REMOVE(&backend->known, disk, link);
		free(disk);
	}
	if (!port)
		return;
	TAILQ_REMOVE(&backend->ports, port, link);
	free(port);
	backend->listener.usb_detached(backend->listener.data, name);
}

static struct usb_event *pop(struct linux_backend *backend)
{
	LOCKED(&backend->lock);
	struct usb_event *event = TAILQ_FIRST(&backend->queue);

	if (event)
		TAILQ_REMOVE(&backend->queue, event, link);
	return event;
}

static void drain(struct linux_backend *backend)
{
	struct usb_event *event;

	while ((event = pop(backend))) {
		if (event->attached)
			announce(backend, &event->identity);
		else
			depart(backend, event->identity.port);
		free(event);
	}
}

static bool stopped(struct linux_backend *backend)
{
	LOCKED(&backend->lock);
	return backend->stop;
}

static void *dispatcher(void *data)
{
	struct linux_backend *backend = data;
	struct pollfd fds[] = {
		{.fd = backend->wake, .events = POLLIN},
		{.fd = linux_disks_fd(backend->disks), .events = POLLIN},
	};
	eventfd_t count;

	while (!stopped(backend)) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			eventfd_read(backend->wake, &count);
		drain(backend);
		if (fds[1].revents)
			linux_disks_dispatch(backend->disks);
	}
	return NULL;
}

static int backend_start(struct backend *base, const struct backend_listener *listener)
{
	struct linux_backend *backend = (struct linux_backend *)base;
	struct linux_usb_sink usb_sink = {on_usb_attached, on_usb_detached, backend};
	struct linux_disks_sink disks_sink = {on_disk_attached, on_disk_detached, backend};
	int r;

	backend->listener = *listener;
	backend->stop = false;
	r = linux_disks_new(&disks_sink, &backend->disks);
	if (r < 0)
		return r;
	r = linux_usb_new(&usb_sink, &backend->usb);
	if (r < 0)
		goto err_disks;
	r = linux_disks_enumerate(backend->disks);
	if (r < 0)
		goto err_usb;
	drain(backend);
	r = -pthread_create(&backend->thread, NULL, dispatcher, backend);
	if (r < 0)
		goto err_usb;
	return 0;

err_usb:
	linux_usb_free(backend->usb);
	backend->usb = NULL;
err_disks:
	linux_disks_free(backend->disks);
	backend->disks = NULL;
	return r;
}

static void backend_stop(struct backend *base)
{
	struct linux_backend *backend = (struct linux_backend *)base;

	{
		LOCKED(&backend->lock);
		backend->stop = true;
	}
	eventfd_write(backend->wake, 1);
	pthread_join(backend->thread, NULL);
}

static int open_usb(struct backend *base, const char *port, struct usb_device **ret_device)
{
	return linux_usb_open(((struct linux_backend *)base)->usb, port, ret_device);
}

static int open_block(struct backend *base, const char *port, const char *name, bool writable,
	struct block **ret_block)
{
	return linux_disk_open(
		((struct linux_backend *)base)->disks, port, name, writable, ret_block);
}

static int open_console(struct backend *base, const char *port, struct console **ret_console)
{
	(void)base;
	return linux_tty_open(port, ret_console);
}

static int open_kernel_log(struct backend *base, struct kernel_log **ret_log)
{
	(void)base;
	return linux_kernel_log_open(ret_log);
}

static void backend_free(struct backend *base)
{
	struct linux_backend *backend = (struct linux_backend *)base;
	struct known_disk *disk;
	struct known_port *port;
	struct usb_event *event;

	linux_usb_free(backend->usb);
	linux_disks_free(backend->disks);
	while ((event = pop(backend)))
		free(event);
	while ((disk = TAILQ_FIRST(&backend->known))) {
		TAILQ_REMOVE(&backend->known, disk, link);
		free(disk);
	}
	while ((port = TAILQ_FIRST(&backend->ports))) {
		TAILQ_REMOVE(&backend->ports, port, link);
		free(port);
	}
	close(backend->wake);
	pthread_mutex_destroy(&backend->lock);
	free(backend);
}

static const struct backend_ops backend_ops = {
	.start = backend_start,
	.stop = backend_stop,
	.open_usb = open_usb,
	.open_block = open_block,
	.open_console = open_console,
	.open_kernel_log = open_kernel_log,
	.free = backend_free,
};

int linux_backend_new(struct backend **ret_backend)
{
	struct linux_backend *backend = calloc(1, sizeof(*backend));

	if (!backend)
		return -ENOMEM;
	backend->base.ops = &backend_ops;
	pthread_mutex_init(&backend->lock, NULL);
	TAILQ_INIT(&backend->queue);
	TAILQ_INIT(&backend->ports);
	TAILQ_INIT(&backend->known);
	backend->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (backend->wake < 0) {
		int r = -errno;

		pthread_mutex_destroy(&backend->lock);
		free(backend);
		return r;
	}
	*ret_backend = &backend->base;
	return 0;
}
