#include <errno.h>
#include <fcntl.h>
#include <libudev.h>
#include <linux/serial.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cm4fs/module.h>

#include "linux/tty.h"
#include "util/cleanup.h"

#define NODE_MAX 256

#define CLOSING_WAIT_CS 100 /* as the kernel counts: in hundredths of a second */

struct tty {
	struct console base;
	int fd;
	int aborted; /* an eventfd: readable once abort was called */
};

static bool hangs_on(struct udev_device *device, const char *port)
{
	/* The parent belongs to the child. */
	struct udev_device *usb =
		udev_device_get_parent_with_subsystem_devtype(device, "usb", "usb_device");

	return usb && strcmp(udev_device_get_sysname(usb), port) == 0;
}

static bool find_node(struct udev *udev, const char *port, char ret_node[NODE_MAX])
{
	struct udev_enumerate *enumerate = udev_enumerate_new(udev);
	struct udev_list_entry *entry;
	bool found = false;

	if (!enumerate)
		return false;
	udev_enumerate_add_match_subsystem(enumerate, "tty");
	udev_enumerate_add_match_sysname(enumerate, "ttyACM*");
	udev_enumerate_scan_devices(enumerate);
	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(enumerate))
	{
		struct udev_device *device =
			udev_device_new_from_syspath(udev, udev_list_entry_get_name(entry));
		const char *node = device ? udev_device_get_devnode(device) : NULL;

		if (node && !found && hangs_on(device, port)) {
			snprintf(ret_node, NODE_MAX, "%s", node);
			found = true;
		}
		udev_device_unref(device);
	}
	udev_enumerate_unref(enumerate);
	return found;
}

static int wait_for(struct tty *tty, short events, unsigned timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = tty->fd, .events = events},
		{.fd = tty->aborted, .events = POLLIN},
	};
	int r = poll(fds, 2, (int)timeout_ms);

	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	if (r == 0)
		return -ETIMEDOUT;
	if (fds[1].revents)
		return -ECANCELED;
	return (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) ? -ENODEV : 1;
}

static ssize_t tty_read(struct console *base, void *buffer, size_t size, unsigned timeout_ms)
{
	struct tty *tty = (struct tty *)base;
	ssize_t n;
	int r;

	do {
		r = wait_for(tty, POLLIN, timeout_ms);
		if (r < 0)
			return r;
		n = read(tty->fd, buffer, size);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n == 0)
		return -ENODEV;
	return n < 0 ? -errno : n;
}

static ssize_t tty_write(struct console *base, const void *buffer, size_t size, unsigned timeout_ms)
{
	struct tty *tty = (struct tty *)base;
	ssize_t n;
	int r;

	do {
		r = wait_for(tty, POLLOUT, timeout_ms);
		if (r < 0)
			return r;
		n = write(tty->fd, buffer, size);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	return n < 0 ? -errno : n;
}

static void tty_abort(struct console *base)
{
	eventfd_write(((struct tty *)base)->aborted, 1);
}

static void tty_close(struct console *base)
{
	struct tty *tty = (struct tty *)base;

	tcflush(tty->fd, TCIOFLUSH);
	close(tty->fd);
	close(tty->aborted);
	free(tty);
}

static const struct console_ops tty_ops = {
	.read = tty_read,
	.write = tty_write,
	.abort = tty_abort,
	.close = tty_close,
};

/* TIOCEXCL keeps others out from now on; ModemManager and a person's terminal program would garble the dialogue. */
static int make_raw(int fd)
{
	struct termios termios;

	if (ioctl(fd, TIOCEXCL) < 0 || tcgetattr(fd, &termios) < 0)
		return -errno;
	cfmakeraw(&termios);
	termios.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&termios, B115200);
	return tcsetattr(fd, TCSANOW, &termios) < 0 ? -errno : 0;
}

/*
 * Where nobody at the other end takes what was said, close() waits for that, 30 s as the kernel has it; all the while
 * the flash waits, too. No wait at all would lose what was said last. It fails harmlessly for a user without the right.
 */
static void shorten_close(int fd)
{
	struct serial_struct serial;

	if (ioctl(fd, TIOCGSERIAL, &serial) < 0)
		return;
	serial.closing_wait = CLOSING_WAIT_CS;
	ioctl(fd, TIOCSSERIAL, &serial);
}

static int open_node(const char *node, struct console **ret_console)
{
	_cleanup_close_ int fd = open(node, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int aborted = eventfd(0, EFD_CLOEXEC);
	struct tty *tty;
	int r;

	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	if (aborted < 0)
		return -errno;
	r = make_raw(fd);
	if (r < 0)
		return r;
	shorten_close(fd);
	tty = calloc(1, sizeof(*tty));
	if (!tty)
		return -ENOMEM;
	*tty = (struct tty){.base.ops = &tty_ops, .fd = fd, .aborted = aborted};
	fd = aborted = -1;
	*ret_console = &tty->base;
	return 0;
}

int linux_tty_open(const char *port, struct console **ret_console)
{
	struct udev *udev = udev_new();
	char node[NODE_MAX];
	bool found;

	if (!udev)
		return -ENOMEM;
	found = find_node(udev, port, node);
	udev_unref(udev);
	return found ? open_node(node, ret_console) : -ENXIO;
}
