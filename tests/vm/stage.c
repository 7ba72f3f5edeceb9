#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stage.h"
#include "usbip.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define ATTACH	       "/sys/devices/platform/vhci_hcd.0/attach"
#define ATTACH_WAIT_MS 10000
#define ATTACH_STEP_MS 10

enum { GET_DESCRIPTOR = 6, GET_STATUS = 0, TYPE_MASK = 0x60, TYPE_VENDOR = 0x40 };

struct stage {
	struct backend *sim;
	struct usb_identity identity;
	enum descriptors_shape shape;
	struct usbip *usbip;

	pthread_mutex_t lock; /* guards the following; taken inside usbip's */
	struct usb_device *device;
	bool aborted; /* device was */
};

/* NULL: not wanted any more, or not there. The model's device stays aborted once it was: others have a new one. */
static struct usb_device *begin(struct stage *stage, const struct usbip_transfer *transfer)
{
	struct usb_device *fresh;
	LOCKED(&stage->lock);

	if (transfer->cancelled)
		return NULL;
	if (stage->aborted) {
		if (stage->sim->ops->open_usb(stage->sim, stage->identity.port, &fresh) < 0)
			return NULL;
		stage->device->ops->close(stage->device);
		stage->device = fresh;
		stage->aborted = false;
	}
	return stage->device;
}

static void cancel(void *data, struct usbip_transfer *transfer)
{
	struct stage *stage = data;
	LOCKED(&stage->lock);

	transfer->cancelled = true;
	stage->aborted = true;
	stage->device->ops->abort(stage->device);
}

static ssize_t standard_request(struct stage *stage, struct usbip_transfer *transfer)
{
	uint16_t value = (uint16_t)(transfer->setup[2] | transfer->setup[3] << 8);

	if (!transfer->in)
		return 0; /* SET_CONFIGURATION and the like: there is nothing to choose */
	if (transfer->setup[1] == GET_DESCRIPTOR)
		return descriptors_get(
			&stage->identity, stage->shape, value, transfer->data, transfer->size);
	if (transfer->setup[1] == GET_STATUS && transfer->size == 2) {
		*(uint16_t *)transfer->data = 0;
		return 2;
	}
	return -EPIPE;
}

/* Which endpoint the boot interface takes its bytes at. */
static uint8_t bulk_out(const struct stage *stage)
{
	return stage->shape == DESCRIPTORS_TWO_INTERFACES ? 3 : 1;
}

/* The host's own clock ends what takes too long, by unlinking it: no limit here. */
static ssize_t submit(void *data, struct usbip_transfer *transfer)
{
	struct stage *stage = data;
	const uint8_t *setup = transfer->setup;
	uint16_t value = (uint16_t)(setup[2] | setup[3] << 8);
	uint16_t index = (uint16_t)(setup[4] | setup[5] << 8);
	struct usb_device *device;

	if (transfer->endpoint == 0 && (setup[0] & TYPE_MASK) != TYPE_VENDOR)
		return standard_request(stage, transfer);
	device = begin(stage, transfer);
	if (!device)
		return -ENODEV;
	if (transfer->endpoint == 0 && transfer->in)
		return device->ops->control_in(
			device, value, index, transfer->data, transfer->size, 0);
	if (transfer->endpoint == 0)
		return device->ops->control_out(device, value, index, 0);
	if (transfer->endpoint == bulk_out(stage) && !transfer->in)
		return device->ops->bulk_out(device, transfer->data, transfer->size, 0);
	return -EPIPE;
}

/* A port takes some time to be free again after a device has left it. */
static int attach(int fd, unsigned vhci, const struct usb_identity *identity)
{
	uint64_t deadline = clock_ns() + ATTACH_WAIT_MS * NS_PER_MS;
	_cleanup_close_ int file = open(ATTACH, O_WRONLY | O_CLOEXEC);

	if (file < 0)
		return -errno;
	while (dprintf(file, "%u %d %u %u", vhci, fd, vhci + 1, identity->link_mbps <= 12 ? 2 : 3) <
		0) {
		if (errno != EBUSY || clock_ns() > deadline)
			return -errno;
		usleep(ATTACH_STEP_MS * 1000);
	}
	return 0;
}

static int serve(struct stage *stage, unsigned vhci)
{
	struct usbip_function function = {submit, cancel, stage};
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	r = usbip_new(fds[0], &function, &stage->usbip);
	if (r < 0)
		close(fds[0]);
	else
		r = attach(fds[1], vhci, &stage->identity);
	/* The kernel has its own hold on it. */
	close(fds[1]);
	return r;
}

int stage_new(struct backend *sim, const struct usb_identity *identity,
	enum descriptors_shape shape, unsigned vhci, struct stage **ret_stage)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	int r;

	if (!stage)
		return -ENOMEM;
	stage->sim = sim;
	stage->identity = *identity;
	stage->shape = shape;
	pthread_mutex_init(&stage->lock, NULL);
	r = sim->ops->open_usb(sim, identity->port, &stage->device);
	if (r == 0)
		r = serve(stage, vhci);
	if (r < 0) {
		stage_free(stage);
		return r;
	}
	*ret_stage = stage;
	return 0;
}

void stage_free(struct stage *stage)
{
	if (!stage)
		return;
	usbip_free(stage->usbip);
	if (stage->device)
		stage->device->ops->close(stage->device);
	pthread_mutex_destroy(&stage->lock);
	free(stage);
}
