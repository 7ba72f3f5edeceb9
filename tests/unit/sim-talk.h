#pragma once

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "sim-host.h"

/* A host that serves files of its own to a module, and keeps what the module said. */

#define QUICK	 "emmc=4M:boot=0:link=0"
#define EEPROM_4 (512u << 10)
#define EEPROM_5 (2048u << 10)

struct file {
	const char *name;
	const void *data;
	size_t size;
};

/* A second stage of no use but for the text in it, which lies across two transfers. */
static inline const char *stage_with(const char *text)
{
	static char stage[20000];

	memset(stage, 0x5a, sizeof(stage));
	memcpy(stage + 16384 - 4, text, strlen(text));
	return stage;
}

#define STAGE_SIZE 20000

static inline unsigned char *image_of(size_t size)
{
	unsigned char *image = malloc(size);

	assert_non_null(image);
	for (size_t i = 0; i < size; i++)
		image[i] = (unsigned char)(i * 2654435761u >> 13);
	return image;
}

static inline void digest_of(const void *data, size_t size, char digest[65])
{
	unsigned char raw[32];

	assert_true(EVP_Digest(data, size, raw, NULL, EVP_sha256(), NULL));
	for (int i = 0; i < 32; i++)
		sprintf(digest + 2 * i, "%02x", raw[i]);
}

/* The EEPROM's files, complete and sound. */
struct set {
	struct file files[4]; /* ends with a NULL name */
	unsigned char *image;
	char digest[65], signature[128];
};

static inline void set_make(struct set *set, size_t size, const char *config)
{
	*set = (struct set){.image = image_of(size)};
	digest_of(set->image, size, set->digest);
	snprintf(set->signature, sizeof(set->signature), "%s\nts: 1700000000\n", set->digest);
	set->files[0] = (struct file){"config.txt", config, strlen(config)};
	set->files[1] = (struct file){"pieeprom.bin", set->image, size};
	set->files[2] = (struct file){"pieeprom.sig", set->signature, strlen(set->signature)};
}

static inline const struct file *find(const struct file *files, const char *name)
{
	for (; files->name; files++) {
		if (strcmp(files->name, name) == 0)
			return files;
	}
	return NULL;
}

/* What the module said while it was served. */
struct talk {
	char asked[1024]; /* names of files, a blank behind each; ! where bytes were asked for */
	char metadata[400][257]; /* as they came */
	size_t n;
	unsigned stop_after; /* askings; 0: at Done */
};

static inline int answer(struct usb_device *usb, const struct file *files,
	const unsigned char *message, struct talk *talk)
{
	const char *name = (const char *)message + 4;
	const struct file *file = find(files, name);

	if (*name == '*') {
		assert_in_range(talk->n, 0, 399);
		strcpy(talk->metadata[talk->n++], name);
		return host_announce(usb, 0);
	}
	if (strlen(talk->asked) + strlen(name) + 3 < sizeof(talk->asked))
		sprintf(strchr(talk->asked, '\0'), "%s%s ", message[0] ? "!" : "", name);
	if (message[0] && file)
		return host_send(usb, file->data, (uint32_t)file->size);
	return host_announce(usb, file ? (uint32_t)file->size : 0);
}

static inline int serve(struct usb_device *usb, const struct file *files, struct talk *talk)
{
	unsigned char message[260];

	*talk = (struct talk){.stop_after = talk->stop_after};
	for (unsigned n = 0; !talk->stop_after || n < talk->stop_after; n++) {
		ssize_t r = host_receive(usb, message, sizeof(message));

		if (r < 0)
			return (int)r;
		assert_int_equal(r, sizeof(message));
		assert_int_equal(message[259], 0);
		if (!message[4])
			return host_announce(usb, 0);
		r = answer(usb, files, message, talk);
		if (r < 0)
			return (int)r;
	}
	return 0;
}

/* To the end of its second stage's dialogue. */
static inline struct host *run(
	const char *spec, const char *text, const struct file *files, struct talk *talk)
{
	struct host *host = host_new(spec);
	struct usb_device *usb;
	uint64_t deadline = clock_ns() + HOST_PATIENCE_MS * NS_PER_MS;

	pthread_mutex_lock(&host->lock);
	while (host->n == 0 && cond_wait_until(&host->changed, &host->lock, deadline) == 0)
		;
	host->seen = 1;
	pthread_mutex_unlock(&host->lock);
	usb = host_usb(host);
	assert_int_equal(host_boot_rom(usb, stage_with(text), STAGE_SIZE), 0);
	usb->ops->close(usb);
	host_expect(host, "usb- 1-1.1");
	pthread_mutex_lock(&host->lock);
	while (host->n == host->seen && cond_wait_until(&host->changed, &host->lock, deadline) == 0)
		;
	host->seen++;
	pthread_mutex_unlock(&host->lock);
	usb = host_usb(host);
	assert_int_equal(serve(usb, files, talk), 0);
	usb->ops->close(usb);
	return host;
}

/* The value told of @key; NULL: none was. */
static inline const char *told(const struct talk *talk, const char *key)
{
	size_t n = strlen(key);

	for (size_t i = 0; i < talk->n; i++) {
		const char *message = talk->metadata[i] + 1;

		if (strncmp(message, key, n) == 0 && message[n] == '*')
			return message + n + 1;
	}
	return NULL;
}

static inline size_t count(struct host *host, enum sim_event event, const char *name)
{
	struct sim_item *items;
	size_t n, found = 0;

	items = sim_inspect_record(host->backend, 1, &n);
	for (size_t i = 0; i < n; i++)
		found += items[i].event == event && (!name || strcmp(items[i].name, name) == 0);
	free(items);
	return found;
}

/* Whether the EEPROM that the module keeps in @dir is @image; that there is none where that is NULL. */
static inline void expect_eeprom(const char *dir, const unsigned char *image, size_t size)
{
	_cleanup_free_ unsigned char *found = malloc(size + 1);
	_cleanup_close_ int fd = -1;
	char path[128];

	snprintf(path, sizeof(path), "%s/af04b2da-eeprom.bin", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!image) {
		assert_int_equal(fd, -1);
		return;
	}
	assert_true(fd >= 0);
	assert_int_equal(read(fd, found, size + 1), size);
	assert_memory_equal(found, image, size);
}

struct room {
	char dir[32], spec[256];
};

static inline void room_open(struct room *room, const char *spec)
{
	strcpy(room->dir, "/tmp/cm4fs-program-XXXXXX");
	assert_non_null(mkdtemp(room->dir));
	snprintf(room->spec, sizeof(room->spec), "%s:dir=%s", spec, room->dir);
}

static inline void room_close(const struct room *room)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r '%s'", room->dir);
	assert_int_equal(system(command), 0);
}
