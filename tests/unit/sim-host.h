#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "seam/backend.h"
#include "sim/inspect.h"
#include "sim/sim.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * A host for simulated modules that knows the wire and nothing of the product: what it says is spelled out
 * here, so that the model is tested against the protocol and not against our own driver.
 */
#define HOST_EVENTS	 256
#define HOST_PATIENCE_MS 20000 /* for what must happen; nothing takes so long unless it is broken */

struct host {
	struct backend *backend;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char events[HOST_EVENTS][96]; /* "usb+ 1-1.1 2711/3", "disk- 1-1.1 mmcblk0" */
	size_t n, seen;
};

static inline void host_note(struct host *host, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static inline void host_note(struct host *host, const char *format, ...)
{
	va_list args;
	LOCKED(&host->lock);

	va_start(args, format);
	if (host->n < HOST_EVENTS)
		vsnprintf(host->events[host->n++], sizeof(host->events[0]), format, args);
	va_end(args);
	pthread_cond_broadcast(&host->changed);
}

static inline void host_attached(void *data, const struct usb_identity *id)
{
	host_note(data, "usb+ %s %04x/%u", id->port, id->product, id->serial_index);
}

static inline void host_detached(void *data, const char *port)
{
	host_note(data, "usb- %s", port);
}

static inline void host_disk_attached(void *data, const struct block_identity *id)
{
	host_note(data, "disk+ %s %s %llu", id->port, id->name, (unsigned long long)id->bytes);
}

static inline void host_disk_detached(void *data, const char *port, const char *name)
{
	host_note(data, "disk- %s %s", port, name);
}

/* The next event is @event. */
static inline void host_expect(struct host *host, const char *event)
{
	uint64_t deadline = clock_ns() + HOST_PATIENCE_MS * NS_PER_MS;
	LOCKED(&host->lock);

	while (host->seen == host->n && cond_wait_until(&host->changed, &host->lock, deadline) == 0)
		;
	assert_true(host->seen < host->n);
	assert_string_equal(host->events[host->seen], event);
	host->seen++;
}

static inline struct host *host_new(const char *spec_text)
{
	struct host *host = calloc(1, sizeof(*host));
	struct backend_listener listener = {
		host_attached, host_detached, host_disk_attached, host_disk_detached, host};
	char message[256] = "";
	struct sim_spec *spec;

	assert_non_null(host);
	pthread_mutex_init(&host->lock, NULL);
	cond_init(&host->changed);
	if (sim_spec_parse(spec_text, &spec, message, sizeof(message)) < 0 ||
		sim_backend_new(spec, &host->backend, message, sizeof(message)) < 0)
		fail_msg("%s: %s", spec_text, message);
	assert_int_equal(host->backend->ops->start(host->backend, &listener), 0);
	return host;
}

static inline void host_free(struct host *host)
{
	host->backend->ops->stop(host->backend);
	host->backend->ops->free(host->backend);
	pthread_cond_destroy(&host->changed);
	pthread_mutex_destroy(&host->lock);
	free(host);
}

static inline struct usb_device *host_usb(struct host *host)
{
	struct usb_device *usb = NULL;

	assert_int_equal(host->backend->ops->open_usb(host->backend, "1-1.1", &usb), 0);
	return usb;
}

static inline int host_announce(struct usb_device *usb, uint32_t n)
{
	return usb->ops->control_out(usb, (uint16_t)n, (uint16_t)(n >> 16), 1000);
}

static inline ssize_t host_receive(struct usb_device *usb, void *buffer, size_t n)
{
	return usb->ops->control_in(usb, (uint16_t)n, (uint16_t)(n >> 16), buffer, n, 20000);
}

/* Announced and sent as it should be. 0 or -errno. */
static inline int host_send(struct usb_device *usb, const void *data, uint32_t n)
{
	int r = host_announce(usb, n);

	for (uint32_t at = 0; r == 0 && at < n; at += 16384) {
		size_t chunk = n - at < 16384 ? n - at : 16384;
		ssize_t sent = usb->ops->bulk_out(usb, (const char *)data + at, chunk, 5000);

		r = sent < 0 ? (int)sent : 0;
	}
	return r;
}

static inline int host_send_header(struct usb_device *usb, uint32_t length)
{
	unsigned char header[24] = {(unsigned char)length, (unsigned char)(length >> 8),
		(unsigned char)(length >> 16), (unsigned char)(length >> 24)};

	return host_send(usb, header, sizeof(header));
}

/* ROM to second stage; the status, or -errno. */
static inline int host_boot_rom(struct usb_device *usb, const void *code, uint32_t n)
{
	unsigned char status[4];
	ssize_t r = host_send_header(usb, n);

	if (r == 0)
		r = host_send(usb, code, n);
	if (r == 0)
		r = host_receive(usb, status, 4);
	return r < 0 ? (int)r : status[0];
}

/* The file that this host has under every name but @missing. */
static const char host_file[3000] = "a boot file";

/* Files until Done. 0 or -errno. */
static inline int host_serve(struct usb_device *usb, const char *missing)
{
	for (;;) {
		unsigned char message[260];
		const char *name = (char *)message + 4;
		ssize_t n = host_receive(usb, message, sizeof(message));
		bool found = !missing || strcmp(name, missing) != 0;
		int r;

		if (n < 0)
			return (int)n;
		assert_int_equal(n, sizeof(message));
		if (!*name)
			return host_announce(usb, 0);
		if (message[0] == 0 || !found)
			r = host_announce(usb, found ? sizeof(host_file) : 0);
		else
			r = host_send(usb, host_file, sizeof(host_file));
		if (r < 0)
			return r;
	}
}

/* From plug to disks, with the events on the way. */
static inline void host_boot(struct host *host)
{
	static const char code[1000] = "second stage";
	struct usb_device *usb;

	host_expect(host, "usb+ 1-1.1 2711/3");
	usb = host_usb(host);
	assert_int_equal(host_boot_rom(usb, code, sizeof(code)), 0);
	usb->ops->close(usb);
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 2711/4");
	usb = host_usb(host);
	assert_int_equal(host_serve(usb, NULL), 0);
	usb->ops->close(usb);
	host_expect(host, "usb- 1-1.1");
	host_expect(host, "usb+ 1-1.1 0104/3");
}

static inline struct block *host_disk(struct host *host, bool writable)
{
	struct block *block = NULL;

	assert_int_equal(
		host->backend->ops->open_block(host->backend, "1-1.1", "mmcblk0", writable, &block),
		0);
	return block;
}
