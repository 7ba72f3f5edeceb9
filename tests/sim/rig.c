#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "payload/payload.h"
#include "rig.h"
#include "seam/backend.h"
#include "sim/sim.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define COPY_SIZE (128 * 1024)

static void on_changed(void *data, struct cm4_module *module, const struct cm4_news *news)
{
	struct rig *rig = data;

	(void)module;
	(void)news;
	LOCKED(&rig->lock);
	rig->changes++;
	pthread_cond_broadcast(&rig->changed);
}

static void start(struct rig *rig, const char *spec, bool autoboot, struct payload *payload)
{
	struct cm4_fleet_config config = {
		.raw = true, .autoboot = autoboot, .changed = on_changed, .data = rig};
	struct sim_spec *parsed;
	char text[512], message[256];

	*rig = (struct rig){.dir = "/tmp/cm4fs-rig-XXXXXX"};
	assert_non_null(mkdtemp(rig->dir));
	pthread_mutex_init(&rig->lock, NULL);
	cond_init(&rig->changed);

	snprintf(text, sizeof(text), "%s:dir=%s", spec, rig->dir);
	if (sim_spec_parse(text, &parsed, message, sizeof(message)) < 0)
		fail_msg("%s: %s", text, message);
	if (sim_backend_new(parsed, &rig->backend, message, sizeof(message)) < 0)
		fail_msg("%s: %s", text, message);
	rig->payload = payload;
	if (!payload)
		assert_int_equal(sim_payload_new(&rig->payload), 0);

	config.backend = rig->backend;
	config.payload = rig->payload;
	assert_int_equal(cm4_fleet_new(&config, &rig->fleet), 0);
	assert_int_equal(cm4_fleet_start(rig->fleet), 0);
}

void rig_start(struct rig *rig, const char *spec, bool autoboot)
{
	start(rig, spec, autoboot, NULL);
}

void rig_start_with_payload(struct rig *rig, const char *spec, struct payload *payload)
{
	start(rig, spec, false, payload);
}

void rig_stop(struct rig *rig)
{
	char command[128];

	cm4_fleet_free(rig->fleet);
	rig->backend->ops->free(rig->backend);
	payload_free(rig->payload);
	pthread_cond_destroy(&rig->changed);
	pthread_mutex_destroy(&rig->lock);
	snprintf(command, sizeof(command), "rm -r '%s'", rig->dir);
	assert_int_equal(system(command), 0);
}

static uint64_t bound(void)
{
	return clock_ns() + RIG_BOUND_S * NS_PER_S;
}

/* Until the fleet has told of a change after @seen. */
static void wait_change(struct rig *rig, unsigned seen, uint64_t deadline, const char *what)
{
	int r = 0;

	{
		LOCKED(&rig->lock);
		while (rig->changes == seen && r == 0)
			r = cond_wait_until(&rig->changed, &rig->lock, deadline);
	}
	if (r != 0)
		fail_msg("waited in vain: %s", what);
}

static unsigned changes(struct rig *rig)
{
	LOCKED(&rig->lock);
	return rig->changes;
}

struct cm4_module *rig_module_after(struct rig *rig, const char *name, uint64_t id)
{
	uint64_t deadline = bound();

	for (;;) {
		unsigned seen = changes(rig);
		struct cm4_module *module = cm4_fleet_find_name(rig->fleet, name);

		if (module && cm4_module_id(module) > id)
			return module;
		cm4_module_unref(module);
		wait_change(rig, seen, deadline, name);
	}
}

struct cm4_module *rig_module(struct rig *rig, const char *name)
{
	return rig_module_after(rig, name, 0);
}

void rig_wait_gone(struct rig *rig, const char *name)
{
	uint64_t deadline = bound();

	for (;;) {
		unsigned seen = changes(rig);
		struct cm4_module *module = cm4_fleet_find_name(rig->fleet, name);

		if (!module)
			return;
		cm4_module_unref(module);
		wait_change(rig, seen, deadline, name);
	}
}

struct cm4_status rig_status(struct cm4_module *module)
{
	struct cm4_status status;

	cm4_module_status(module, &status);
	return status;
}

void rig_wait_state(struct rig *rig, struct cm4_module *module, enum cm4_state state)
{
	uint64_t deadline = bound();

	for (;;) {
		unsigned seen = changes(rig);

		if (rig_status(module).state == state)
			return;
		wait_change(rig, seen, deadline, cm4_state_to_string(state));
	}
}

/* An answer that is waited for. */
struct answer {
	struct cm4_io io;
	pthread_mutex_t lock;
	pthread_cond_t given;
	bool done;
	ssize_t result;
};

static void give(struct answer *answer, ssize_t result)
{
	LOCKED(&answer->lock);
	answer->done = true;
	answer->result = result;
	pthread_cond_signal(&answer->given);
}

static void on_complete(struct cm4_io *io, ssize_t result)
{
	give((struct answer *)io, result);
}

static void on_done(void *data, int result)
{
	give(data, result);
}

static void answer_init(struct answer *answer)
{
	*answer = (struct answer){0};
	pthread_mutex_init(&answer->lock, NULL);
	cond_init(&answer->given);
}

static ssize_t answer_wait(struct answer *answer)
{
	uint64_t deadline = bound();
	int r = 0;

	{
		LOCKED(&answer->lock);
		while (!answer->done && r == 0)
			r = cond_wait_until(&answer->given, &answer->lock, deadline);
	}
	if (r != 0)
		fail_msg("no answer");
	pthread_cond_destroy(&answer->given);
	pthread_mutex_destroy(&answer->lock);
	return answer->result;
}

ssize_t rig_io(struct cm4_image *image, enum cm4_io_kind kind, uint64_t offset, uint64_t length,
	void *buffer)
{
	struct answer answer;

	answer_init(&answer);
	answer.io.kind = kind;
	answer.io.offset = offset;
	answer.io.length = length;
	answer.io.buffer = buffer;
	answer.io.complete = on_complete;
	cm4_image_submit(image, &answer.io);
	return answer_wait(&answer);
}

int rig_control(struct cm4_module *module, enum cm4_verb verb)
{
	struct answer answer;

	answer_init(&answer);
	cm4_module_control(module, verb, on_done, &answer);
	return (int)answer_wait(&answer);
}

void rig_fill(uint8_t *buffer, size_t size, uint64_t offset, unsigned seed)
{
	for (size_t i = 0; i < size; i++) {
		uint64_t x = (offset + i) / 8 * 0x9e3779b97f4a7c15ull + seed;

		x ^= x >> 29;
		buffer[i] = (uint8_t)(x >> ((offset + i) % 8 * 8));
	}
}

int rig_copy(struct cm4_module *module, const char *label, uint64_t size, unsigned seed)
{
	_cleanup_free_ uint8_t *buffer = malloc(COPY_SIZE);
	struct cm4_image *image;
	uint64_t offset = 0;
	ssize_t r, closed;

	r = cm4_module_drop(module, NULL, label, &image);
	if (r < 0)
		return (int)r;
	cm4_image_open(image, true);
	while (offset < size && r >= 0) {
		size_t n = size - offset < COPY_SIZE ? size - offset : COPY_SIZE;

		rig_fill(buffer, n, offset, seed);
		r = rig_io(image, CM4_IO_WRITE, offset, n, buffer);
		offset += n;
	}
	closed = rig_io(image, CM4_IO_FLUSH, 0, 0, NULL);
	cm4_image_close(image, true);
	cm4_image_unref(image);
	return (int)(r < 0 ? r : closed);
}

bool rig_medium_is(struct rig *rig, const char *serial, uint64_t size, unsigned seed)
{
	_cleanup_free_ uint8_t *expected = malloc(COPY_SIZE), *found = malloc(COPY_SIZE);
	_cleanup_close_ int fd = -1;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s-mmcblk0.img", rig->dir, serial);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (uint64_t offset = 0; offset < size; offset += COPY_SIZE) {
		size_t n = size - offset < COPY_SIZE ? size - offset : COPY_SIZE;

		rig_fill(expected, n, offset, seed);
		if (pread(fd, found, n, (off_t)offset) != (ssize_t)n || memcmp(expected, found, n))
			return false;
	}
	return true;
}
