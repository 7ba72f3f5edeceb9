#pragma once

#include "image/image.h"
#include "memory-disk.h"

/* An image on a disk in memory, and an owner who answers as the module does, on his own thread. */

struct told {
	enum image_event event;
	int error;
	char text[256];
};

struct owner {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	pthread_t thread;
	struct disk *disk;
	struct cm4_image *image; /* that is to be answered */
	bool wanted, wanted_writable, closed, stop, released;
	bool silent; /* does not answer by itself */
	unsigned times_wanted;
	struct told told[MAX_NOTES];
	size_t n_told;
};

struct asked {
	struct cm4_io io;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned answers;
	ssize_t result;
};

/* The owner. */

static inline void owner_wanted(void *data, struct cm4_image *image, bool writable)
{
	struct owner *owner = data;
	LOCKED(&owner->lock);

	/* An abort may come before the answer. */
	if (!owner->wanted)
		cm4_image_ref(image);
	owner->image = image;
	owner->wanted = true;
	owner->wanted_writable = writable;
	owner->times_wanted++;
	pthread_cond_broadcast(&owner->moved);
}

static inline void owner_event(
	void *data, struct cm4_image *image, enum image_event event, int error, const char *text)
{
	struct owner *owner = data;
	LOCKED(&owner->lock);

	if (event == IMAGE_CLOSED)
		owner->closed = true;
	if (owner->n_told < MAX_NOTES) {
		struct told *told = &owner->told[owner->n_told++];

		told->event = event;
		told->error = error;
		snprintf(told->text, sizeof(told->text), "%s", text ? text : "");
	}
	pthread_cond_broadcast(&owner->moved);
}

static inline void owner_released(void *data)
{
	struct owner *owner = data;
	LOCKED(&owner->lock);

	owner->released = true;
	pthread_cond_broadcast(&owner->moved);
}

static inline void *owner_run(void *data)
{
	struct owner *owner = data;

	pthread_mutex_lock(&owner->lock);
	while (!owner->stop) {
		if (owner->closed) {
			owner->closed = false;
			pthread_mutex_unlock(&owner->lock);
			image_reap(owner->image);
			pthread_mutex_lock(&owner->lock);
		} else if (owner->wanted && !owner->silent) {
			bool writable = owner->wanted_writable;

			owner->wanted = false;
			pthread_mutex_unlock(&owner->lock);
			/* After an abort, the last answer may have served what is wanted anew. */
			if (!disk_is_open(owner->disk))
				image_admit(
					owner->image, disk_open(owner->disk, writable), writable);
			cm4_image_unref(owner->image);
			pthread_mutex_lock(&owner->lock);
		} else {
			pthread_cond_wait(&owner->moved, &owner->lock);
		}
	}
	pthread_mutex_unlock(&owner->lock);
	return NULL;
}

static inline int owner_open_console(void *data, struct console **ret_console)
{
	return -ENXIO;
}

static inline int owner_open_block(void *data, const char *disk, struct block **ret_block)
{
	struct owner *owner = data;

	*ret_block = disk_open_proof(owner->disk);
	return 0;
}

static inline struct owner *owner_new(struct disk *disk, enum cm4_image_mode mode,
	const struct image_policy *policy, struct cm4_image **ret_image)
{
	struct owner *owner = calloc(1, sizeof(*owner));
	struct image_owner as_owner = {
		.wanted = owner_wanted,
		.event = owner_event,
		.open_console = owner_open_console,
		.open_block = owner_open_block,
		.released = owner_released,
		.data = owner,
	};

	owner->disk = disk;
	pthread_mutex_init(&owner->lock, NULL);
	cond_init(&owner->moved);
	assert_int_equal(image_new(mode, "mmcblk0", "x.img", &as_owner, policy, ret_image), 0);
	if (mode == CM4_IMAGE_RAW)
		image_set_size(*ret_image, disk->size);
	pthread_create(&owner->thread, NULL, owner_run, owner);
	return owner;
}

/* After the last unref by the test. */
static inline void owner_free(struct owner *owner)
{
	{
		LOCKED(&owner->lock);
		AWAIT(&owner->lock, &owner->moved, owner->released);
		owner->stop = true;
		pthread_cond_broadcast(&owner->moved);
	}
	pthread_join(owner->thread, NULL);
	pthread_cond_destroy(&owner->moved);
	pthread_mutex_destroy(&owner->lock);
	free(owner);
}

static inline unsigned owner_count(struct owner *owner, enum image_event event)
{
	unsigned n = 0;

	for (size_t i = 0; i < owner->n_told; i++)
		n += owner->told[i].event == event;
	return n;
}

static inline unsigned told_times(struct owner *owner, enum image_event event)
{
	LOCKED(&owner->lock);

	return owner_count(owner, event);
}

static inline void await_told(struct owner *owner, enum image_event event, unsigned times)
{
	LOCKED(&owner->lock);

	AWAIT(&owner->lock, &owner->moved, owner_count(owner, event) >= times);
}

/* The last of its kind. */
static inline struct told last_told(struct owner *owner, enum image_event event)
{
	struct told none = {0};
	LOCKED(&owner->lock);

	for (size_t i = owner->n_told; i-- > 0;)
		if (owner->told[i].event == event)
			return owner->told[i];
	return none;
}

/* Requests. */

static inline void asked_complete(struct cm4_io *io, ssize_t result)
{
	struct asked *asked = (struct asked *)io;
	LOCKED(&asked->lock);

	asked->answers++;
	asked->result = result;
	pthread_cond_broadcast(&asked->moved);
}

static inline void ask(struct asked *asked, struct cm4_image *image, enum cm4_io_kind kind,
	uint64_t offset, uint64_t length, void *buffer)
{
	*asked = (struct asked){
		.io = {.kind = kind,
			.offset = offset,
			.length = length,
			.buffer = buffer,
			.complete = asked_complete},
	};
	pthread_mutex_init(&asked->lock, NULL);
	cond_init(&asked->moved);
	cm4_image_submit(image, &asked->io);
}

static inline bool is_answered(struct asked *asked)
{
	LOCKED(&asked->lock);

	return asked->answers > 0;
}

static inline ssize_t answer_of(struct asked *asked)
{
	ssize_t result;

	{
		LOCKED(&asked->lock);
		AWAIT(&asked->lock, &asked->moved, asked->answers > 0);
		assert_int_equal(asked->answers, 1);
		result = asked->result;
	}
	pthread_cond_destroy(&asked->moved);
	pthread_mutex_destroy(&asked->lock);
	return result;
}

static inline ssize_t do_io(struct cm4_image *image, enum cm4_io_kind kind, uint64_t offset,
	uint64_t length, void *buffer)
{
	struct asked asked;

	ask(&asked, image, kind, offset, length, buffer);
	return answer_of(&asked);
}

static inline ssize_t do_write(
	struct cm4_image *image, uint64_t offset, const void *data, uint64_t n)
{
	return do_io(image, CM4_IO_WRITE, offset, n, (void *)data);
}

static inline ssize_t do_truncate(struct cm4_image *image, uint64_t size)
{
	return do_io(image, CM4_IO_TRUNCATE, 0, size, NULL);
}

static inline ssize_t do_sync(struct cm4_image *image)
{
	return do_io(image, CM4_IO_SYNC, 0, 0, NULL);
}

static inline ssize_t do_flush(struct cm4_image *image)
{
	return do_io(image, CM4_IO_FLUSH, 0, 0, NULL);
}

static inline ssize_t do_killed_flush(struct cm4_image *image)
{
	struct asked asked = {
		.io = {.kind = CM4_IO_FLUSH, .writer_killed = true, .complete = asked_complete},
	};

	pthread_mutex_init(&asked.lock, NULL);
	cond_init(&asked.moved);
	cm4_image_submit(image, &asked.io);
	return answer_of(&asked);
}

/* A disk, an owner and an image that is open for writing. */

struct fixture {
	struct disk *disk;
	struct owner *owner;
	struct cm4_image *image;
	unsigned char *data; /* never the same in two blocks, nor GARBAGE, nor 0 */
};

#define FIXTURE_DATA (32 * MIB)

/* The same for every fixture, and made once: that takes its time under valgrind. */
static inline const unsigned char *fixture_bytes(void)
{
	static unsigned char bytes[FIXTURE_DATA];
	uint32_t x = 1;

	for (size_t i = 0; !bytes[FIXTURE_DATA - 1] && i < FIXTURE_DATA; i++) {
		x = x * 1664525u + 1013904223u;
		bytes[i] = (unsigned char)(1 + (x >> 24) % 200);
	}
	return bytes;
}

static inline void fixture_begin_with(struct fixture *f, enum cm4_image_mode mode,
	uint64_t disk_size, const struct image_policy *policy)
{
	*f = (struct fixture){.disk = disk_new(disk_size), .data = malloc(FIXTURE_DATA)};
	memcpy(f->data, fixture_bytes(), FIXTURE_DATA);
	f->owner = owner_new(f->disk, mode, policy, &f->image);
	cm4_image_open(f->image, true);
}

/* Most tests are about bytes, which are no disk image, and need no proof. */
static inline void fixture_begin(struct fixture *f, enum cm4_image_mode mode, uint64_t disk_size)
{
	const struct image_policy policy = {.verify = CM4_VERIFY_OFF, .raw = true};

	fixture_begin_with(f, mode, disk_size, &policy);
}

/* Makes of the data a disk image of @size bytes: an MBR with one partition, from the second sector to the end. */
static inline void fixture_make_image(struct fixture *f, uint64_t size)
{
	uint32_t sectors = (uint32_t)(size / 512 - 1);

	memset(f->data, 0, 512);
	f->data[446 + 4] = 0x83;
	f->data[446 + 8] = 1;
	for (int i = 0; i < 4; i++)
		f->data[446 + 12 + i] = (unsigned char)(sectors >> (8 * i));
	f->data[510] = 0x55;
	f->data[511] = 0xaa;
}

static inline bool medium_is_untouched(struct disk *disk)
{
	LOCKED(&disk->lock);

	if (disk->n_writes)
		return false;
	for (uint64_t i = 0; i < disk->size; i++)
		if (disk->bytes[i] != GARBAGE)
			return false;
	return true;
}

/* The last close; waits until the disk is given back. */
static inline void fixture_close(struct fixture *f)
{
	cm4_image_close(f->image, true);
	LOCKED(&f->disk->lock);
	AWAIT(&f->disk->lock, &f->disk->moved, !f->disk->open);
}

static inline void fixture_end(struct fixture *f)
{
	fixture_close(f);
	cm4_image_unref(f->image);
	owner_free(f->owner);
	disk_free(f->disk);
	free(f->data);
}

static inline void assert_filled(const unsigned char *bytes, uint64_t n, int value)
{
	for (uint64_t i = 0; i < n; i++)
		if (bytes[i] != value)
			fail_msg("byte %llu is %#x, not %#x", (unsigned long long)i, bytes[i],
				value);
}
