#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "linux/linux.h"
#include "seam/backend.h"

/*
 * vm-seam console PORT COMMAND: what the shell behind a module's console says to COMMAND, by the console seam.
 * vm-seam usb PORT: opens the boot device there, and closes it. What failed is named on standard output.
 */

#define SILENCE_MS 1500
#define WRITE_MS   5000

/* All that comes until nothing more does. */
static int listen(struct console *console)
{
	char buffer[4096];
	ssize_t n;

	while ((n = console->ops->read(console, buffer, sizeof(buffer), SILENCE_MS)) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	return n == -ETIMEDOUT ? 0 : (int)n;
}

static int say(struct console *console, const char *text)
{
	ssize_t n = 0;

	for (size_t left = strlen(text); left && n >= 0; text += n, left -= (size_t)n) {
		n = console->ops->write(console, text, left, WRITE_MS);
		if (n < 0)
			break;
	}
	return n < 0 ? (int)n : 0;
}

static int try_console(struct backend *backend, const char *port, const char *command)
{
	struct console *console;
	int r = backend->ops->open_console(backend, port, &console);

	if (r < 0)
		return r;
	/* The line's own echo may have answered the shell's greeting before it was off: that is a line of its own. */
	r = say(console, "\n");
	if (r == 0)
		r = say(console, command);
	if (r == 0)
		r = say(console, "\n");
	if (r == 0)
		r = listen(console);
	console->ops->close(console);
	return r;
}

static int try_usb(struct backend *backend, const char *port)
{
	struct usb_device *device;
	int r = backend->ops->open_usb(backend, port, &device);

	if (r == 0)
		device->ops->close(device);
	return r;
}

static void on_usb(void *data, const struct usb_identity *identity)
{
}

static void on_usb_left(void *data, const char *port)
{
}

static void on_disk(void *data, const struct block_identity *identity)
{
}

static void on_disk_left(void *data, const char *port, const char *name)
{
}

int main(int argc, char **argv)
{
	struct backend_listener listener = {on_usb, on_usb_left, on_disk, on_disk_left, NULL};
	struct backend *backend;
	int r;

	if (argc < 3 || linux_backend_new(&backend) < 0)
		return 2;
	r = backend->ops->start(backend, &listener);
	if (r == 0) {
		r = argc > 3 ? try_console(backend, argv[2], argv[3]) : try_usb(backend, argv[2]);
		backend->ops->stop(backend);
	}
	backend->ops->free(backend);
	printf("%s\n", r < 0 ? strerrorname_np(-r) : "good");
	return r < 0;
}
