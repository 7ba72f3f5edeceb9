#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/bus.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * The block seam over a module's medium: here is what is the link's and the module's part of a
 * transfer, and the faults that strike it; the medium and its cache are medium.c's.
 */
#define SCSI_PATIENCE_MS 30000 /* after which the kernel gives a command up */

struct sim_disk {
	struct block block;
	struct sim_module *module;
	struct sim_access access;
	bool faulty; /* the SPEC has faults: look for them */
};

static struct sim_disk *disk_of(struct block *block)
{
	return (struct sim_disk *)block;
}

/* What O_DIRECT would say. */
static int check_range(const struct sim_disk *disk, size_t size, uint64_t offset)
{
	if (offset % BLOCK_ALIGN || offset > disk->block.bytes || size > disk->block.bytes - offset)
		return -EINVAL;
	if (size % BLOCK_ALIGN && offset + size != disk->block.bytes)
		return -EINVAL;
	return size % BLOCK_SECTOR ? -EINVAL : 0;
}

static int check_vector(const struct iovec *iov, int n, size_t *ret_size)
{
	size_t size = 0;

	for (int i = 0; i < n; i++) {
		if ((uintptr_t)iov[i].iov_base % BLOCK_ALIGN)
			return -EINVAL;
		if (iov[i].iov_len % BLOCK_ALIGN && i + 1 < n)
			return -EINVAL;
		size += iov[i].iov_len;
	}
	*ret_size = size;
	return 0;
}

/* When @size bytes that begin to move now are over the link; counted by @count. */
static uint64_t take_link(struct sim_disk *disk, size_t size, uint64_t *count)
{
	LOCKED(&disk->module->lock);

	*count += size;
	return sim_throttle_take(&disk->module->link, clock_ns(), size);
}

static int finish_link(struct sim_disk *disk, uint64_t due)
{
	struct sim_module *module = disk->module;
	int r;

	if (module->link.rate == 0)
		return 0;
	r = sim_medium_wait(&disk->access, due);
	LOCKED(&module->lock);
	sim_throttle_woke(&module->link, due, clock_ns());
	return r;
}

/* A disk that hangs, until the host has had enough of it. */
static int hang(struct sim_disk *disk)
{
	int r = sim_medium_wait(&disk->access, clock_ns() + SCSI_PATIENCE_MS * NS_PER_MS);

	return r < 0 ? r : -EIO;
}

/*
 * Whether a fault strikes within the next @size bytes written or read, and how many of them still pass. The
 * unplugging itself is the caller's, when those have passed.
 */
static bool strikes(struct sim_disk *disk, enum sim_point point, size_t size,
	enum sim_fault_kind *ret_kind, size_t *ret_passed)
{
	struct sim_module *module = disk->module;
	uint64_t from, number;
	LOCKED(&module->lock);

	if (module->silent) {
		*ret_kind = SIM_FAULT_SILENT;
		*ret_passed = 0;
		return true;
	}
	from = point == SIM_POINT_WRITE	 ? module->written
	       : point == SIM_POINT_READ ? module->read
					 : 0;
	if (!sim_faults_strike(&module->faults, point, NULL, from, from + size, ret_kind, &number))
		return false;
	*ret_passed = (size_t)(number - from) / BLOCK_ALIGN * BLOCK_ALIGN;
	module->silent = *ret_kind == SIM_FAULT_SILENT;
	return true;
}

static int struck(struct sim_disk *disk, enum sim_fault_kind kind)
{
	if (kind == SIM_FAULT_SILENT)
		return hang(disk);
	if (kind == SIM_FAULT_STALL)
		return -EIO;
	sim_module_unplug(disk->module);
	return -ENODEV;
}

static bool place_is_bad(
	const struct sim_disk *disk, enum sim_fault_kind kind, size_t size, uint64_t offset)
{
	uint64_t at;

	return sim_faults_number(&disk->module->faults, kind, &at) && at >= offset &&
	       at - offset < size;
}

/* The first @size bytes of a vector that is longer. */
static int write_part(struct sim_disk *disk, const struct iovec *iov, size_t size, uint64_t offset)
{
	int r = 0;

	for (int i = 0; r == 0 && size; i++) {
		struct iovec part = iov[i];

		if (part.iov_len > size)
			part.iov_len = size;
		r = sim_medium_writev(&disk->access, &part, 1, part.iov_len, offset);
		offset += part.iov_len;
		size -= part.iov_len;
	}
	return r;
}

static int write_faults(
	struct sim_disk *disk, const struct iovec *iov, size_t size, uint64_t offset)
{
	enum sim_fault_kind kind;
	uint64_t ms;
	size_t passed;
	int r;

	if (strikes(disk, SIM_POINT_WRITE, size, &kind, &passed)) {
		r = write_part(disk, iov, passed, offset);
		return r < 0 ? r : struck(disk, kind);
	}
	if (place_is_bad(disk, SIM_FAULT_WRITE_ERROR, size, offset))
		return -EIO;
	if (sim_faults_number(&disk->module->faults, SIM_FAULT_SLOW_WRITE, &ms))
		return sim_medium_wait(&disk->access, clock_ns() + ms * NS_PER_MS);
	return 0;
}

/* The link's time and the medium's run side by side: the cache takes bytes as they come. */
static int disk_writev(struct block *block, const struct iovec *iov, int n, uint64_t offset)
{
	struct sim_disk *disk = disk_of(block);
	uint64_t due;
	size_t size;
	int r = check_vector(iov, n, &size);

	if (r == 0)
		r = check_range(disk, size, offset);
	if (r == 0)
		r = sim_medium_wait(&disk->access, 0);
	if (r == 0 && disk->faulty)
		r = write_faults(disk, iov, size, offset);
	if (r < 0)
		return r;

	due = take_link(disk, size, &disk->module->written);
	r = sim_medium_writev(&disk->access, iov, n, size, offset);
	return r < 0 ? r : finish_link(disk, due);
}

static int disk_read(struct block *block, void *buffer, size_t size, uint64_t offset)
{
	struct sim_disk *disk = disk_of(block);
	enum sim_fault_kind kind;
	size_t passed;
	uint64_t due;
	int r = (uintptr_t)buffer % BLOCK_ALIGN ? -EINVAL : check_range(disk, size, offset);

	if (r == 0)
		r = sim_medium_wait(&disk->access, 0);
	if (r < 0)
		return r;
	if (disk->faulty && strikes(disk, SIM_POINT_READ, size, &kind, &passed))
		return struck(disk, kind);
	if (disk->faulty && place_is_bad(disk, SIM_FAULT_READ_ERROR, size, offset))
		return -ENODATA;

	due = take_link(disk, size, &disk->module->read);
	r = sim_medium_read(&disk->access, buffer, size, offset);
	return r < 0 ? r : finish_link(disk, due);
}

static void count_sync(struct sim_disk *disk)
{
	LOCKED(&disk->module->lock);

	disk->module->syncs++;
}

static int disk_sync(struct block *block)
{
	struct sim_disk *disk = disk_of(block);
	enum sim_fault_kind kind;
	size_t passed;
	int r = sim_medium_wait(&disk->access, 0);

	if (r < 0)
		return r;
	count_sync(disk);
	if (disk->faulty && strikes(disk, SIM_POINT_SYNC, 0, &kind, &passed))
		return struck(disk, kind);
	if (disk->faulty && sim_faults_have(&disk->module->faults, SIM_FAULT_SYNC_ERROR))
		return -EIO;
	return sim_medium_sync(&disk->access);
}

static void disk_abort(struct block *block)
{
	sim_medium_abort(&disk_of(block)->access);
}

/* The host's last close makes the gadget write its cache out (ALLOW MEDIUM REMOVAL). */
static void disk_close(struct block *block)
{
	struct sim_disk *disk = disk_of(block);

	if (disk->access.writable)
		sim_medium_sync(&disk->access);
	sim_medium_release(&disk->access);
	free(disk);
}

static const struct block_ops ops = {
	.writev = disk_writev,
	.read = disk_read,
	.sync = disk_sync,
	.abort = disk_abort,
	.close = disk_close,
};

int sim_disk_open(
	struct sim_module *module, const char *name, bool writable, struct block **ret_block)
{
	const struct sim_disk_slot *slot = sim_module_disk(module, name);
	struct sim_disk *disk;
	int r;
	LOCKED(&module->lock);

	if (module->stage != SIM_STAGE_DISK || !module->media)
		return -ENODEV;
	if (!slot || !sim_module_shows(module, slot))
		return -ENXIO;
	if (!slot->medium)
		return -ENOMEDIUM;
	if (writable && sim_faults_have(&module->faults, SIM_FAULT_HELD))
		return -EBUSY;

	disk = calloc(1, sizeof(*disk));
	if (!disk)
		return -ENOMEM;
	r = sim_medium_claim(slot->medium, writable, &disk->access);
	if (r < 0) {
		free(disk);
		return r;
	}
	disk->block.ops = &ops;
	disk->block.bytes = sim_medium_bytes(slot->medium);
	disk->module = module;
	disk->faulty = module->faults.n > 0;
	*ret_block = &disk->block;
	return 0;
}
