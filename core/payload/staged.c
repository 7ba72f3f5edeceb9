#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "payload/staged-set.h"
#include "util/cleanup.h"

struct staged {
	atomic_uint refs;
	pthread_mutex_t lock; /* innermost; guards the set */
	struct staged_set set;
};

struct staged_blob *staged_blob_ref(struct staged_blob *blob)
{
	blob->refs++;
	return blob;
}

void staged_blob_unref(struct staged_blob *blob)
{
	if (!blob || --blob->refs > 0)
		return;
	free(blob->data);
	free(blob);
}

/* @data becomes the blob's own, in failure too. */
static struct staged_blob *blob_new(void *data, size_t size)
{
	struct staged_blob *blob = malloc(sizeof(*blob));

	if (!blob) {
		free(data);
		return NULL;
	}
	*blob = (struct staged_blob){.data = data, .size = size, .date = time(NULL)};
	blob->refs = 1;
	return blob;
}

int staged_new(struct staged **ret_staged)
{
	struct staged *staged = calloc(1, sizeof(*staged));

	if (!staged)
		return -ENOMEM;
	pthread_mutex_init(&staged->lock, NULL);
	staged->refs = 1;
	*ret_staged = staged;
	return 0;
}

struct staged *staged_ref(struct staged *staged)
{
	staged->refs++;
	return staged;
}

void staged_unref(struct staged *staged)
{
	if (!staged || --staged->refs > 0)
		return;
	staged_drop(&staged->set);
	pthread_mutex_destroy(&staged->lock);
	free(staged);
}

void staged_drop(struct staged_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		staged_blob_unref(set->files[i].blob);
	set->n = 0;
	set->bytes = 0;
}

void staged_copy(struct staged *staged, struct staged_set *set)
{
	LOCKED(&staged->lock);

	set->n = staged->set.n;
	set->bytes = staged->set.bytes;
	memcpy(set->files, staged->set.files, set->n * sizeof(set->files[0]));
	for (size_t i = 0; i < set->n; i++)
		staged_blob_ref(set->files[i].blob);
}

bool staged_path_is_sane(const char *path)
{
	if (strlen(path) >= STAGED_PATH_SIZE)
		return false;
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	for (const char *part = path;; part++) {
		size_t n = strcspn(part, "/");

		if (n == 0 || (n == 1 && part[0] == '.') ||
			(n == 2 && part[0] == '.' && part[1] == '.'))
			return false;
		part += n;
		if (*part == '\0')
			return true;
	}
}

/* Where it is, or would have to be. */
static bool position_of(const struct staged_set *set, const char *path, size_t *ret_i)
{
	size_t i = 0;
	int order = -1;

	while (i < set->n && (order = strcmp(set->files[i].path, path)) < 0)
		i++;
	*ret_i = i;
	return order == 0;
}

const struct staged_blob *staged_lookup(const struct staged_set *set, const char *path)
{
	size_t i;

	return position_of(set, path, &i) ? set->files[i].blob : NULL;
}

const char *staged_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Whether @path lies beneath @folder. */
static bool is_beneath(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/';
}

static int judge_place(const struct staged_set *set, const char *path, const char *moved)
{
	if (!staged_path_is_sane(path))
		return -EINVAL;
	for (size_t i = 0; i < set->n; i++) {
		if (moved && strcmp(set->files[i].path, moved) == 0)
			continue;
		if (is_beneath(set->files[i].path, path))
			return -EISDIR;
		if (is_beneath(path, set->files[i].path))
			return -ENOTDIR;
	}
	return 0;
}

static int judge_size(const struct staged_set *set, const char *path, uint64_t size)
{
	const struct staged_blob *old = staged_lookup(set, path);

	if (strcmp(staged_name(path), "boot.img") == 0 && size > STAGED_IMAGE_MAX)
		return -EFBIG;
	if (!old && set->n == STAGED_FILES_MAX)
		return -ENOSPC;
	return size > STAGED_BYTES_MAX - set->bytes + (old ? old->size : 0) ? -ENOSPC : 0;
}

static void explain(const struct staged_set *set, const char *path, int error, char *message,
	size_t message_size)
{
	switch (-error) {
	case EFBIG:
		snprintf(message, message_size,
			"boot.img holds at most %u MiB: it is the small image that a module boots "
			"from; an image of an operating system wants another name",
			STAGED_IMAGE_MAX >> 20);
		break;
	case ENOSPC:
		snprintf(message, message_size,
			"at most %u boot files of %u MiB in all are staged for a module, and there "
			"are %zu: remove some, or write `clear` to control",
			STAGED_FILES_MAX, STAGED_BYTES_MAX >> 20, set->n);
		break;
	case EINVAL:
		snprintf(message, message_size, "this is no name for a boot file");
		break;
	default:
		snprintf(message, message_size, "%.96s: %s", path, strerror(-error));
	}
}

/* 0: it would be taken. */
static int judge(const struct staged_set *set, const char *path, uint64_t size, char *message,
	size_t message_size)
{
	int r = judge_place(set, path, NULL);

	*message = '\0';
	if (r == 0)
		r = judge_size(set, path, size);
	if (r < 0)
		explain(set, path, r, message, message_size);
	return r;
}

/* There is room. */
static void insert(struct staged_set *set, const char *path, struct staged_blob *blob)
{
	struct staged_file *file;
	size_t i;

	if (position_of(set, path, &i)) {
		set->bytes -= set->files[i].blob->size;
		staged_blob_unref(set->files[i].blob);
	} else {
		memmove(&set->files[i + 1], &set->files[i], (set->n - i) * sizeof(*file));
		set->n++;
	}
	file = &set->files[i];
	strcpy(file->path, path);
	file->blob = blob;
	set->bytes += blob->size;
}

/* Its blob becomes the caller's. */
static struct staged_blob *take_out(struct staged_set *set, const char *path)
{
	struct staged_blob *blob;
	size_t i;

	if (!position_of(set, path, &i))
		return NULL;
	blob = set->files[i].blob;
	set->bytes -= blob->size;
	set->n--;
	memmove(&set->files[i], &set->files[i + 1], (set->n - i) * sizeof(set->files[0]));
	return blob;
}

int staged_admits(
	struct staged *staged, const char *path, uint64_t size, char *message, size_t message_size)
{
	LOCKED(&staged->lock);

	return judge(&staged->set, path, size, message, message_size);
}

int staged_adopt(struct staged *staged, const char *path, void *data, size_t size, char *message,
	size_t message_size)
{
	struct staged_blob *blob = blob_new(data, size);
	int r;

	if (!blob) {
		snprintf(message, message_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	pthread_mutex_lock(&staged->lock);
	r = judge(&staged->set, path, size, message, message_size);
	if (r == 0)
		insert(&staged->set, path, blob);
	pthread_mutex_unlock(&staged->lock);
	if (r < 0)
		staged_blob_unref(blob);
	return r;
}

/* Nothing is copied that would be refused. */
int staged_put(struct staged *staged, const char *path, const void *data, size_t size,
	char *message, size_t message_size)
{
	void *copy;
	int r;

	r = staged_admits(staged, path, size, message, message_size);
	if (r < 0)
		return r;
	copy = malloc(size ? size : 1);
	if (!copy) {
		snprintf(message, message_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	if (size > 0)
		memcpy(copy, data, size);
	return staged_adopt(staged, path, copy, size, message, message_size);
}

int staged_remove(struct staged *staged, const char *path)
{
	struct staged_blob *blob;

	pthread_mutex_lock(&staged->lock);
	blob = take_out(&staged->set, path);
	pthread_mutex_unlock(&staged->lock);
	if (!blob)
		return -ENOENT;
	staged_blob_unref(blob);
	return 0;
}

int staged_rename(
	struct staged *staged, const char *from, const char *to, char *message, size_t message_size)
{
	LOCKED(&staged->lock);
	const struct staged_blob *blob = staged_lookup(&staged->set, from);
	int r;

	*message = '\0';
	if (!blob) {
		explain(&staged->set, from, -ENOENT, message, message_size);
		return -ENOENT;
	}
	r = judge_place(&staged->set, to, from);
	if (r == 0 && strcmp(staged_name(to), "boot.img") == 0 && blob->size > STAGED_IMAGE_MAX)
		r = -EFBIG;
	if (r < 0)
		explain(&staged->set, to, r, message, message_size);
	else if (strcmp(from, to) != 0)
		insert(&staged->set, to, take_out(&staged->set, from));
	return r;
}

void staged_clear(struct staged *staged)
{
	LOCKED(&staged->lock);

	staged_drop(&staged->set);
}

size_t staged_count(struct staged *staged)
{
	LOCKED(&staged->lock);

	return staged->set.n;
}

uint64_t staged_bytes(struct staged *staged)
{
	LOCKED(&staged->lock);

	return staged->set.bytes;
}

bool staged_at(struct staged *staged, size_t i, struct staged_entry *ret_entry)
{
	LOCKED(&staged->lock);
	const struct staged_file *file;

	if (i >= staged->set.n)
		return false;
	file = &staged->set.files[i];
	strcpy(ret_entry->path, file->path);
	ret_entry->size = file->blob->size;
	ret_entry->date = file->blob->date;
	return true;
}

ssize_t staged_read(
	struct staged *staged, const char *path, void *buffer, size_t size, uint64_t offset)
{
	LOCKED(&staged->lock);
	const struct staged_blob *blob = staged_lookup(&staged->set, path);

	if (!blob)
		return -ENOENT;
	if (offset >= blob->size)
		return 0;
	if (size > blob->size - offset)
		size = blob->size - (size_t)offset;
	memcpy(buffer, (const char *)blob->data + offset, size);
	return (ssize_t)size;
}

bool staged_is_complete(struct staged *staged)
{
	LOCKED(&staged->lock);

	for (size_t i = 0; i < staged->set.n; i++)
		if (staged_is_stage(staged->set.files[i].path))
			return true;
	return false;
}
