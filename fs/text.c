#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "util/hex.h"

#define MIB (1024.0 * 1024.0)

/* A stream into @ret_text; finish() it. */
struct page {
	FILE *stream;
	struct fs_text text;
};

static int begin(struct page *page)
{
	*page = (struct page){0};
	page->stream = open_memstream(&page->text.data, &page->text.size);
	return page->stream ? 0 : -ENOMEM;
}

static int finish(struct page *page, struct fs_text *ret_text)
{
	int failed = ferror(page->stream);

	if (fclose(page->stream) || failed) {
		free(page->text.data);
		return -ENOMEM;
	}
	*ret_text = page->text;
	return 0;
}

static int from_string(const char *string, struct fs_text *ret_text)
{
	char *copy = strdup(string);

	if (!copy)
		return -ENOMEM;
	*ret_text = (struct fs_text){.data = copy, .size = strlen(copy)};
	return 0;
}

int fs_text_readme(struct fs_text *ret_text)
{
	return from_string(
		"Each Compute Module that is connected in USB boot mode is a directory here.\n"
		"\n"
		"To flash one, copy a disk image into its directory:   cp image.img.xz af04b2da/\n"
		"It may be compressed: xz, gz, zst, bz2, lz4, zip. Copy its .bmap or SHA256SUMS "
		"first.\n"
		"When the copy ends without an error, the image is on the module's disk.\n"
		"\n"
		"To save its disk:      cp af04b2da/mmcblk0.img backup.img   (after: echo boot > "
		"control)\n"
		"To restore it:         cp backup.img af04b2da/mmcblk0.img\n"
		"\n"
		"af04b2da/DETAILS.TXT   what is known of the module and of the copy\n"
		"af04b2da/FAIL.TXT      is there when something failed: what, and what to do\n"
		"af04b2da/status.json   the same for programs; status.json beside this file has "
		"every module\n"
		"af04b2da/log           what happened to it\n"
		"af04b2da/boot/         boot files for this module alone\n"
		"af04b2da/control       echo boot, cancel, eject, verify or clear into it\n"
		"by-port/               the modules by USB port\n"
		"DIAGNOSIS.TXT          nothing shows up, or something fails: why, and what to "
		"try\n"
		"\n"
		"fusermount3 -u on this directory ends it; removing a copied file erases "
		"nothing.\n",
		ret_text);
}

int fs_text_control(struct fs_text *ret_text)
{
	return from_string(
		"boot    boot the module until its disk is here\n"
		"cancel  stop what is under way\n"
		"eject   write everything out and let the disk go: safe to unplug\n"
		"verify  prove once more that the disk holds the last image\n"
		"clear   forget the failure, the last image and what was dropped beside it\n",
		ret_text);
}

/* Of what must be on the disk, holes included. What is written twice counts twice, but is never all. */
static double progress(const struct cm4_image_status *image)
{
	double percent = 100.0 * (double)image->bytes_written / (double)image->bytes_total;

	if (image->whole)
		return 100.0;
	return percent < 99.9 ? percent : 99.9;
}

static void proof(FILE *stream, const struct cm4_image_status *image)
{
	switch (image->verify) {
	case CM4_VERIFY_OFF:
		fprintf(stream, "Image proved: no (verify is off)\n");
		return;
	case CM4_VERIFY_READBACK:
	case CM4_VERIFY_MEDIUM:
		break;
	}
	fprintf(stream, "Image bytes proved: %" PRIu64 "\n", image->bytes_proved);
	fprintf(stream, "Image proved: %s, %s\n", image->whole ? "yes" : "not all of it",
		image->verify == CM4_VERIFY_MEDIUM
			? "by the module's own reading of its medium"
			: "by reading it back over USB, which shows the module's cache");
	if (*image->verify_reason)
		fprintf(stream, "Why not by the medium: %s\n", FS_ASCII(image->verify_reason));
}

static void sum(FILE *stream, const char *what, bool known, const unsigned char hash[32])
{
	char text[65];

	if (!known)
		return;
	hex_encode(hash, 32, text);
	fprintf(stream, "Image SHA-256 %s: %s\n", what, text);
}

static void image(FILE *stream, const struct cm4_image_status *image)
{
	char time[32];

	fprintf(stream, "Image: %s\n", FS_UTF8(image->name));
	fprintf(stream, "Image format: %s\n", image->format);
	sum(stream, "as it was dropped", image->has_sha256_dropped, image->sha256_dropped);
	sum(stream, "of the raw image", image->has_sha256_raw, image->sha256_raw);
	fprintf(stream, "Image bytes taken: %" PRIu64 "\n", image->bytes_in);
	if (image->bytes_total)
		fprintf(stream, "Image bytes in all: %" PRIu64 "\n", image->bytes_total);
	fprintf(stream, "Image bytes written: %" PRIu64 "\n", image->bytes_written);
	if (image->bytes_total)
		fprintf(stream, "Progress: %.1f%%\n", progress(image));
	fprintf(stream, "Rate: %.1f MiB/s\n", (double)image->bytes_per_second / MIB);
	fprintf(stream, "Image whole: %s\n", image->whole ? "yes" : "no");
	proof(stream, image);
	fprintf(stream, "Image started: %s\n", fs_clean_time(&image->started, time));
	if (image->ended.tv_sec)
		fprintf(stream, "Image ended: %s\n", fs_clean_time(&image->ended, time));
}

int fs_text_details(const struct cm4_status *status, struct fs_text *ret_text)
{
	struct page page;
	char time[32];
	int r = begin(&page);

	if (r < 0)
		return r;
	fprintf(page.stream, "Name: %s\n", FS_ASCII(status->name));
	fprintf(page.stream, "Serial: %s\n", *status->serial ? FS_ASCII(status->serial) : "none");
	fprintf(page.stream, "Model: %s\n", *status->model ? FS_ASCII(status->model) : "unknown");
	fprintf(page.stream, "Port: %s\n", FS_ASCII(status->port));
	if (status->link_mbps)
		fprintf(page.stream, "Link: %u Mbit/s\n", status->link_mbps);
	fprintf(page.stream, "Stage: %s\n", cm4_stage_to_string(status->stage));
	fprintf(page.stream, "State: %s%s\n", cm4_state_to_string(status->state),
		status->gone ? " (gone)" : "");
	fprintf(page.stream, "Since: %s\n", fs_clean_time(&status->since, time));
	fprintf(page.stream, "First seen: %s\n", fs_clean_time(&status->first_seen, time));
	fprintf(page.stream, "Payload: %s\n",
		*status->payload ? FS_UTF8(status->payload) : "none found");
	if (status->boot_ms)
		fprintf(page.stream, "Boot time: %u ms\n", status->boot_ms);
	for (size_t i = 0; i < status->n_disks; i++)
		fprintf(page.stream, "Disk: %s, %" PRIu64 " bytes\n",
			FS_ASCII(status->disks[i].name), status->disks[i].bytes);
	for (size_t i = 0; i < status->n_metadata; i++)
		fprintf(page.stream, "Firmware %s: %s\n", FS_ASCII(status->metadata[i].key),
			FS_ASCII(status->metadata[i].value));
	if (status->has_image)
		image(page.stream, &status->image);
	return finish(&page, ret_text);
}

int fs_text_fail(const struct cm4_status *status, struct fs_text *ret_text)
{
	struct page page;
	int r = begin(&page);

	if (r < 0)
		return r;
	fprintf(page.stream, "error: %s\n", FS_UTF8(status->failure.text));
	fprintf(page.stream, "type: %s\n", cm4_blame_to_string(status->failure.blame));
	fprintf(page.stream, "advice: %s\n", FS_UTF8(status->failure.advice));
	return finish(&page, ret_text);
}
