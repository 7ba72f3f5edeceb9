#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libudev.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cm4fs/log.h>

#include "linux/block.h"
#include "linux/disk.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define REQUEST_SECTORS "2048" /* 1 MiB, an image's chunk */

struct disk {
	struct block_identity identity;
	dev_t number;
	char *syspath;
	TAILQ_ENTRY(disk) link;
};

struct linux_disks {
	struct udev *udev;
	struct udev_monitor *monitor;
	struct linux_disks_sink sink; /* fixed */

	pthread_mutex_t lock; /* guards the list */
	pthread_cond_t left;  /* a disk came off it */
	TAILQ_HEAD(, disk) disks;
};

static void cleanup_device(struct udev_device **device)
{
	udev_device_unref(*device);
}

static void cleanup_udev(struct udev **udev)
{
	udev_unref(*udev);
}

#define _cleanup_device_ _cleanup_(cleanup_device)
#define _cleanup_udev_	 _cleanup_(cleanup_udev)

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* Whether the USB device is one that exports modules' disks (PROTOCOL, "Identity, stage by stage"). */
static bool exports_modules_disks(struct udev_device *usb)
{
	const char *vendor = or_empty(udev_device_get_sysattr_value(usb, "idVendor"));
	const char *product = or_empty(udev_device_get_sysattr_value(usb, "idProduct"));

	return strcmp(vendor, "0a5c") == 0 &&
	       (strcmp(product, "0001") == 0 || strcmp(product, "0104") == 0);
}

/*
 * The module's own name for a disk stands in the INQUIRY vendor field, padded with blanks. The VPU's firmware
 * says RPi-MSD- for the one disk it has, the eMMC or card. What is no name of a disk is no disk of ours.
 */
static bool name_of(struct udev_device *scsi, char ret_name[CM4_DISK_MAX])
{
	const char *vendor = or_empty(udev_device_get_sysattr_value(scsi, "vendor"));
	size_t length = 0;

	if (strncmp(vendor, "RPi-MSD-", 8) == 0) {
		snprintf(ret_name, CM4_DISK_MAX, "mmcblk0");
		return true;
	}
	while (isalnum((unsigned char)vendor[length]) && length < CM4_DISK_MAX - 1)
		length++;
	if (length == 0 || (vendor[length] && vendor[length] != ' '))
		return false;
	snprintf(ret_name, CM4_DISK_MAX, "%.*s", (int)length, vendor);
	return true;
}

/* What @device is to us; false for a disk that is not a module's. */
static bool identify(struct udev_device *device, struct block_identity *ret)
{
	struct udev_device *usb, *scsi;
	const char *size;

	/* Parents belong to the child. */
	usb = udev_device_get_parent_with_subsystem_devtype(device, "usb", "usb_device");
	scsi = udev_device_get_parent_with_subsystem_devtype(device, "scsi", "scsi_device");
	if (!usb || !scsi || !exports_modules_disks(usb) || !name_of(scsi, ret->name))
		return false;
	if (strlen(udev_device_get_sysname(usb)) >= sizeof(ret->port))
		return false;
	snprintf(ret->port, sizeof(ret->port), "%s", udev_device_get_sysname(usb));
	size = udev_device_get_sysattr_value(device, "size");
	ret->bytes = size ? strtoull(size, NULL, 10) * BLOCK_SECTOR : 0;
	return true;
}

static void free_disk(struct disk *disk)
{
	free(disk->syspath);
	free(disk);
}

/* Lock held. */
static struct disk *find_syspath(struct linux_disks *disks, const char *syspath)
{
	struct disk *disk;

	TAILQ_FOREACH (disk, &disks->disks, link)
		if (strcmp(disk->syspath, syspath) == 0)
			return disk;
	return NULL;
}

/* Lock held. */
static struct disk *find_disk(struct linux_disks *disks, const char *port, const char *name)
{
	struct disk *disk;

	TAILQ_FOREACH (disk, &disks->disks, link)
		if (strcmp(disk->identity.port, port) == 0 &&
			strcmp(disk->identity.name, name) == 0)
			return disk;
	return NULL;
}

/* False where nothing is new. */
static bool note(struct linux_disks *disks, struct udev_device *device,
	const struct block_identity *identity)
{
	LOCKED(&disks->lock);
	const char *syspath = udev_device_get_syspath(device);
	struct disk *disk = find_syspath(disks, syspath);

	if (disk) {
		if (disk->identity.bytes == identity->bytes)
			return false;
		disk->identity.bytes = identity->bytes;
		return true;
	}
	/* Two disks of one name on one port: the first one stays, the other is not to be trusted. */
	if (find_disk(disks, identity->port, identity->name))
		return false;
	disk = calloc(1, sizeof(*disk));
	if (!disk)
		return false;
	disk->syspath = strdup(syspath);
	if (!disk->syspath) {
		free(disk);
		return false;
	}
	disk->identity = *identity;
	disk->number = udev_device_get_devnum(device);
	TAILQ_INSERT_TAIL(&disks->disks, disk, link);
	return true;
}

static bool forget(
	struct linux_disks *disks, struct udev_device *device, struct block_identity *ret_identity)
{
	LOCKED(&disks->lock);
	struct disk *disk = find_syspath(disks, udev_device_get_syspath(device));

	if (!disk)
		return false;
	*ret_identity = disk->identity;
	TAILQ_REMOVE(&disks->disks, disk, link);
	free_disk(disk);
	pthread_cond_broadcast(&disks->left);
	return true;
}

static void take(struct linux_disks *disks, struct udev_device *device)
{
	struct block_identity identity;

	if (identify(device, &identity) && note(disks, device, &identity))
		disks->sink.attached(disks->sink.data, &identity);
}

int linux_disks_fd(struct linux_disks *disks)
{
	return udev_monitor_get_fd(disks->monitor);
}

void linux_disks_dispatch(struct linux_disks *disks)
{
	_cleanup_device_ struct udev_device *device = udev_monitor_receive_device(disks->monitor);
	struct block_identity identity;
	const char *action;

	if (!device)
		return;
	action = or_empty(udev_device_get_action(device));
	if (strcmp(action, "remove") != 0)
		take(disks, device);
	else if (forget(disks, device, &identity))
		disks->sink.detached(disks->sink.data, identity.port, identity.name);
}

int linux_disks_enumerate(struct linux_disks *disks)
{
	struct udev_enumerate *enumerate = udev_enumerate_new(disks->udev);
	struct udev_list_entry *entry;
	int r;

	if (!enumerate)
		return -ENOMEM;
	udev_enumerate_add_match_subsystem(enumerate, "block");
	udev_enumerate_add_match_property(enumerate, "DEVTYPE", "disk");
	r = udev_enumerate_scan_devices(enumerate);
	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(enumerate))
	{
		_cleanup_device_ struct udev_device *device =
			udev_device_new_from_syspath(disks->udev, udev_list_entry_get_name(entry));

		if (device)
			take(disks, device);
	}
	udev_enumerate_unref(enumerate);
	return r < 0 ? -EIO : 0;
}

void linux_usb_serial(const char *port, char *ret_serial, size_t size)
{
	_cleanup_udev_ struct udev *udev = udev_new();
	_cleanup_device_ struct udev_device *device =
		udev ? udev_device_new_from_subsystem_sysname(udev, "usb", port) : NULL;

	snprintf(ret_serial, size, "%s",
		device ? or_empty(udev_device_get_sysattr_value(device, "serial")) : "");
}

/*
 * udev's own events come when its rules have run, and with them the rights of the node; without a udevd, as in a
 * container or a rescue system, the kernel's must do.
 */
static const char *event_source(void)
{
	return access("/run/udev/control", F_OK) == 0 ? "udev" : "kernel";
}

int linux_disks_new(const struct linux_disks_sink *sink, struct linux_disks **ret_disks)
{
	struct linux_disks *disks = calloc(1, sizeof(*disks));

	if (!disks)
		return -ENOMEM;
	disks->sink = *sink;
	TAILQ_INIT(&disks->disks);
	pthread_mutex_init(&disks->lock, NULL);
	cond_init(&disks->left);

	disks->udev = udev_new();
	if (disks->udev)
		disks->monitor = udev_monitor_new_from_netlink(disks->udev, event_source());
	if (!disks->monitor ||
		udev_monitor_filter_add_match_subsystem_devtype(disks->monitor, "block", "disk") <
			0 ||
		udev_monitor_enable_receiving(disks->monitor) < 0) {
		linux_disks_free(disks);
		return -EIO;
	}
	*ret_disks = disks;
	return 0;
}

void linux_disks_free(struct linux_disks *disks)
{
	struct disk *disk;

	if (!disks)
		return;
	while ((disk = TAILQ_FIRST(&disks->disks))) {
		TAILQ_REMOVE(&disks->disks, disk, link);
		free_disk(disk);
	}
	udev_monitor_unref(disks->monitor);
	udev_unref(disks->udev);
	pthread_cond_destroy(&disks->left);
	pthread_mutex_destroy(&disks->lock);
	free(disks);
}

/*
 * Requests larger than the default reach the gadget in fewer pieces; raspberrypi-sys-mods PR#114 gained 12 % by
 * it. Where sysfs may not be written, the default serves.
 */
static void raise_limits(const char *syspath)
{
	/* Its own context: libudev's are for one thread. */
	_cleanup_udev_ struct udev *udev = udev_new();
	_cleanup_device_ struct udev_device *device =
		udev ? udev_device_new_from_syspath(udev, syspath) : NULL;
	const char *now, *most;
	char wanted[] = REQUEST_SECTORS, copy[32];

	/* The SCSI device's limit, 120 KiB for usb-storage at high speed, stands above that of its queue. */
	now = device ? udev_device_get_sysattr_value(device, "device/max_sectors") : NULL;
	if (now && strtoul(now, NULL, 10) < strtoul(REQUEST_SECTORS, NULL, 10))
		udev_device_set_sysattr_value(device, "device/max_sectors", wanted);
	most = device ? udev_device_get_sysattr_value(device, "queue/max_hw_sectors_kb") : NULL;
	if (!most)
		return;
	snprintf(copy, sizeof(copy), "%s", most);
	if (udev_device_set_sysattr_value(device, "queue/max_sectors_kb", copy) < 0)
		cm4_log(LOG_DEBUG, "%s: request size not raised", syspath);
}

static bool find(struct linux_disks *disks, const char *port, const char *name, struct disk *ret)
{
	LOCKED(&disks->lock);
	struct disk *disk = find_disk(disks, port, name);

	if (!disk)
		return false;
	*ret = *disk;
	ret->syspath = strdup(disk->syspath);
	return true;
}

static bool is_gone(void *data, dev_t number, unsigned wait_ms)
{
	struct linux_disks *disks = data;
	uint64_t deadline = clock_ns() + wait_ms * NS_PER_MS;
	struct disk *disk;
	int r = 0;

	LOCKED(&disks->lock);
	for (;;) {
		TAILQ_FOREACH (disk, &disks->disks, link)
			if (disk->number == number)
				break;
		if (!disk || r != 0)
			return !disk;
		r = cond_wait_until(&disks->left, &disks->lock, deadline);
	}
}

int linux_disk_open(struct linux_disks *disks, const char *port, const char *name, bool writable,
	struct block **ret_block)
{
	_cleanup_free_ char *syspath = NULL;
	_cleanup_free_ char *errors = NULL;
	struct linux_block_watch watch = {.is_gone = is_gone, .data = disks};
	struct disk disk;
	char path[64];
	int r;

	if (!find(disks, port, name, &disk))
		return -ENXIO;
	syspath = disk.syspath;
	if (!syspath)
		return -ENOMEM;
	if (disk.identity.bytes == 0)
		return -ENOMEDIUM;
	if (asprintf(&errors, "%s/device/ioerr_cnt", syspath) < 0) {
		errors = NULL;
		return -ENOMEM;
	}
	watch.number = disk.number;
	watch.errors_fd = open(errors, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/dev/%s", strrchr(syspath, '/') + 1);
	r = linux_block_open(path, writable, &watch, ret_block);
	if (r == 0)
		raise_limits(syspath);
	return r;
}
