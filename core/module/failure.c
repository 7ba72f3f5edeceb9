#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "module/failure.h"

struct row {
	int error;
	enum cm4_blame blame;
	const char *text;
	const char *advice;
};

static const struct row rows[FAILURE_N] = {
	[FAILURE_NO_PAYLOAD] = {ENOPKG, CM4_BLAME_USER,
		"no boot files for this module on this host",
		"Install the rpiboot package, or give its mass-storage-gadget64 directory with "
		"--payload=DIR."},
	[FAILURE_PAYLOAD_UNREADABLE] = {EIO, CM4_BLAME_USER,
		"a boot file could not be read on this host",
		"Check the payload directory named in DETAILS.TXT, and the disk that it lies on."},
	[FAILURE_ACCESS] = {EACCES, CM4_BLAME_USER,
		"this user may not open the module's USB device or disk",
		"Run cm4fs as root, or give this user the right to the device."},
	[FAILURE_ROM_SILENT] = {ETIMEDOUT, CM4_BLAME_LINK,
		"the boot ROM is on the bus but does not answer",
		"Unplug the module, try another cable and port without a hub, and plug it in "
		"again."},
	[FAILURE_ROM_NONSENSE] = {EPROTO, CM4_BLAME_LINK, "the boot ROM broke the protocol",
		"Try another cable and port without a hub; unplug the module and plug it in "
		"again."},
	[FAILURE_ROM_REFUSED] = {EPROTO, CM4_BLAME_MODULE, "the boot ROM refused the second stage",
		"The second stage is for another chip, or not signed for this locked module: check "
		"the "
		"payload."},
	[FAILURE_ROM_LOOP] = {EPROTO, CM4_BLAME_MODULE,
		"the boot ROM took the second stage, and came back as boot ROM each time",
		"The second stage is damaged, too old for this board, or not signed for it: try a "
		"current payload."},
	[FAILURE_NO_SECOND_STAGE] = {ENODEV, CM4_BLAME_LINK,
		"the boot ROM took the second stage, and the module never came back on its port",
		"Check power and cable; the second stage may be too old for this board: try a "
		"current payload."},
	[FAILURE_SECOND_SILENT] = {ETIMEDOUT, CM4_BLAME_MODULE, "the second stage fell silent",
		"A boot file may be missing or damaged: see the last file in log. Unplug the "
		"module and plug it in again."},
	[FAILURE_SECOND_NONSENSE] = {EPROTO, CM4_BLAME_LINK,
		"the second stage kept sending what is no request",
		"Try another cable and port without a hub; unplug the module and plug it in "
		"again."},
	[FAILURE_NO_DISK_STAGE] = {ENODEV, CM4_BLAME_MODULE,
		"the module took its boot files and never came back as a disk",
		"See log for the last file served. Check power; try the mass-storage-gadget64 "
		"payload."},
	[FAILURE_NO_DISK] = {ENOMEDIUM, CM4_BLAME_MEDIA,
		"the module came up as mass storage but shows no eMMC or card",
		"A Lite module needs an SD card; otherwise its eMMC is disabled or dead."},
	[FAILURE_NO_MEDIUM] = {ENOMEDIUM, CM4_BLAME_MEDIA, "the module's disk has no medium",
		"A Lite module needs an SD card; otherwise its eMMC is disabled or dead."},
	[FAILURE_OTHER_GADGET] = {EPROTO, CM4_BLAME_USER, "the module runs another tool's gadget",
		"Finish with that tool, then power the module up in boot mode again."},
	[FAILURE_GONE] = {ENODEV, CM4_BLAME_LINK, "the module left the bus",
		"Check cable, power and seating, plug it in again and copy again."},
	[FAILURE_CANCELLED] = {ECANCELED, CM4_BLAME_USER, "cancelled by control",
		"Copy again when ready."},
	[FAILURE_DISK_HELD] = {EBUSY, CM4_BLAME_USER,
		"the module's disk is mounted, or held by another program",
		"Unmount every partition of it and close the programs that use it, then copy "
		"again."},
	[FAILURE_TOO_LARGE] = {ENOSPC, CM4_BLAME_USER, "the image is larger than the disk",
		"Use a smaller image, or a module with a larger disk."},
	[FAILURE_NOT_WHOLE] = {EBADMSG, CM4_BLAME_USER, "the image is not whole",
		"Copy it again from the start, or append what is missing."},
	[FAILURE_NOT_AN_IMAGE] = {EINVAL, CM4_BLAME_USER, "this is not a disk image",
		"Copy an image with a partition table or a filesystem, unpacked if it is "
		"compressed; "
		"--raw lets anything through."},
	[FAILURE_MEDIUM] = {EIO, CM4_BLAME_MEDIA, "the module's disk failed to read or write",
		"Copy again; if it fails at the same place, the eMMC or card is worn out or "
		"broken."},
	[FAILURE_INTERNAL] = {EIO, CM4_BLAME_INTERNAL, "cm4fs failed",
		"See log and the system log; please report this."},
};

void failure_describe(enum failure failure, int error, const char *detail, struct cm4_failure *ret)
{
	const struct row *row = &rows[failure];
	const char *text = detail && *detail ? detail : row->text;

	*ret = (struct cm4_failure){.error = error ? error : row->error, .blame = row->blame};
	snprintf(ret->text, sizeof(ret->text), "%s", text);
	snprintf(ret->advice, sizeof(ret->advice), "%s", row->advice);
}

int failure_errno(enum failure failure)
{
	return rows[failure].error;
}

enum failure failure_of_dialogue(enum cm4_stage with, int error)
{
	bool rom = with == CM4_STAGE_ROM;

	switch (-error) {
	case ETIMEDOUT:
		return rom ? FAILURE_ROM_SILENT : FAILURE_SECOND_SILENT;
	case EPROTO:
	case EPIPE:
		return rom ? FAILURE_ROM_NONSENSE : FAILURE_SECOND_NONSENSE;
	case ENOEXEC:
		return FAILURE_ROM_REFUSED;
	case ENOPKG:
		return FAILURE_NO_PAYLOAD;
	case EIO:
		return FAILURE_PAYLOAD_UNREADABLE;
	case EACCES:
		return FAILURE_ACCESS;
	case ECANCELED:
		return FAILURE_CANCELLED;
	}
	return FAILURE_INTERNAL;
}

enum failure failure_of_timeout(enum cm4_stage with, enum cm4_stage now)
{
	switch (now) {
	case CM4_STAGE_NONE:
		return with == CM4_STAGE_ROM ? FAILURE_NO_SECOND_STAGE : FAILURE_NO_DISK_STAGE;
	case CM4_STAGE_ROM:
		return FAILURE_ROM_SILENT;
	case CM4_STAGE_SECOND:
		return FAILURE_SECOND_SILENT;
	case CM4_STAGE_DISK:
		return FAILURE_NO_DISK;
	case CM4_STAGE_OTHER:
		return FAILURE_OTHER_GADGET;
	}
	return FAILURE_INTERNAL;
}

enum failure failure_of_disk(int error)
{
	switch (error) {
	case ENODEV:
	case ENXIO:
		return FAILURE_GONE;
	case ECANCELED:
		return FAILURE_CANCELLED;
	case EBUSY:
		return FAILURE_DISK_HELD;
	case ENOMEDIUM:
		return FAILURE_NO_MEDIUM;
	case EACCES:
	case EPERM:
	case EROFS:
		return FAILURE_ACCESS;
	case ENOSPC:
	case EFBIG:
		return FAILURE_TOO_LARGE;
	case EBADMSG:
		return FAILURE_NOT_WHOLE;
	case EINVAL:
		return FAILURE_NOT_AN_IMAGE;
	case EIO:
	case ENODATA:
		return FAILURE_MEDIUM;
	}
	return FAILURE_INTERNAL;
}
