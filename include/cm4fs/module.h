#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cm4fs/image.h>

/*
 * One module: whoever sits at one USB port, through all of its enumerations.
 *
 * Thread: every function may be called from any thread; none waits for USB or a disk.
 * Ownership: reference-counted. A module that has left its fleet stays valid, and answers -ENODEV.
 */
struct cm4_module;

#define CM4_NAME_MAX	 64  /* a module's directory name, with its NUL */
#define CM4_PORT_MAX	 32  /* a USB port path such as 1-1.3, with its NUL */
#define CM4_DISK_MAX	 16  /* the module's own name for a disk, with its NUL */
#define CM4_LABEL_MAX	 256 /* a file name, with its NUL */
#define CM4_PATH_MAX	 512 /* a boot file's name with its directories, with its NUL */
#define CM4_DISKS_MAX	 8
#define CM4_METADATA_MAX 32

/* A state is what a person waits for; the stage beside it is what is on the bus. */
enum cm4_state {
	CM4_STATE_ROM,
	CM4_STATE_BOOTING,
	CM4_STATE_READY,
	CM4_STATE_FLASHING,
	CM4_STATE_VERIFYING,
	CM4_STATE_DONE,
	CM4_STATE_INCOMPLETE,
	CM4_STATE_FAILED,
	CM4_STATE_WAITING,
	CM4_STATE_UPDATED,
};

enum cm4_stage {
	CM4_STAGE_NONE, /* nothing on the bus */
	CM4_STAGE_ROM,
	CM4_STAGE_SECOND, /* the second-stage loader, which asks for files */
	CM4_STAGE_DISK,	  /* USB mass storage */
	CM4_STAGE_OTHER,  /* a gadget of another tool: shown, left alone */
};

/* The words of the interface ("rom", "booting", ...; "none", "rom", "second-stage", "disk", "other"). */
const char *cm4_state_to_string(enum cm4_state state);
const char *cm4_stage_to_string(enum cm4_stage stage);

enum cm4_blame {
	CM4_BLAME_USER,
	CM4_BLAME_MEDIA,
	CM4_BLAME_LINK,
	CM4_BLAME_MODULE,
	CM4_BLAME_INTERNAL
};

const char *cm4_blame_to_string(enum cm4_blame blame);

/* What went wrong, for FAIL.TXT: error 0 means nothing did. */
struct cm4_failure {
	int error;	/* a positive errno */
	const char *id; /* the finding's word (diagnosis.h), constant */
	enum cm4_blame blame;
	char text[256];
	char advice[1024];
};

struct cm4_disk_status {
	char name[CM4_DISK_MAX];
	uint64_t bytes; /* 0: no medium */
};

/* What is proved of an image before it is called good. */
enum cm4_verify {
	CM4_VERIFY_OFF,	     /* nothing */
	CM4_VERIFY_READBACK, /* every byte is read back over USB: that proves the link and the host */
	CM4_VERIFY_MEDIUM, /* the module itself reads its medium and hashes it; readback where it cannot */
};

/* The words of the interface: off, readback, medium. from: 0 or -EINVAL. */
const char *cm4_verify_to_string(enum cm4_verify verify);
int cm4_verify_from_string(const char *word, enum cm4_verify *ret_verify);

struct cm4_image_status {
	char name[CM4_LABEL_MAX];
	const char *
		format; /* of what was dropped: "raw", "xz", "gz", "zst", "bz2", "lz4", "zip"; static */
	uint64_t bytes_in; /* of the raw image, taken from the writer or decoded from what came */
	uint64_t bytes_total;	   /* 0: not known */
	uint64_t bytes_written;	   /* given to the disk, zeros included */
	uint64_t bytes_proved;	   /* of those; what is written again counts again in both */
	uint64_t bytes_per_second; /* of bytes_written, over the flash so far */
	enum cm4_verify verify;	   /* how it is proved, or is going to be */
	char verify_reason[160];   /* why by readback although medium was asked for; else "" */
	bool has_sha256_dropped,
		has_sha256_raw; /* of the file as it came, and of the raw image; once whole */
	unsigned char sha256_dropped[32], sha256_raw[32];
	bool whole;
	struct timespec started, ended; /* CLOCK_REALTIME; ended is 0 while it goes on */
};

struct cm4_metadata {
	char key[64];
	char value[192];
};

/* A copy of what is known at one moment: owned by the caller, nothing in it points anywhere. */
struct cm4_status {
	uint64_t id; /* never used twice in one process */
	char name[CM4_NAME_MAX];
	char serial[CM4_NAME_MAX]; /* "" where the ROM has none */
	char port[CM4_PORT_MAX];
	char model[16];
	unsigned link_mbps; /* 12, 480, 5000; 0 unknown */
	enum cm4_stage stage;
	enum cm4_state state;
	bool gone;
	char payload[256]; /* which boot files it is served; "" none found */
	struct cm4_metadata metadata[CM4_METADATA_MAX];
	size_t n_metadata;
	struct cm4_disk_status disks[CM4_DISKS_MAX];
	size_t n_disks;
	bool has_image;
	struct cm4_image_status image;
	struct cm4_failure failure;
	struct timespec since;	    /* CLOCK_REALTIME of the last change of state */
	struct timespec first_seen; /* CLOCK_REALTIME */
	unsigned boot_ms; /* from the first byte served to its disk; 0: not booted by us */
};

struct cm4_module *cm4_module_ref(struct cm4_module *module);
void cm4_module_unref(struct cm4_module *module); /* NULL is accepted */

uint64_t cm4_module_id(const struct cm4_module *module);
const char *cm4_module_name(const struct cm4_module *module); /* fixed for the module's life */
const char *cm4_module_port(const struct cm4_module *module);

void cm4_module_status(struct cm4_module *module, struct cm4_status *ret_status);

/* The module's log so far, NUL-terminated; free() it. NULL when out of memory. @ret_size: without the NUL. */
char *cm4_module_log(struct cm4_module *module, size_t *ret_size);

/*
 * A new, empty image for @disk (NULL: mmcblk0), labelled @label. Nothing starts before its first byte.
 * 0 or -errno: ENODEV (gone), ENXIO (@disk is known not to be there), ENOMEM.
 */
int cm4_module_drop(struct cm4_module *module, const char *disk, const char *label,
	struct cm4_image **ret_image);

/* The raw disk; all who have it open share one. 0 or -errno: ENXIO (no such disk now), ENODEV, ENOMEM. */
int cm4_module_raw(struct cm4_module *module, const char *disk, struct cm4_image **ret_image);

/*
 * A file that says something about an image: a bmap, or a list of SHA-256 sums. @name is its own, without what a
 * copying program makes of it for the time being; one of that name before is replaced. @text is copied. @done is
 * called once, from any thread, perhaps before this returns: 0; -EINVAL: it cannot be understood, and the module's log
 * says why; -EBADMSG: it is not what its own checksum is of, or the image on the disk is not what it says; -EFBIG;
 * -ENOMEM; -ENAMETOOLONG; or what reading the disk came to.
 */
void cm4_module_sidecar(struct cm4_module *module, const char *name, const void *text, size_t size,
	void (*done)(void *data, int result), void *data);
/*
 * Compares an image of the module's that may have another label now with the lists of sums, if they speak of it and it
 * is whole; @done as above.
 */
void cm4_module_compare(struct cm4_module *module, struct cm4_image *image,
	void (*done)(void *data, int result), void *data);
void cm4_module_forget_sidecar(struct cm4_module *module, const char *name); /* of any name */
bool cm4_is_sidecar(const char *name);					     /* pure */

/*
 * A boot file that is staged for this module alone: it lies over the payload. @path is relative, with directories:
 * "config.txt", "2711/mcb.bin"; one of that name before is replaced. @data, of malloc, becomes the module's, in
 * failure, too. Two seconds after the last one, and while none is being written, a set that is complete in itself is
 * booted, where the module is in its ROM. 0; or, and the module's log says why: -EINVAL: no such name can be asked for;
 * -EPERM: it would burn one-time-programmable memory; -EISDIR, -ENOTDIR; -EFBIG; -ENOSPC: too many, or too much in all;
 * -ENODEV: the module left; -ENOMEM.
 */
#define CM4_BOOT_FILE_MAX (128u << 20)
int cm4_module_stage(struct cm4_module *module, const char *path, void *data, size_t size);
void cm4_module_unstage(struct cm4_module *module, const char *path); /* of any name */
/* Somebody has one open for writing, or not any more. */
void cm4_module_staging(struct cm4_module *module, bool begins);

/*
 * A verb of the control file. @done is called once, from any thread, perhaps before this returns, with
 * what came of it: 0 or -errno (EINVAL: no such verb; ENODEV: the module left; else the verb's own error).
 */
enum cm4_verb {
	CM4_VERB_BOOT,
	CM4_VERB_CANCEL,
	CM4_VERB_EJECT,
	CM4_VERB_VERIFY, /* ENODATA: nothing to prove it by; EBUSY; EBADMSG: it is not whole; ESTALE: overwritten */
	CM4_VERB_CLEAR,
};

int cm4_verb_from_string(const char *word, enum cm4_verb *ret_verb); /* 0 or -EINVAL */
const char *cm4_verb_to_string(enum cm4_verb verb);
void cm4_module_control(struct cm4_module *module, enum cm4_verb verb,
	void (*done)(void *data, int result), void *data);
