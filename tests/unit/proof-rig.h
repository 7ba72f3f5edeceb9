#pragma once

#include "sim-host.h"

#include "proof/prover.h"
#include "seam/console.h"

/*
 * A disk that is written to and proved, on a simulated module. What stands between the prover and the module's
 * console can hold it up, and break it.
 */
#define MIB (1ull << 20)

struct wire {
	struct console base;
	struct console *console;
	struct rig *rig;
};

struct rig {
	struct host *host;
	struct block *block;
	struct prover *prover;
	unsigned char *bytes;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool held;	      /* the console does not open */
	unsigned opened;      /* times that somebody wanted it to */
	size_t breaks_behind; /* bytes heard; 0: never */
	size_t heard;
};

static inline ssize_t wire_read(
	struct console *base, void *buffer, size_t size, unsigned timeout_ms)
{
	struct wire *wire = (struct wire *)base;
	struct rig *rig = wire->rig;
	ssize_t r;

	if (rig->breaks_behind && rig->heard >= rig->breaks_behind)
		return -EIO;
	r = wire->console->ops->read(wire->console, buffer, size, timeout_ms);
	rig->heard += r > 0 ? (size_t)r : 0;
	return r;
}

static inline ssize_t wire_write(
	struct console *base, const void *buffer, size_t size, unsigned timeout_ms)
{
	struct console *console = ((struct wire *)base)->console;

	return console->ops->write(console, buffer, size, timeout_ms);
}

static inline void wire_abort(struct console *base)
{
	struct console *console = ((struct wire *)base)->console;

	console->ops->abort(console);
}

static inline void wire_close(struct console *base)
{
	struct console *console = ((struct wire *)base)->console;

	console->ops->close(console);
	free(base);
}

static const struct console_ops wire_ops = {wire_read, wire_write, wire_abort, wire_close};

static inline int rig_open_console(void *data, struct console **ret_console)
{
	struct rig *rig = data;
	struct backend *backend = rig->host->backend;
	struct wire *wire;
	int r;

	pthread_mutex_lock(&rig->lock);
	rig->opened++;
	pthread_cond_broadcast(&rig->changed);
	while (rig->held)
		pthread_cond_wait(&rig->changed, &rig->lock);
	pthread_mutex_unlock(&rig->lock);

	wire = calloc(1, sizeof(*wire));
	assert_non_null(wire);
	wire->base.ops = &wire_ops;
	wire->rig = rig;
	r = backend->ops->open_console(backend, "1-1.1", &wire->console);
	if (r < 0) {
		free(wire);
		return r;
	}
	*ret_console = &wire->base;
	return 0;
}

static inline int rig_open_block(void *data, struct block **ret_block)
{
	struct backend *backend = ((struct rig *)data)->host->backend;

	return backend->ops->open_block(backend, "1-1.1", "mmcblk0", false, ret_block);
}

static inline void rig_start(struct rig *rig, enum prover_kind kind)
{
	struct prover_source source = {rig_open_console, rig_open_block, rig};

	assert_int_equal(prover_new(kind, "mmcblk0", &source, &rig->prover), 0);
}

static inline struct rig *rig_new(const char *spec)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	pthread_mutex_init(&rig->lock, NULL);
	cond_init(&rig->changed);
	rig->host = host_new(spec);
	rig->block = host_disk(rig->host, true);
	rig->bytes = aligned_alloc(4096, 8 * MIB);
	assert_non_null(rig->bytes);
	for (size_t i = 0; i < 8 * MIB; i++)
		rig->bytes[i] = (unsigned char)(i * 2654435761u >> 13);
	return rig;
}

static inline void rig_let_go(struct rig *rig)
{
	LOCKED(&rig->lock);

	rig->held = false;
	pthread_cond_broadcast(&rig->changed);
}

static inline void rig_free(struct rig *rig)
{
	rig_let_go(rig);
	prover_free(rig->prover);
	rig->block->ops->close(rig->block);
	host_free(rig->host);
	pthread_cond_destroy(&rig->changed);
	pthread_mutex_destroy(&rig->lock);
	free(rig->bytes);
	free(rig);
}

/* @length bytes, of the rig's own from @from on. */
static inline void rig_hash(
	struct rig *rig, size_t from, size_t length, unsigned char hash[SHA256_SIZE])
{
	struct sha256 *sha;

	assert_int_equal(sha256_new(&sha), 0);
	sha256_begin(sha);
	sha256_add(sha, rig->bytes + from, length);
	assert_int_equal(sha256_end(sha, hash), 0);
	sha256_free(sha);
}

static inline void rig_write(struct rig *rig, uint64_t offset, size_t length)
{
	struct iovec iov = {rig->bytes + offset % MIB, length};

	assert_int_equal(rig->block->ops->writev(rig->block, &iov, 1, offset), 0);
}

static inline int rig_add(struct rig *rig, uint64_t offset, size_t length)
{
	unsigned char hash[SHA256_SIZE];

	rig_hash(rig, offset % MIB, length, hash);
	return prover_add(rig->prover, offset, length, hash);
}

/* Written, and proved behind it, in pieces of @piece. What proof says in the end. */
static inline int rig_flash(struct rig *rig, uint64_t bytes, size_t piece)
{
	for (uint64_t at = 0; at < bytes; at += piece) {
		int r;

		rig_write(rig, at, piece);
		r = prover_wait(rig->prover, PROVER_BACKLOG - piece);
		if (r == 0)
			r = rig_add(rig, at, piece);
		if (r < 0)
			return r;
	}
	return prover_wait(rig->prover, 0);
}

static inline struct prover_status rig_status(struct rig *rig)
{
	struct prover_status status;

	prover_get_status(rig->prover, &status);
	return status;
}

static inline uint64_t rig_bytes_read(struct rig *rig)
{
	struct sim_counters counters;

	sim_inspect_counters(rig->host->backend, 1, &counters);
	return counters.read;
}
