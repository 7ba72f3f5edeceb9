#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/command.h"
#include "sim/console.h"
#include "sim/module.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * Disks, as the module's own tools see them: dd and the hashes. What is read moves in slices, each of which
 * takes the medium's time; hashing runs beside it, one slice behind, as two ends of a pipe do.
 */
#define SLICE (256u << 10)

/* The disk behind @path, or a complaint and its exit status. */
static int open_disk(struct sim_call *call, const char *path, struct sim_access *ret_access)
{
	const struct sim_disk_slot *slot = sim_console_disk(call->job->shell->module, path);
	int r;

	if (!slot || !slot->medium) {
		r = sim_job_print(call->err, "%s: can't open '%s': %s\n", call->argv[0], path,
			slot ? "No medium found" : "No such file or directory");
		return r < 0 ? r : 1;
	}
	return sim_medium_claim(slot->medium, false, ret_access);
}

/* A range to the call's output. 0, exit status 1, or -errno; @ret_done: how much of it. */
static int copy(struct sim_call *call, struct sim_access *access, uint64_t from, uint64_t to,
	bool direct, uint64_t *ret_done)
{
	_cleanup_free_ void *buffer = NULL;
	int r = 0;

	*ret_done = 0;
	if (posix_memalign(&buffer, SIM_PAGE, SLICE)) {
		buffer = NULL;
		return 1;
	}
	while (r == 0 && from < to) {
		size_t n = to - from < SLICE ? (size_t)(to - from) : SLICE;

		r = direct ? sim_medium_read_direct(access, buffer, n, from)
			   : sim_medium_read(access, buffer, n, from);
		if (r == -EIO)
			return 1;
		if (r == 0)
			r = call->out->put(call->out, buffer, n);
		if (r == 0)
			r = sim_job_wait(call->job, 0);
		from += n;
		*ret_done += n;
	}
	return r;
}

struct dd {
	const char *in;
	uint64_t bs, skip, count;
	bool direct, skip_bytes, count_bytes, quiet;
};

static int parse_iflag(const char *value, struct dd *dd)
{
	for (;; value++) {
		size_t n = strcspn(value, ",");

		if (n == 6 && strncmp(value, "direct", n) == 0)
			dd->direct = true;
		else if (n == 10 && strncmp(value, "skip_bytes", n) == 0)
			dd->skip_bytes = true;
		else if (n == 11 && strncmp(value, "count_bytes", n) == 0)
			dd->count_bytes = true;
		else if (n != 9 || strncmp(value, "fullblock", n) != 0)
			return -EINVAL;
		value += n;
		if (!*value)
			return 0;
	}
}

/* 0, or -EINVAL: an operand that is not understood. */
static int parse_dd(struct sim_call *call, struct dd *dd)
{
	for (int i = 1; i < call->argc; i++) {
		const char *word = call->argv[i], *value = strchr(word, '=');
		size_t n = value ? (size_t)(value++ - word) : 0;
		int r = 0;

		if (n == 2 && strncmp(word, "if", n) == 0)
			dd->in = value;
		else if (n == 2 && strncmp(word, "bs", n) == 0)
			r = sim_parse_size(value, &dd->bs);
		else if (n == 4 && strncmp(word, "skip", n) == 0)
			r = sim_parse_size(value, &dd->skip);
		else if (n == 5 && strncmp(word, "count", n) == 0)
			r = sim_parse_size(value, &dd->count);
		else if (n == 5 && strncmp(word, "iflag", n) == 0)
			r = parse_iflag(value, dd);
		else if (n == 6 && strncmp(word, "status", n) == 0)
			dd->quiet = true;
		else
			r = -EINVAL;
		if (r < 0)
			return r;
	}
	return dd->in && dd->bs && dd->bs <= 64u << 20 ? 0 : -EINVAL;
}

/* In bytes. 0 or -EINVAL. */
static int range_of(const struct dd *dd, uint64_t *ret_from, uint64_t *ret_count)
{
	uint64_t skip_unit = dd->skip_bytes ? 1 : dd->bs, count_unit = dd->count_bytes ? 1 : dd->bs;

	if (dd->skip > UINT64_MAX / skip_unit)
		return -EINVAL;
	*ret_from = dd->skip * skip_unit;
	*ret_count = dd->count > UINT64_MAX / count_unit ? UINT64_MAX : dd->count * count_unit;
	return 0;
}

int sim_dump_dd(struct sim_call *call)
{
	struct dd dd = {.bs = 512, .count = UINT64_MAX};
	struct sim_access access;
	uint64_t bytes, from, to, count, done;
	int r;

	if (parse_dd(call, &dd) < 0 || range_of(&dd, &from, &count) < 0) {
		sim_job_print(call->err, "dd: invalid argument\n");
		return 1;
	}
	r = open_disk(call, dd.in, &access);
	if (r)
		return r;

	/* O_DIRECT wants whole sectors; the kernel says EINVAL, and dd passes that on. */
	bytes = sim_medium_bytes(access.medium);
	if (from > bytes)
		from = bytes;
	to = count < bytes - from ? from + count : bytes;
	if (dd.direct && (dd.bs % 512 || from % 512 || to % 512)) {
		sim_job_print(call->err, "dd: error reading '%s': Invalid argument\n", dd.in);
		r = 1;
	} else {
		r = copy(call, &access, from, to, dd.direct, &done);
		if (!dd.quiet && r >= 0)
			sim_job_print(call->err, "%llu+%u records in\n%llu+%u records out\n",
				(unsigned long long)(done / dd.bs), done % dd.bs != 0,
				(unsigned long long)(done / dd.bs), done % dd.bs != 0);
	}
	sim_medium_release(&access);
	return r;
}

/* A disk's size in /sys, in sectors. */
static int cat_size(struct sim_call *call, const struct sim_disk_slot *slot)
{
	uint64_t bytes = slot->medium ? sim_medium_bytes(slot->medium) : 0;

	return sim_job_print(call->out, "%llu\n", (unsigned long long)(bytes / BLOCK_SECTOR));
}

/* A whole disk, or the one file in /sys that tells its size. */
int sim_dump_cat(struct sim_call *call)
{
	const char *path = call->argc > 1 ? call->argv[1] : "";
	const struct sim_disk_slot *slot = NULL;
	struct sim_access access;
	char name[CM4_DISK_MAX];
	uint64_t done;
	int r;

	if (sscanf(path, "/sys/block/%15[^/]/size", name) == 1)
		slot = sim_module_disk(call->job->shell->module, name);
	if (slot)
		return cat_size(call, slot);
	r = open_disk(call, path, &access);
	if (r)
		return r;
	r = copy(call, &access, 0, sim_medium_bytes(access.medium), false, &done);
	sim_medium_release(&access);
	return r;
}

int sim_dump_sync(struct sim_call *call)
{
	const struct sim_module *module = call->job->shell->module;
	int r = 0;

	for (size_t i = 0; i < module->n_disks && r >= 0; i++) {
		struct sim_access access;

		if (!module->disks[i].medium ||
			sim_medium_claim(module->disks[i].medium, false, &access) < 0)
			continue;
		r = sim_medium_sync(&access);
		sim_medium_release(&access);
	}
	/* sync(1) has nothing to say of a write that failed. */
	return r == -EIO ? 0 : r;
}

int sim_dump_drop_caches(struct sim_job *job)
{
	const struct sim_module *module = job->shell->module;

	for (size_t i = 0; i < module->n_disks; i++) {
		struct sim_access access;

		if (!module->disks[i].medium ||
			sim_medium_claim(module->disks[i].medium, false, &access) < 0)
			continue;
		sim_medium_drop_caches(&access);
		sim_medium_release(&access);
	}
	return 0;
}

/* --flushbufs (BLKFLSBUF: written out and forgotten) and --getsize64. */
int sim_dump_blockdev(struct sim_call *call)
{
	struct sim_access access;
	int r = call->argc == 3 ? open_disk(call, call->argv[2], &access) : 1;

	if (r)
		return r;
	if (strcmp(call->argv[1], "--flushbufs") == 0) {
		r = sim_medium_sync(&access);
		sim_medium_drop_caches(&access);
	} else if (strcmp(call->argv[1], "--getsize64") == 0) {
		r = sim_job_print(
			call->out, "%llu\n", (unsigned long long)sim_medium_bytes(access.medium));
	} else {
		r = 1;
	}
	sim_medium_release(&access);
	return r;
}

struct hash {
	EVP_MD_CTX *context;
	uint64_t due; /* when what was given so far is hashed */
};

static int hash_put(struct sim_sink *sink, const void *data, size_t size)
{
	struct sim_filter *filter = (struct sim_filter *)sink;
	struct hash *hash = filter->state;
	struct sim_job *job = filter->call.job;
	int r = sim_job_wait(job, hash->due);

	if (r < 0)
		return r;
	EVP_DigestUpdate(hash->context, data, size);
	hash->due = sim_shell_hash_time(job->shell, size);
	return 0;
}

static int hash_end(struct sim_filter *filter)
{
	struct hash *hash = filter->state;
	unsigned char raw[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE + 1] = "";
	unsigned n = 0;
	int r = sim_job_wait(filter->call.job, hash->due);

	EVP_DigestFinal_ex(hash->context, raw, &n);
	for (unsigned i = 0; i < n; i++)
		sprintf(text + 2 * i, "%02x", raw[i]);
	EVP_MD_CTX_free(hash->context);
	free(hash);
	return r < 0 ? r : sim_job_print(filter->call.out, "%s  -\n", text);
}

static int cat_put(struct sim_sink *sink, const void *data, size_t size)
{
	struct sim_sink *out = ((struct sim_filter *)sink)->call.out;

	return out->put(out, data, size);
}

static int cat_end(struct sim_filter *filter)
{
	return 0;
}

int sim_filter_open(struct sim_filter *filter, const struct sim_call *call)
{
	const char *name = call->argv[0];
	const EVP_MD *kind = strcmp(name, "sha256sum") == 0 ? EVP_sha256()
			     : strcmp(name, "md5sum") == 0  ? EVP_md5()
							    : NULL;
	struct hash *hash;

	*filter = (struct sim_filter){.sink = {cat_put}, .call = *call, .end = cat_end};
	if (strcmp(name, "cat") == 0)
		return 0;
	if (!kind)
		return -ENOENT;

	hash = calloc(1, sizeof(*hash));
	if (!hash)
		return -ENOMEM;
	hash->context = EVP_MD_CTX_new();
	if (!hash->context || !EVP_DigestInit_ex(hash->context, kind, NULL)) {
		EVP_MD_CTX_free(hash->context);
		free(hash);
		return -ENOMEM;
	}
	filter->sink.put = hash_put;
	filter->end = hash_end;
	filter->state = hash;
	return 0;
}

/* sha256sum FILE: as cat FILE into the filter. */
int sim_dump_sum(struct sim_call *call)
{
	struct sim_filter filter;
	struct sim_call cat = *call;
	int r, ended;

	if (call->argc < 2)
		return 1;
	if (sim_filter_open(&filter, call) < 0)
		return 1;
	cat.out = &filter.sink;
	r = sim_dump_cat(&cat);
	ended = filter.end(&filter);
	return r ? r : ended;
}
