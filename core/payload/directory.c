#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cm4fs/log.h>

#include "boot/chip.h"
#include "payload/bootfiles.h"
#include "payload/confine.h"
#include "payload/directory.h"
#include "payload/layout.h"
#include "payload/linktext.h"
#include "payload/source.h"
#include "util/cleanup.h"

/*
 * A directory in rpiboot's layout.
 *
 * Nothing that a module can name is opened outside of it. Four names, though, are our own words:
 * bootfiles.bin and the chips' second stages. In a checkout of usbboot these are links into the
 * directory beside (mass-storage-gadget64/bootfiles.bin -> ../firmware/bootfiles.bin), so for them
 * the fence stands one directory further out.
 */
#define BOOTFILES_NAME "bootfiles.bin"

struct directory {
	struct payload payload;
	char *path; /* as given: the label */
	int fd;
	int parent_fd;
	char *name_in_parent;	     /* NULL for the root, which has no outside */
	struct bootfiles *bootfiles; /* NULL without bootfiles.bin */
};

static bool may_be_linked(const char *name)
{
	return strcmp(name, BOOTFILES_NAME) == 0 || payload_is_second_stage(name);
}

static int open_from_parent(const struct directory *directory, const char *path, int *ret_fd)
{
	_cleanup_free_ char *outer = NULL;

	if (!directory->name_in_parent)
		return -EXDEV;
	if (asprintf(&outer, "%s/%s", directory->name_in_parent, path) < 0) {
		outer = NULL;
		return -ENOMEM;
	}
	return confine_open(directory->parent_fd, outer, ret_fd);
}

static int open_file(const struct directory *directory, const char *path, const char *name,
	struct payload_file **ret_file)
{
	int fd, r;

	r = confine_open(directory->fd, path, &fd);
	if (r == -EXDEV && may_be_linked(name))
		r = open_from_parent(directory, path, &fd);
	if (r == -EXDEV)
		cm4_log(LOG_WARNING, "%s/%s is a link that leads out of the boot files",
			directory->path, path);
	if (r < 0)
		return r;
	return payload_file_new(fd, ret_file);
}

static int find_member(const struct directory *directory, const struct boot_chip *chip,
	const char *name, struct payload_file **ret_file)
{
	const void *data;
	size_t size;

	if (!bootfiles_find(directory->bootfiles, chip->prefix, name, &data, &size))
		return -ENOENT;
	return payload_file_new_memory(data, size, ret_file);
}

/*
 * bootfiles.bin goes before all but DIR/CHIP/NAME, which is there to override it. What is no member
 * of it, such as config.txt and boot.img, is looked for as if it were not there.
 */
static int find_bundled(const struct directory *directory, const struct boot_chip *chip,
	const char *name, struct payload_file **ret_file)
{
	struct layout layout;
	int r = -ENOENT;

	if (!directory->bootfiles)
		return -ENOENT;
	layout_fill(&layout, chip, NULL, name);
	if (layout.n > 0)
		r = open_file(directory, layout.paths[0], name, ret_file);
	if (r == -ENOENT)
		r = find_member(directory, chip, name, ret_file);
	return r;
}

static int directory_find(struct payload *payload, const struct boot_chip *chip, const char *port,
	const char *name, struct payload_file **ret_file)
{
	const struct directory *directory = (const struct directory *)payload;
	struct layout layout;
	int r;

	r = find_bundled(directory, chip, name, ret_file);
	if (r != -ENOENT)
		return r;

	layout_fill(&layout, chip, port, name);
	for (size_t i = 0; i < layout.n && r == -ENOENT; i++)
		r = open_file(directory, layout.paths[i], name, ret_file);
	return r;
}

static void directory_free(struct payload *payload)
{
	struct directory *directory = (struct directory *)payload;

	bootfiles_free(directory->bootfiles);
	if (directory->fd >= 0)
		close(directory->fd);
	if (directory->parent_fd >= 0)
		close(directory->parent_fd);
	free(directory->name_in_parent);
	free(directory->path);
	free(directory);
}

static const struct payload_ops directory_ops = {
	.find = directory_find,
	.free = directory_free,
};

static void cleanup_directory(struct directory **directory)
{
	if (*directory)
		directory_free(&(*directory)->payload);
}

static void cleanup_file(struct payload_file **file)
{
	payload_file_close(*file);
}

static int cannot_open(const char *path, int error, char *message, size_t size)
{
	snprintf(message, size, "%s: %s", path, strerror(error));
	return -error;
}

static int open_folders(struct directory *directory, char *message, size_t size)
{
	_cleanup_free_ char *real = NULL;
	const char *name;

	directory->fd = open(directory->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory->fd < 0)
		return cannot_open(directory->path, errno, message, size);

	directory->parent_fd = openat(directory->fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory->parent_fd < 0)
		return cannot_open(directory->path, errno, message, size);

	real = realpath(directory->path, NULL);
	if (!real)
		return cannot_open(directory->path, errno, message, size);
	name = strrchr(real, '/') + 1;
	if (*name == '\0')
		return 0;
	directory->name_in_parent = strdup(name);
	return directory->name_in_parent ? 0 : -ENOMEM;
}

static int load_bootfiles(struct directory *directory, char *message, size_t size)
{
	_cleanup_(cleanup_file) struct payload_file *file = NULL;
	char text[128], reason[128];
	int r;

	r = open_file(directory, BOOTFILES_NAME, BOOTFILES_NAME, &file);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		snprintf(message, size, "%s/" BOOTFILES_NAME ": %s", directory->path, strerror(-r));
		return r == -EXDEV ? -EACCES : r;
	}
	if (linktext_detect(file, text, sizeof(text))) {
		linktext_explain(BOOTFILES_NAME, directory->path, text, message, size);
		return -EBADMSG;
	}

	r = bootfiles_load(file, &directory->bootfiles, reason, sizeof(reason));
	if (r < 0)
		snprintf(message, size, "%s/" BOOTFILES_NAME " is no sound tar: %s",
			directory->path, r == -EBADMSG ? reason : strerror(-r));
	return r;
}

int directory_new(const char *path, struct payload **ret_payload, char *message, size_t size)
{
	_cleanup_(cleanup_directory) struct directory *directory = calloc(1, sizeof(*directory));
	int r;

	*message = '\0';
	if (!directory)
		return -ENOMEM;
	directory->fd = directory->parent_fd = -1;
	directory->payload.ops = &directory_ops;
	directory->path = strdup(path);
	if (!directory->path)
		return -ENOMEM;
	directory->payload.label = directory->path;

	r = open_folders(directory, message, size);
	if (r < 0)
		return r;
	r = load_bootfiles(directory, message, size);
	if (r < 0)
		return r;

	*ret_payload = &directory->payload;
	directory = NULL;
	return 0;
}
