#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/inspect.h"
#include "sim/sim.h"
#include "stage.h"

/*
 * vm-modules SPEC [SHAPE]: simulated modules on the kernel's own USB bus. Module N sits on port N - 1 of
 * vhci-hcd through all its life. Its ROM and second stage are served here; its mass storage is the kernel's
 * gadget, which whoever reads standard output has to attach to that port:
 *
 *	boot N			a boot stage is on the bus
 *	disk N VENDOR PRODUCT SERIAL	the module has become a mass-storage device
 *	left N			it has gone from the bus, whatever it was
 *
 * Standard input takes `unplug N` and `plug N`; its end ends everything.
 */

struct event {
	bool came;
	struct usb_identity identity; /* gone: its port alone */
};

struct modules {
	struct backend *sim;
	enum descriptors_shape shape;
	unsigned count;
	struct stage **stages; /* the boot stage each one is in; NULL: none */
	int events[2];	       /* a pipe from the sim's thread; an event is less than PIPE_BUF */
};

static void on_attached(void *data, const struct usb_identity *identity)
{
	struct modules *modules = data;
	struct event event = {true, *identity};

	if (write(modules->events[1], &event, sizeof(event)) < 0)
		perror("events");
}

static void on_detached(void *data, const char *port)
{
	struct modules *modules = data;
	struct event event = {.came = false};

	snprintf(event.identity.port, sizeof(event.identity.port), "%s", port);
	if (write(modules->events[1], &event, sizeof(event)) < 0)
		perror("events");
}

/* Its disks are the gadget's business. */
static void on_disk(void *data, const struct block_identity *identity)
{
}

static void on_disk_left(void *data, const char *port, const char *name)
{
}

static unsigned number_of(struct modules *modules, const char *port)
{
	unsigned number = 1;

	while (number < modules->count && strcmp(sim_inspect_port(modules->sim, number), port) != 0)
		number++;
	return number;
}

static void come(struct modules *modules, unsigned number, const struct usb_identity *identity)
{
	int r;

	if (identity->product == 0x0104 || identity->product == 0x0001) {
		printf("disk %u %04x %04x %s\n", number, identity->vendor, identity->product,
			identity->serial);
		return;
	}
	r = stage_new(
		modules->sim, identity, modules->shape, number - 1, &modules->stages[number - 1]);
	if (r == 0)
		printf("boot %u\n", number);
	else if (r != -ENODEV)
		fprintf(stderr, "module %u: %s\n", number, strerror(-r));
}

static void handle(struct modules *modules, const struct event *event)
{
	unsigned number = number_of(modules, event->identity.port);

	if (event->came) {
		come(modules, number, &event->identity);
		return;
	}
	stage_free(modules->stages[number - 1]);
	modules->stages[number - 1] = NULL;
	printf("left %u\n", number);
}

/* False at the end. */
static bool obey(struct modules *modules)
{
	char line[64];
	unsigned number;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (sscanf(line, "unplug %u", &number) == 1)
		sim_inspect_unplug(modules->sim, number);
	else if (sscanf(line, "plug %u", &number) == 1)
		sim_inspect_plug(modules->sim, number);
	else
		fprintf(stderr, "not understood: %s", line);
	return true;
}

static void run(struct modules *modules)
{
	struct pollfd fds[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = modules->events[0], .events = POLLIN},
	};
	struct event event;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents && read(fds[1].fd, &event, sizeof(event)) == sizeof(event))
			handle(modules, &event);
		if (fds[0].revents && !obey(modules))
			return;
	}
}

static int start(struct modules *modules, const char *text)
{
	struct backend_listener listener = {
		on_attached, on_detached, on_disk, on_disk_left, modules};
	struct sim_spec *spec;
	char message[256];

	if (sim_spec_parse(text, &spec, message, sizeof(message)) < 0 ||
		sim_backend_new(spec, &modules->sim, message, sizeof(message)) < 0) {
		fprintf(stderr, "%s\n", message);
		return -EINVAL;
	}
	modules->count = sim_inspect_count(modules->sim);
	modules->stages = calloc(modules->count, sizeof(struct stage *));
	if (!modules->stages || pipe(modules->events) < 0)
		return -ENOMEM;
	return modules->sim->ops->start(modules->sim, &listener);
}

static void finish(struct modules *modules)
{
	modules->sim->ops->stop(modules->sim);
	for (unsigned i = 0; i < modules->count; i++)
		stage_free(modules->stages[i]);
	modules->sim->ops->free(modules->sim);
	free(modules->stages);
}

int main(int argc, char **argv)
{
	struct modules modules = {.shape = DESCRIPTORS_TRUE};

	if (argc < 2 || argc > 3 ||
		(argc == 3 && descriptors_shape_parse(argv[2], &modules.shape) < 0)) {
		fprintf(stderr, "usage: vm-modules SPEC [SHAPE]\n");
		return 2;
	}
	/* Commands come a line at a time, and poll must not miss what stdio holds already. */
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (start(&modules, argv[1]) < 0)
		return 1;
	run(&modules);
	finish(&modules);
	return 0;
}
