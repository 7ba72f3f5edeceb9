#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "payload/bootfiles.h"
#include "payload/layout.h"
#include "payload/payload.h"
#include "util/cleanup.h"

#define READ_BLOCK_SIZE 16384

struct member {
	char *path;
	void *data;
	size_t size;
};

struct bootfiles {
	struct member members[BOOTFILES_MEMBERS_MAX];
	size_t n;
	size_t total; /* of the members' sizes */
};

/* What libarchive reads from. */
struct reader {
	struct payload_file *file;
	uint64_t offset;
	uint8_t block[READ_BLOCK_SIZE];
};

static la_ssize_t read_block(struct archive *archive, void *data, const void **ret_block)
{
	struct reader *reader = data;
	uint64_t left = payload_file_size(reader->file) - reader->offset;
	size_t n = left < READ_BLOCK_SIZE ? (size_t)left : READ_BLOCK_SIZE;

	if (payload_file_read(reader->file, reader->block, n, reader->offset) < 0) {
		archive_set_error(archive, EIO, "it cannot be read");
		return -1;
	}
	reader->offset += n;
	*ret_block = reader->block;
	return (la_ssize_t)n;
}

static void cleanup_archive(struct archive **archive)
{
	if (*archive)
		archive_read_free(*archive);
}

static void cleanup_bootfiles(struct bootfiles **bootfiles)
{
	bootfiles_free(*bootfiles);
}

void bootfiles_free(struct bootfiles *bootfiles)
{
	if (!bootfiles)
		return;
	for (size_t i = 0; i < bootfiles->n; i++) {
		free(bootfiles->members[i].path);
		free(bootfiles->members[i].data);
	}
	free(bootfiles);
}

static int archive_failed(struct archive *archive, char *message, size_t size)
{
	const char *text = archive_error_string(archive);

	if (archive_errno(archive) == ENOMEM)
		return -ENOMEM;
	snprintf(message, size, "%s", text ? text : "it cannot be read");
	return archive_errno(archive) == EIO ? -EIO : -EBADMSG;
}

static int refuse(const char *what, char *message, size_t size)
{
	snprintf(message, size, "%s", what);
	return -EBADMSG;
}

/* Exactly as much as the member's header promised: less is a damaged file. */
static int read_data(struct archive *archive, struct member *member, char *message, size_t size)
{
	size_t done = 0;

	while (done < member->size) {
		la_ssize_t n = archive_read_data(
			archive, (char *)member->data + done, member->size - done);

		if (n < 0)
			return archive_failed(archive, message, size);
		if (n == 0)
			return refuse("a member is shorter than it says", message, size);
		done += (size_t)n;
	}
	return 0;
}

static int load_member(struct bootfiles *bootfiles, struct archive *archive, const char *path,
	uint64_t member_size, char *message, size_t size)
{
	struct member *member = &bootfiles->members[bootfiles->n];

	if (bootfiles->n == BOOTFILES_MEMBERS_MAX)
		return refuse("it has too many members", message, size);
	if (member_size > BOOTFILES_SIZE_MAX - bootfiles->total)
		return refuse("its members are too large", message, size);

	member->size = (size_t)member_size;
	member->path = strdup(path);
	member->data = malloc(member->size ? member->size : 1);
	bootfiles->n++;
	bootfiles->total += member->size;
	if (!member->path || !member->data)
		return -ENOMEM;
	return read_data(archive, member, message, size);
}

/* Directories and links are passed over: members have no path outside the tar to lead to. */
static int load_entry(struct bootfiles *bootfiles, struct archive *archive,
	struct archive_entry *entry, char *message, size_t size)
{
	const char *path = archive_entry_pathname(entry);
	la_int64_t member_size = archive_entry_size(entry);

	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) || !path)
		return 0;
	if (member_size < 0)
		return refuse("a member has no size", message, size);
	if (strncmp(path, "./", 2) == 0)
		path += 2;
	return load_member(bootfiles, archive, path, (uint64_t)member_size, message, size);
}

static int load_entries(
	struct bootfiles *bootfiles, struct archive *archive, char *message, size_t size)
{
	struct archive_entry *entry;
	int r;

	for (;;) {
		r = archive_read_next_header(archive, &entry);
		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return archive_failed(archive, message, size);
		r = load_entry(bootfiles, archive, entry, message, size);
		if (r < 0)
			return r;
	}
	return bootfiles->n > 0 ? 0 : refuse("there is no file in it", message, size);
}

/* No compression and no other format, for rpiboot's own reader takes none. */
int bootfiles_load(
	struct payload_file *file, struct bootfiles **ret_bootfiles, char *message, size_t size)
{
	_cleanup_(cleanup_bootfiles) struct bootfiles *bootfiles = NULL;
	_cleanup_(cleanup_archive) struct archive *archive = NULL;
	struct reader reader = {.file = file};
	int r;

	*message = '\0';
	if (payload_file_size(file) > BOOTFILES_SIZE_MAX)
		return refuse("it is too large", message, size);

	bootfiles = calloc(1, sizeof(*bootfiles));
	archive = archive_read_new();
	if (!bootfiles || !archive)
		return -ENOMEM;

	if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
		archive_read_open(archive, &reader, NULL, read_block, NULL) != ARCHIVE_OK)
		return archive_failed(archive, message, size);

	r = load_entries(bootfiles, archive, message, size);
	if (r < 0)
		return r;

	*ret_bootfiles = bootfiles;
	bootfiles = NULL;
	return 0;
}

/* Of ASCII alone, whatever the locale. */
static bool is_same(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
		char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;

		if (x != y)
			return false;
	}
	return *a == *b;
}

bool bootfiles_find(const struct bootfiles *bootfiles, const char *folder, const char *name,
	const void **ret_data, size_t *ret_size)
{
	char path[LAYOUT_PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (size_t i = 0; i < bootfiles->n; i++) {
		if (is_same(bootfiles->members[i].path, path)) {
			*ret_data = bootfiles->members[i].data;
			*ret_size = bootfiles->members[i].size;
			return true;
		}
	}
	return false;
}
