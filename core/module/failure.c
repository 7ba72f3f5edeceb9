#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "module/failure.h"

/* FAIL.TXT has one line for all of it. */
static void join_steps(const char *steps, char *ret, size_t size)
{
	snprintf(ret, size, "%s", steps);
	for (char *c = ret; *c; c++)
		if (*c == '\n')
			*c = ' ';
}

void failure_describe(enum failure failure, int error, const char *detail, struct cm4_failure *ret)
{
	const struct table_row *row = table_row(failure);
	const char *text = detail && *detail ? detail : row->text;

	*ret = (struct cm4_failure){
		.id = row->id,
		.error = error	      ? error
			 : row->error ? row->error
				      : EIO,
		.blame = row->blame,
	};
	snprintf(ret->text, sizeof(ret->text), "%s", text);
	join_steps(row->advice, ret->advice, sizeof(ret->advice));
}

int failure_errno(enum failure failure)
{
	return table_row(failure)->error;
}

static bool ended_a_boot(enum failure failure)
{
	return failure == FAILURE_ROM_SILENT || failure == FAILURE_ROM_NONSENSE ||
	       failure == FAILURE_ROM_LOOP || failure == FAILURE_NO_SECOND_STAGE ||
	       failure == FAILURE_SECOND_SILENT || failure == FAILURE_SECOND_NONSENSE;
}

static bool lost_the_disk(enum failure failure)
{
	return failure == FAILURE_GONE || failure == FAILURE_MEDIUM;
}

enum failure failure_refine(enum failure failure, const struct circumstances *around)
{
	if (around->asked_sig && (ended_a_boot(failure) || failure == FAILURE_NO_DISK_STAGE))
		return FAILURE_BOOT_SIG;
	if (around->full_speed && (ended_a_boot(failure) || lost_the_disk(failure)))
		return FAILURE_FULL_SPEED;
	if (around->vpu && lost_the_disk(failure))
		return FAILURE_VPU_PAYLOAD;
	if (around->stalled && lost_the_disk(failure))
		return FAILURE_WRITE_STALL;
	if (around->old_payload &&
		(failure == FAILURE_NO_SECOND_STAGE || failure == FAILURE_ROM_LOOP))
		return FAILURE_TOO_OLD;
	return failure;
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
	case EPERM:
		return FAILURE_OTP;
	case EINVAL:
	case EBADMSG:
		return FAILURE_STAGED;
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
		return FAILURE_CORRUPT; /* one that only ends early is incomplete, and has not failed */
	case EINVAL:
		return FAILURE_NOT_AN_IMAGE;
	case EIO:
	case ENODATA:
		return FAILURE_MEDIUM;
	}
	return FAILURE_INTERNAL;
}
