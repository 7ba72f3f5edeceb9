#include <errno.h>
#include <libusb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <cm4fs/log.h>

#include "linux/usb.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * One thread handles libusb's events: arrivals and departures, and the ends of transfers. A transfer blocks its
 * caller on a condition, not in libusb, so that abort can cancel it from another thread.
 */

#define PORT_DEPTH_MAX 7 /* of hubs, by the USB specification */

struct present {
	char port[CM4_PORT_MAX];
	libusb_device *device; /* one reference */
	TAILQ_ENTRY(present) link;
};

struct linux_usb {
	libusb_context *context;
	libusb_hotplug_callback_handle hotplug;
	struct linux_usb_sink sink; /* fixed */
	pthread_t thread;
	int stop; /* libusb's own flag, set once */

	pthread_mutex_t lock; /* guards the list */
	TAILQ_HEAD(, present) devices;
};

struct device {
	struct usb_device base;
	libusb_device_handle *handle;
	int interface;
	uint8_t endpoint; /* bulk OUT */

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t ended;
	struct libusb_transfer *transfer; /* under way */
	bool done;
	bool aborted;
};

/* libusb's errors, all of them; an unknown one is a fault of ours or its. */
static int error_of(enum libusb_error error)
{
	switch (error) {
	case LIBUSB_SUCCESS:
		return 0;
	case LIBUSB_ERROR_IO:
		return -EIO;
	case LIBUSB_ERROR_INVALID_PARAM:
		return -EINVAL;
	case LIBUSB_ERROR_ACCESS:
		return -EACCES;
	case LIBUSB_ERROR_NO_DEVICE:
	case LIBUSB_ERROR_NOT_FOUND:
		return -ENODEV;
	case LIBUSB_ERROR_BUSY:
		return -EBUSY;
	case LIBUSB_ERROR_TIMEOUT:
		return -ETIMEDOUT;
	case LIBUSB_ERROR_OVERFLOW:
		return -EOVERFLOW;
	case LIBUSB_ERROR_PIPE:
		return -EPIPE;
	case LIBUSB_ERROR_INTERRUPTED:
		return -EINTR;
	case LIBUSB_ERROR_NO_MEM:
		return -ENOMEM;
	case LIBUSB_ERROR_NOT_SUPPORTED:
		return -ENOSYS;
	case LIBUSB_ERROR_OTHER:
		return -EIO;
	}
	return -EIO;
}

static int error_of_transfer(enum libusb_transfer_status status)
{
	switch (status) {
	case LIBUSB_TRANSFER_COMPLETED:
		return 0;
	case LIBUSB_TRANSFER_ERROR:
		return -EIO;
	case LIBUSB_TRANSFER_TIMED_OUT:
		return -ETIMEDOUT;
	case LIBUSB_TRANSFER_CANCELLED:
		return -ECANCELED;
	case LIBUSB_TRANSFER_STALL:
		return -EPIPE;
	case LIBUSB_TRANSFER_NO_DEVICE:
		return -ENODEV;
	case LIBUSB_TRANSFER_OVERFLOW:
		return -EOVERFLOW;
	}
	return -EIO;
}

static unsigned link_mbps(libusb_device *device)
{
	switch ((enum libusb_speed)libusb_get_device_speed(device)) {
	case LIBUSB_SPEED_LOW:
		return 1;
	case LIBUSB_SPEED_FULL:
		return 12;
	case LIBUSB_SPEED_HIGH:
		return 480;
	case LIBUSB_SPEED_SUPER:
		return 5000;
	case LIBUSB_SPEED_SUPER_PLUS:
		return 10000;
	case LIBUSB_SPEED_UNKNOWN:
		break;
	}
	return 0;
}

/* "1-1.3", as the kernel names it. False for a root hub, which has no port. */
static bool port_of(libusb_device *device, char ret_port[CM4_PORT_MAX])
{
	uint8_t numbers[PORT_DEPTH_MAX];
	int depth = libusb_get_port_numbers(device, numbers, PORT_DEPTH_MAX);
	int used;

	if (depth <= 0)
		return false;
	used = snprintf(ret_port, CM4_PORT_MAX, "%u-%u", libusb_get_bus_number(device), numbers[0]);
	for (int i = 1; i < depth && used < CM4_PORT_MAX; i++)
		used += snprintf(ret_port + used, (size_t)(CM4_PORT_MAX - used), ".%u", numbers[i]);
	return used < CM4_PORT_MAX;
}

/* Lock held. */
static struct present *find_port(struct linux_usb *usb, const char *port)
{
	struct present *present;

	TAILQ_FOREACH (present, &usb->devices, link)
		if (strcmp(present->port, port) == 0)
			return present;
	return NULL;
}

static void forget(struct linux_usb *usb, struct present *present)
{
	TAILQ_REMOVE(&usb->devices, present, link);
	libusb_unref_device(present->device);
	free(present);
}

/* False where the one on this port is another by now. */
static bool note_departure(struct linux_usb *usb, libusb_device *device, const char *port)
{
	LOCKED(&usb->lock);
	struct present *present = find_port(usb, port);

	if (!present || present->device != device)
		return false;
	forget(usb, present);
	return true;
}

static bool note_arrival(struct linux_usb *usb, libusb_device *device, const char *port)
{
	LOCKED(&usb->lock);
	struct present *present = calloc(1, sizeof(*present));

	if (!present)
		return false;
	snprintf(present->port, sizeof(present->port), "%s", port);
	present->device = libusb_ref_device(device);
	TAILQ_INSERT_TAIL(&usb->devices, present, link);
	return true;
}

/* With a reference, or NULL. */
static libusb_device *get_port(struct linux_usb *usb, const char *port)
{
	LOCKED(&usb->lock);
	struct present *present = find_port(usb, port);

	return present ? libusb_ref_device(present->device) : NULL;
}

static void arrived(struct linux_usb *usb, libusb_device *device, const char *port)
{
	struct libusb_device_descriptor descriptor;
	struct usb_identity identity = {.link_mbps = link_mbps(device)};
	libusb_device *before = get_port(usb, port);

	/* libusb may tell of a device twice when it comes while we begin to listen. */
	if (before)
		libusb_unref_device(before);
	if (before == device)
		return;
	if (before && note_departure(usb, before, port))
		usb->sink.detached(usb->sink.data, port);
	if (libusb_get_device_descriptor(device, &descriptor) < 0 ||
		!note_arrival(usb, device, port))
		return;
	snprintf(identity.port, sizeof(identity.port), "%s", port);
	identity.vendor = descriptor.idVendor;
	identity.product = descriptor.idProduct;
	identity.serial_index = descriptor.iSerialNumber;
	usb->sink.attached(usb->sink.data, &identity);
}

/* On the event thread. The descriptors here are cached by libusb: nothing goes over the bus. */
static int on_hotplug(
	libusb_context *context, libusb_device *device, libusb_hotplug_event event, void *data)
{
	struct linux_usb *usb = data;
	char port[CM4_PORT_MAX];

	(void)context;
	if (!port_of(device, port))
		return 0;
	if (event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED)
		arrived(usb, device, port);
	else if (note_departure(usb, device, port))
		usb->sink.detached(usb->sink.data, port);
	return 0;
}

static void *event_thread(void *data)
{
	struct linux_usb *usb = data;

	while (!__atomic_load_n(&usb->stop, __ATOMIC_ACQUIRE))
		libusb_handle_events_completed(usb->context, &usb->stop);
	return NULL;
}

int linux_usb_new(const struct linux_usb_sink *sink, struct linux_usb **ret_usb)
{
	struct linux_usb *usb = calloc(1, sizeof(*usb));
	int r;

	if (!usb)
		return -ENOMEM;
	usb->sink = *sink;
	TAILQ_INIT(&usb->devices);
	pthread_mutex_init(&usb->lock, NULL);

	r = error_of((enum libusb_error)libusb_init(&usb->context));
	if (r < 0)
		goto err_free;
	r = -ENOSYS;
	if (!libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG))
		goto err_exit;
	r = error_of((enum libusb_error)libusb_hotplug_register_callback(usb->context,
		LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT,
		LIBUSB_HOTPLUG_ENUMERATE, LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
		LIBUSB_HOTPLUG_MATCH_ANY, on_hotplug, usb, &usb->hotplug));
	if (r < 0)
		goto err_exit;
	r = -pthread_create(&usb->thread, NULL, event_thread, usb);
	if (r < 0)
		goto err_deregister;
	*ret_usb = usb;
	return 0;

err_deregister:
	libusb_hotplug_deregister_callback(usb->context, usb->hotplug);
err_exit:
	while (!TAILQ_EMPTY(&usb->devices))
		forget(usb, TAILQ_FIRST(&usb->devices));
	libusb_exit(usb->context);
err_free:
	pthread_mutex_destroy(&usb->lock);
	free(usb);
	return r;
}

void linux_usb_free(struct linux_usb *usb)
{
	if (!usb)
		return;
	__atomic_store_n(&usb->stop, 1, __ATOMIC_RELEASE);
	/* Both wake the event thread. */
	libusb_hotplug_deregister_callback(usb->context, usb->hotplug);
	libusb_interrupt_event_handler(usb->context);
	pthread_join(usb->thread, NULL);
	while (!TAILQ_EMPTY(&usb->devices))
		forget(usb, TAILQ_FIRST(&usb->devices));
	libusb_exit(usb->context);
	pthread_mutex_destroy(&usb->lock);
	free(usb);
}

/* On the event thread. */
static void LIBUSB_CALL on_ended(struct libusb_transfer *transfer)
{
	struct device *device = transfer->user_data;

	LOCKED(&device->lock);
	device->done = true;
	pthread_cond_signal(&device->ended);
}

/* Bytes moved, or -errno. libusb's own timeout ends it, so the wait here has a bound. */
static ssize_t run(struct device *device, struct libusb_transfer *transfer)
{
	LOCKED(&device->lock);
	int r;

	if (device->aborted)
		return -ECANCELED;
	device->done = false;
	r = error_of((enum libusb_error)libusb_submit_transfer(transfer));
	if (r < 0)
		return r;
	device->transfer = transfer;
	while (!device->done)
		pthread_cond_wait(&device->ended, &device->lock);
	device->transfer = NULL;

	r = error_of_transfer(transfer->status);
	if (r == -ETIMEDOUT && transfer->actual_length > 0)
		r = 0;
	return r < 0 ? r : transfer->actual_length;
}

static void abort_transfers(struct usb_device *base)
{
	struct device *device = (struct device *)base;

	LOCKED(&device->lock);
	device->aborted = true;
	if (device->transfer)
		libusb_cancel_transfer(device->transfer);
}

static ssize_t control(struct device *device, uint8_t type, uint16_t value, uint16_t index,
	void *buffer, size_t size, unsigned timeout_ms)
{
	struct libusb_transfer *transfer;
	uint8_t *packet;
	ssize_t r;

	if (size > UINT16_MAX)
		return -EINVAL;
	transfer = libusb_alloc_transfer(0);
	packet = calloc(1, LIBUSB_CONTROL_SETUP_SIZE + size);
	r = -ENOMEM;
	if (transfer && packet) {
		libusb_fill_control_setup(packet, type, 0, value, index, (uint16_t)size);
		libusb_fill_control_transfer(
			transfer, device->handle, packet, on_ended, device, timeout_ms);
		r = run(device, transfer);
		if (r > 0 && (size_t)r <= size)
			memcpy(buffer, packet + LIBUSB_CONTROL_SETUP_SIZE, (size_t)r);
	}
	libusb_free_transfer(transfer);
	free(packet);
	return r;
}

static int control_out(struct usb_device *base, uint16_t value, uint16_t index, unsigned timeout_ms)
{
	return (int)control((struct device *)base, LIBUSB_ENDPOINT_OUT | LIBUSB_REQUEST_TYPE_VENDOR,
		value, index, NULL, 0, timeout_ms);
}

static ssize_t control_in(struct usb_device *base, uint16_t value, uint16_t index, void *buffer,
	size_t size, unsigned timeout_ms)
{
	return control((struct device *)base, LIBUSB_ENDPOINT_IN | LIBUSB_REQUEST_TYPE_VENDOR,
		value, index, buffer, size, timeout_ms);
}

static ssize_t bulk_out(
	struct usb_device *base, const void *buffer, size_t size, unsigned timeout_ms)
{
	struct device *device = (struct device *)base;
	struct libusb_transfer *transfer = libusb_alloc_transfer(0);
	ssize_t r;

	if (!transfer)
		return -ENOMEM;
	/* libusb does not write to the buffer of an OUT transfer. */
	libusb_fill_bulk_transfer(transfer, device->handle, device->endpoint, (void *)buffer,
		(int)size, on_ended, device, timeout_ms);
	r = run(device, transfer);
	libusb_free_transfer(transfer);
	return r;
}

static void close_device(struct usb_device *base)
{
	struct device *device = (struct device *)base;

	libusb_release_interface(device->handle, device->interface);
	libusb_close(device->handle);
	pthread_cond_destroy(&device->ended);
	pthread_mutex_destroy(&device->lock);
	free(device);
}

static const struct usb_device_ops device_ops = {
	.control_out = control_out,
	.control_in = control_in,
	.bulk_out = bulk_out,
	.abort = abort_transfers,
	.close = close_device,
};

static int find_bulk_out(const struct libusb_interface_descriptor *interface, uint8_t *ret_endpoint)
{
	for (int i = 0; i < interface->bNumEndpoints; i++) {
		const struct libusb_endpoint_descriptor *endpoint = &interface->endpoint[i];
		bool bulk = (endpoint->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) ==
			    LIBUSB_TRANSFER_TYPE_BULK;
		bool out = !(endpoint->bEndpointAddress & LIBUSB_ENDPOINT_IN);

		if (bulk && out) {
			*ret_endpoint = endpoint->bEndpointAddress;
			return 0;
		}
	}
	return -EPROTO;
}

/*
 * One interface: number 0, bulk OUT endpoint 1. Two (a 2837 shows mass storage first): number 1, endpoint 3
 * (usbboot's main.c). What the descriptors say must agree with that.
 */
static int find_interface(libusb_device *usb, struct device *device)
{
	struct libusb_config_descriptor *config;
	uint8_t expected;
	int r;

	r = error_of((enum libusb_error)libusb_get_active_config_descriptor(usb, &config));
	if (r < 0)
		return r;
	device->interface = config->bNumInterfaces == 1 ? 0 : 1;
	expected = config->bNumInterfaces == 1 ? 1 : 3;
	r = -EPROTO;
	if (config->bNumInterfaces >= 1 && config->bNumInterfaces <= 2 &&
		config->interface[device->interface].num_altsetting > 0)
		r = find_bulk_out(
			&config->interface[device->interface].altsetting[0], &device->endpoint);
	libusb_free_config_descriptor(config);
	if (r == 0 && device->endpoint != expected) {
		cm4_log(LOG_WARNING, "odd descriptors: bulk OUT endpoint %u, expected %u",
			device->endpoint, expected);
		r = -EPROTO;
	}
	return r;
}

static int claim(libusb_device *usb, struct device *device)
{
	int r = find_interface(usb, device);

	if (r < 0)
		return r;
	r = error_of((enum libusb_error)libusb_open(usb, &device->handle));
	if (r < 0)
		return r;
	/* A kernel driver that sits on the boot interface is put off; on hosts without that, claim tells. */
	libusb_set_auto_detach_kernel_driver(device->handle, 1);
	r = error_of((enum libusb_error)libusb_claim_interface(device->handle, device->interface));
	if (r < 0)
		libusb_close(device->handle);
	return r;
}

int linux_usb_open(struct linux_usb *usb, const char *port, struct usb_device **ret_device)
{
	libusb_device *found = get_port(usb, port);
	struct device *device;
	int r;

	if (!found)
		return -ENODEV;
	device = calloc(1, sizeof(*device));
	r = device ? claim(found, device) : -ENOMEM;
	libusb_unref_device(found);
	if (r < 0) {
		free(device);
		return r;
	}
	device->base.ops = &device_ops;
	pthread_mutex_init(&device->lock, NULL);
	cond_init(&device->ended);
	*ret_device = &device->base;
	return 0;
}
