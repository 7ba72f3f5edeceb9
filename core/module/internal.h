#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include <cm4fs/fleet.h>
#include <cm4fs/module.h>

#include "boot/chip.h"
#include "module/identity.h"
#include "module/journal.h"
#include "module/life.h"
#include "module/stall.h"
#include "payload/payload.h"
#include "seam/backend.h"

/*
 * The inside of a module, shared by the files of this room alone.
 *
 *	module.c     creation, references, status, feeding the life machine
 *	worker.c     the module's thread: does what the life machine asks for, keeps its timer
 *	admission.c  who gets the disk: images wanting, holding and leaving it
 *	news.c       what is told of it to the fleet's listener, in order
 *	images.c     which image was dropped last, and which are on the disks
 *	sidecars.c   what bmaps and lists of sums say of images
 *	bootfiles.c  boot files: those staged for it, over the payload of all
 *	control.c    the verbs of the control file
 *	circumstances.c  what is seen around a module, and explains its failures
 *	witness.c    the fleet's: follows the kernel's log
 *	report.c     the fleet's: what is wrong, all of it
 *
 * Lock order: fleet->lock, then module->lock, then an image's own lock. None is held across USB, a
 * disk, a callback to the listener, or a completion. The one exception is usb->ops->abort, which
 * does not block.
 */

/* An image that wants or holds a disk of this module, with a reference. Guarded by the module's lock. */
struct claim {
	struct cm4_image *image;
	bool writable;
	bool aborted;
	enum { CLAIM_WANTED, CLAIM_HELD, CLAIM_CLOSED } state;
	TAILQ_ENTRY(claim) link;
};

/* A verb whose answer is still out. Guarded by the module's lock. */
struct waiter {
	void (*done)(void *data, int result);
	void *data;
	TAILQ_ENTRY(waiter) link;
};
TAILQ_HEAD(waiter_list, waiter);

/* What has happened and has not been told yet (news.c). Guarded by the module's lock. */
struct news;
TAILQ_HEAD(news_list, news);

struct module_disk {
	struct cm4_disk_status status;
	struct cm4_image *raw; /* made when first asked for, kept until the disk leaves */
	struct cm4_image
		*image; /* whose bytes are on it, as far as they are; with a reference, or NULL */
};

struct cm4_module {
	/* Fixed from creation on. */
	atomic_uint refs;
	uint64_t id;
	char name[CM4_NAME_MAX];
	char port[CM4_PORT_MAX];
	struct cm4_fleet *fleet; /* outlives the thread; not to be used once left is set */
	struct journal *journal; /* has its own lock */
	struct staged *staged;	 /* likewise */
	pthread_t thread;

	struct stall stall; /* atomic */

	/* The thread's own: what is served in the boot under way. */
	struct payload *serving, *overlay; /* overlay: of what is staged, or NULL */

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t wake;  /* of the thread: work to do, or a new deadline */
	struct life life;
	unsigned todo;	      /* life actions not taken yet */
	bool stirred;	      /* a claim has changed */
	uint64_t deadline_ns; /* UINT64_MAX: none */
	uint64_t quiet_ns;    /* when what is staged is booted; UINT64_MAX: it is not */
	unsigned n_staging;   /* boot files open for writing */
	bool restaged;	      /* since any of them was opened */
	bool spent;	      /* what is staged has written the EEPROM, and is served no more */
	bool asked_eeprom;    /* in this boot, an EEPROM's image was asked for */
	bool left;	      /* out of the fleet: nothing begins any more */
	bool ended;	      /* the thread has nothing more to do, and may be joined */

	char serial[CM4_NAME_MAX];
	const struct boot_chip *chip; /* NULL while unknown */
	unsigned link_mbps;
	struct usb_device *usb; /* open while a dialogue runs, for abort */
	struct timespec since, first_seen;
	uint64_t boot_began_ns;
	unsigned boot_ms;
	struct cm4_failure failure;
	struct circumstances around;
	unsigned sig_asked; /* times in a row that boot.sig was asked for, and missing */
	struct cm4_metadata metadata[CM4_METADATA_MAX];
	size_t n_metadata;
	struct module_disk disks[CM4_DISKS_MAX];
	size_t n_disks;

	struct cm4_image *image; /* the one last dropped, with a reference */
	TAILQ_HEAD(, sidecar) sidecars;
	TAILQ_HEAD(, claim) claims;
	struct waiter_list boot_waiters, cancel_waiters, clear_waiters, eject_waiters;
	struct news_list news;
	bool telling; /* somebody is: what is added meanwhile he tells, too */

	TAILQ_ENTRY(cm4_module) link; /* in the fleet's list, under the fleet's lock */
};

/* The disk that a dropped image goes to, by the gadget's name for it (PROTOCOL, "The disk"). */
#define MODULE_MAIN_DISK "mmcblk0"

struct module_origin {
	uint64_t id;
	const char *name, *port, *serial;
	const struct boot_chip *chip;
	enum cm4_stage stage;
	unsigned link_mbps;
};

/* module.c. The new module has one reference, its fleet's, and a running thread. 0 or -errno. */
int module_new(struct cm4_fleet *fleet, const struct module_origin *origin,
	struct cm4_module **ret_module);

/*
 * Feed the life machine: the one way in which a module's state changes. Takes the lock; tells the
 * listener after it. @detail replaces the failure's sentence where the event fails; NULL: the
 * table's.
 */
void module_feed(struct cm4_module *module, enum life_event event, int error, const char *detail);

void module_usb_attached(struct cm4_module *module, enum boot_kind kind,
	const struct usb_identity *usb, const struct boot_chip *chip);
void module_usb_detached(struct cm4_module *module); /* takes its disks along */
void module_disk_attached(struct cm4_module *module, const struct block_identity *disk);
void module_disk_detached(struct cm4_module *module, const char *name);
void module_wake(struct cm4_module *module); /* lock held */

/* Nothing begins any more; the thread ends everything, and then itself. */
void module_leave(struct cm4_module *module);

void module_copy_status(struct cm4_module *module, struct cm4_status *ret); /* lock held */

/*
 * news.c. A change is added with the lock held, at the moment it takes effect, and told when the lock is free again:
 * so what is told of a module is in order, whichever threads it came from, and nobody waits to tell it. add_file
 * takes the lock itself.
 */
void news_add(struct cm4_module *module, enum cm4_change change);
void news_add_file(struct cm4_module *module, const char *name, uint64_t bytes, bool found);
void news_tell(struct cm4_fleet *fleet, struct cm4_module *module);
void news_forget(struct cm4_module *module); /* untold */

/* worker.c */
void *module_thread(void *module);

/* admission.c */

void admission_run(struct cm4_module *module); /* thread: admit, refuse, reap, as things stand */
void admission_refuse(
	struct cm4_module *module, int error, const char *text); /* thread: all who wait */
void admission_abort(
	struct cm4_module *module, int error, const char *text); /* every image on a disk */
bool admission_idle(struct cm4_module *module); /* lock held: no image wants or holds a disk */
/* Lock held: somebody still writes, or means to. */
bool admission_writing(struct cm4_module *module);
/* Lock held: a disk is open for writing, if only to be closed. */
bool admission_held(struct cm4_module *module);
struct module_disk *module_find_disk(
	struct cm4_module *module, const char *name); /* lock held; or NULL */

/* images.c. All but take: on the thread of an event or of the module's; tell the listener. */

/* It was dropped last. The one before stays what it is while it is on a disk; else it goes. */
void images_make_current(struct cm4_module *module, struct cm4_image *image);
/* It is on the disk from now on, and what was there is no more. */
void images_put_on_disk(struct cm4_module *module, struct cm4_image *image);
/* The raw disk is going to be written: what was proved of the image on it says nothing any more. */
void images_overwrite(struct cm4_module *module, const struct cm4_image *raw);
/* One of them, with the module's reference, which is the caller's now. NULL: there is none any more. */
struct cm4_image *images_take(struct cm4_module *module);

/* sidecars.c. Lock not held. apply: of an image that begins, or goes on; 0 or -errno, and then it has no bmap. */
struct sums_wanted;
int sidecars_apply(struct cm4_module *module, struct cm4_image *image);
void sidecars_wanted(struct cm4_module *module, const char *label, struct sums_wanted *ret_wanted);
void sidecars_clear(struct cm4_module *module);

/*
 * circumstances.c. What boot files there are for each chip, in the order of the table of chips: a payload never
 * changes, so nobody has to open its files with a lock in hand. @payload may be NULL.
 */
#define MODULE_CHIPS_MAX 8
struct payload_looks {
	struct payload_look of[MODULE_CHIPS_MAX];
};
void module_look_at_payload(struct payload *payload, struct payload_looks *ret);

/* The rest with the lock held: what is seen around it. */
struct payload_look module_payload_look(struct cm4_module *module); /* all zeros: none */
void module_notice_link(struct cm4_module *module, enum cm4_stage stage, unsigned mbps);
void module_notice_disk(struct cm4_module *module, uint16_t product);
void module_notice_served(struct cm4_module *module, const char *name, bool found);
void module_notice_boot(struct cm4_module *module); /* one begins */
/* Life's failure, explained, becomes the module's. @detail: what is known of it; NULL: nothing */
void module_describe(struct cm4_module *module, const char *detail);

/*
 * bootfiles.c. begin, end and update on the thread. begin: what this boot serves, in module->serving: 0; -ENOPKG; or,
 * with a sentence, what staged_check and otp_check_payload come to. update: whether this boot was to write an EEPROM,
 * and then whether it did, 0 or -EIO with a sentence. notice_served: lock held. quiet: the time has come.
 */
int bootfiles_begin(
	struct cm4_module *module, const struct boot_chip *chip, char *message, size_t size);
void bootfiles_end(struct cm4_module *module);
void bootfiles_notice_served(struct cm4_module *module, const char *name);
bool bootfiles_update(struct cm4_module *module, int *ret_result, char *message, size_t size);
void bootfiles_quiet(struct cm4_module *module);
void bootfiles_clear(struct cm4_module *module);

/* control.c */
void control_answer_boot(struct cm4_module *module, int result); /* thread */
void control_answer_cancel(
	struct cm4_module *module, bool left); /* thread; does nothing while there is more to do */
void control_answer_clear(
	struct cm4_module *module, bool left); /* thread; does nothing while a disk is held */
void control_answer_eject(
	struct cm4_module *module, bool left); /* thread; does nothing while a disk is held */

/* fleet.c */
const struct cm4_fleet_config *fleet_config(struct cm4_fleet *fleet);
/* Adds the news, and tells it. */
void fleet_changed(struct cm4_fleet *fleet, struct cm4_module *module, enum cm4_change change);
const struct payload_looks *fleet_looks(struct cm4_fleet *fleet);
struct witness *fleet_witness(struct cm4_fleet *fleet);		       /* NULL: there is none */
void fleet_remove(struct cm4_fleet *fleet, struct cm4_module *module); /* module's own thread */
