#include <errno.h>
#include <stddef.h>

#include "diagnosis/table.h"

#define LOG(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What most links suffer from, most likely first. */
#define SEAT_LAST                                                                                  \
	"Take the module out and seat it again, without its screws: one that is screwed down too " \
	"hard bends, boots, and is lost on USB; look for dirt in the connectors."
#define SEAT SEAT_LAST "\n"
#define CABLE                                                                                      \
	"Try another cable, short, with all of its wires.\n"                                       \
	"Plug it into a port of the computer itself, without a hub or an extension; then another " \
	"port.\n"
#define JUMPER "Fit the jumper (nRPI_BOOT, EMMC_DISABLE) first, then connect power.\n"
#define SUPPLY "Give the carrier board a supply of its own, strong enough."

#define MODULE(name, number, whose, sentence, ...)                                                 \
	{                                                                                          \
		.id = name, .group = TABLE_MODULE, .error = number, .blame = CM4_BLAME_##whose,    \
		.text = sentence, __VA_ARGS__                                                      \
	}

/* clang-format off */
static const struct table_row rows[FAILURE_N] = {
	[FAILURE_NO_PAYLOAD] = MODULE("no-payload", ENOPKG, USER,
		"no boot files for this module on this host",
		.advice = "Install the rpiboot package, or give its mass-storage-gadget64 directory with "
			  "--payload=DIR."),
	[FAILURE_PAYLOAD_UNREADABLE] = MODULE("payload-unreadable", EIO, USER,
		"a boot file could not be read on this host",
		.advice = "Check the payload directory named in DETAILS.TXT, and the disk that it lies on."),
	[FAILURE_OTP] = MODULE("burns-otp", EPERM, USER,
		"a boot file would burn the module's one-time-programmable memory, which nothing undoes",
		.advice = "Put a # before the line that is named here, or set it to 0; or, if you mean it, start "
			  "cm4fs with --allow-otp."),
	[FAILURE_STAGED] = MODULE("boot-files-wrong", EINVAL, USER,
		"the boot files staged for this module cannot boot it",
		.advice = "Copy them anew from rpiboot's directory, with cp -rL where it holds symlinks.\n"
			  "Writing clear to control forgets what is staged."),
	[FAILURE_EEPROM] = MODULE("eeprom-not-written", EIO, MODULE,
		"the module did not say that it wrote its EEPROM",
		.advice = "Do not trust a green screen or LED: only the module's own word counts.\n"
			  "Stage a recovery.bin and a pieeprom.bin of the same release, and boot it again."),
	[FAILURE_ACCESS] = MODULE("no-access", EACCES, USER,
		"this user may not open the module's USB device or disk",
		.advice = "Install 60-cm4fs.rules among udev's rules, and plug the module in again.\n"
			  "Join the group plugdev, and log in again; or run cm4fs as root."),
	[FAILURE_ROM_SILENT] = MODULE("rom-silent", ETIMEDOUT, LINK,
		"the boot ROM is on the bus but does not answer",
		.advice = "Unplug the module and its power, and plug it in again.\n" SEAT CABLE SUPPLY),
	[FAILURE_ROM_NONSENSE] = MODULE("rom-nonsense", EPROTO, LINK,
		"the boot ROM broke the protocol",
		.advice = SEAT CABLE "Unplug the module and its power, and plug it in again."),
	[FAILURE_ROM_REFUSED] = MODULE("rom-refused", EPROTO, MODULE,
		"the boot ROM refused the second stage",
		.advice = "The second stage is for another chip, or not signed for this locked module: "
			  "check the payload."),
	[FAILURE_ROM_LOOP] = MODULE("rom-loop", EPROTO, MODULE,
		"the boot ROM took the second stage, and came back as boot ROM each time",
		.advice = "The second stage is damaged, too old for this board, or not signed for it: try a "
			  "current payload.\n" SUPPLY),
	[FAILURE_NO_SECOND_STAGE] = MODULE("no-second-stage", ENODEV, LINK,
		"the boot ROM took the second stage, and the module never came back on its port",
		.advice = SUPPLY "\n" SEAT CABLE
			  "The second stage may be too old for this board: try a current payload."),
	[FAILURE_SECOND_SILENT] = MODULE("second-silent", ETIMEDOUT, MODULE,
		"the second stage fell silent",
		.advice = "A boot file may be missing or damaged, mcb.bin above all: see the last file in "
			  "log.\nUnplug the module and its power, and plug it in again.\n" SUPPLY),
	[FAILURE_SECOND_NONSENSE] = MODULE("second-nonsense", EPROTO, LINK,
		"the second stage kept sending what is no request",
		.advice = SEAT CABLE "Unplug the module and its power, and plug it in again."),
	[FAILURE_NO_DISK_STAGE] = MODULE("no-disk-stage", ENODEV, MODULE,
		"the module took its boot files and never came back as a disk",
		.advice = "See log for the last file served.\n" SUPPLY "\n"
			  "Try the mass-storage-gadget64 payload, a current one.\n"
			  "Take other devices off the carrier board: one on PCIe can stop the module's "
			  "system."),
	[FAILURE_NO_DISK] = MODULE("no-disk", ENOMEDIUM, MEDIA,
		"the module came up as mass storage but shows no eMMC or card",
		.advice = "A Lite module needs an SD card; otherwise its eMMC is disabled or dead."),
	[FAILURE_NO_MEDIUM] = MODULE("no-medium", ENOMEDIUM, MEDIA,
		"the module's disk has no medium",
		.advice = "A Lite module needs an SD card; otherwise its eMMC is disabled or dead.",
		.log = LOG("[sda] Media removed, stopped polling", "[sda] 0 512-byte logical blocks",
			"Add. Sense: Medium not present")),
	[FAILURE_OTHER_GADGET] = MODULE("other-gadget", EPROTO, USER,
		"the module runs another tool's gadget",
		.advice = "Finish with that tool, then power the module up in boot mode again."),
	[FAILURE_GONE] = MODULE("gone", ENODEV, LINK,
		"the module left the bus",
		.advice = "Check cable, power and seating, plug it in again and copy again.",
		.log = LOG("USB disconnect, device number")),
	[FAILURE_CANCELLED] = MODULE("cancelled", ECANCELED, USER,
		"cancelled by control",
		.advice = "Copy again when ready."),
	[FAILURE_DISK_HELD] = MODULE("disk-held", EBUSY, USER,
		"the module's disk is mounted, or held by another program",
		.advice = "Unmount every partition of it and close the programs that use it, then copy "
			  "again."),
	[FAILURE_TOO_LARGE] = MODULE("too-large", ENOSPC, USER,
		"the image is larger than the disk",
		.advice = "Use a smaller image, or a module with a larger disk."),
	[FAILURE_NOT_WHOLE] = MODULE("not-whole", EBADMSG, USER,
		"the image is not whole",
		.advice = "Copy it again from the start, or append what is missing."),
	[FAILURE_CORRUPT] = MODULE("corrupt", EBADMSG, USER,
		"the image is corrupt, or not what its checksum is of",
		.advice = "Download the image again, with the checksums or the bmap that belong to it: one of "
			  "them is damaged, or they are not of each other."),
	[FAILURE_NOT_AN_IMAGE] = MODULE("not-an-image", EINVAL, USER,
		"this is not a disk image",
		.advice = "Copy an image with a partition table or a filesystem, as it is or compressed with xz, "
			  "gz, zst, bz2, lz4 or zip; --raw lets anything through."),
	[FAILURE_MEDIUM] = MODULE("medium", EIO, MEDIA,
		"the module's disk failed to read or write",
		.advice = "Copy again; if it fails at the same place, the eMMC or card is worn out or "
			  "broken.",
		.log = LOG("Sense Key : Medium Error", "I/O error, dev sda, sector")),
	[FAILURE_INTERNAL] = MODULE("internal", EIO, INTERNAL,
		"cm4fs failed",
		.advice = "See log and the system log; please report this."),

	[FAILURE_FULL_SPEED] = MODULE("full-speed", 0, LINK,
		"the link came up at 12 Mbit/s only, for a module that does 480: booting over it fails",
		.advice = "Plug it into a port of the computer itself: hubs behind hubs do this.\n"
			  "Try another cable, short, with all of its wires.\n" SEAT SUPPLY,
		.log = LOG("new full-speed USB device number",
			"endpoint 0x1 has invalid maxpacket 512, setting to 64")),
	[FAILURE_WRITE_STALL] = MODULE("write-stall", 0, LINK,
		"writing stood still: the disk did not take a transfer for seconds on end",
		.advice = "Let it be if it goes on: a card may pause while it tidies up.\n" CABLE SUPPLY "\n"
			  "Use the mass-storage-gadget64 payload; if one place stops it every time, the eMMC or "
			  "card is worn out.",
		.log = LOG("reset high-speed USB device number", "rejecting I/O to offline device",
			"device offline error, dev sda")),
	[FAILURE_VPU_PAYLOAD] = MODULE("vpu-payload", 0, USER,
		"these boot files (msd, the VPU's mass storage) are known to lose a CM4 or CM5 while it is "
		"written to",
		.advice = "Install a current rpiboot package, or give its mass-storage-gadget64 directory with "
			  "--payload=DIR; then power the module up in boot mode again.",
		.log = LOG("device descriptor read/64, error -110", "device offline error, dev sda")),
	[FAILURE_TOO_OLD] = MODULE("too-old", 0, USER,
		"the module did not start the second stage, and these boot files may be too old for its board",
		.advice = "Install a current rpiboot package, or give a current mass-storage-gadget64 directory "
			  "with --payload=DIR.\n" SUPPLY),
	[FAILURE_BOOT_SIG] = MODULE("boot-sig", 0, USER,
		"the module asks for boot.sig again and again: it is locked, and starts a signed boot.img "
		"only",
		.advice = "Sign boot.img with the module's own key (rpi-eeprom-digest makes boot.sig), and give "
			  "both in one payload directory with --payload=DIR."),

	[FAILURE_PORT_GARBLED] = {
		.id = "port-garbled", .group = TABLE_PORT, .blame = CM4_BLAME_LINK,
		.text = "something is plugged in here, but what it says arrives garbled, so that it never "
			"shows up",
		.advice = SEAT CABLE JUMPER SUPPLY,
		.log = LOG("device descriptor read/64, error -71", "Device not responding to setup address.",
			"device not accepting address 9, error -71", "unable to enumerate USB device",
			"attempt power cycle", "Cannot enable. Maybe the USB cable is bad?",
			"can't set config #1, error -71", "cannot reset (err = -71)",
			"disabled by hub (EMI?), re-enabling..."),
	},
	[FAILURE_PORT_MUTE] = {
		.id = "port-mute", .group = TABLE_PORT, .blame = CM4_BLAME_LINK,
		.text = "something is plugged in here, but does not answer",
		.advice = "Unplug the module and its power, and plug it in again.\n" JUMPER SEAT CABLE SUPPLY,
		.log = LOG("device descriptor read/64, error -110", "device not accepting address 9, error -110",
			"device descriptor read/8, error -110", "connect-debounce failed"),
	},
	[FAILURE_PORT_REFUSES] = {
		.id = "port-refuses", .group = TABLE_PORT, .blame = CM4_BLAME_MODULE,
		.text = "something is plugged in here, and refuses to say what it is",
		.advice = "Unplug the module and its power, and plug it in again.\n" SEAT CABLE SUPPLY,
		.log = LOG("device descriptor read/64, error -32", "device descriptor read/all, error -32",
			"can't read configurations, error -32"),
	},
	[FAILURE_PORT_FLAPS] = {
		.id = "port-flaps", .group = TABLE_PORT, .blame = CM4_BLAME_LINK,
		.text = "what is plugged in here comes and goes many times a minute",
		.advice = SUPPLY "\n" SEAT CABLE
			  "Unplug the module and its power, and plug it in again: a boot that fails starts over.",
		.log = LOG("USB disconnect, device number", "new high-speed USB device number"),
	},
	[FAILURE_OVER_CURRENT] = {
		.id = "over-current", .group = TABLE_PORT, .blame = CM4_BLAME_LINK,
		.text = "the port was switched off because too much current was drawn",
		.advice = SUPPLY "\nTake other devices off the carrier board.\n"
			  "Look for a short: dirt, bent pins, a screw that touches something.\n"
			  "Try another port.",
		.log = LOG("over-current condition", "over-current change #1"),
	},
	[FAILURE_BUS_POWER] = {
		.id = "bus-power", .group = TABLE_PORT, .blame = CM4_BLAME_LINK,
		.text = "the port has less power to give than the device asks for",
		.advice = "Use a hub with a supply of its own, or a port of the computer itself.\n" SUPPLY,
		.log = LOG("rejected 1 configuration due to insufficient available bus power"),
	},
	[FAILURE_HUB] = {
		.id = "hub", .group = TABLE_PORT, .blame = CM4_BLAME_LINK,
		.text = "the hub here does not do its work",
		.advice = "Plug the module into a port of the computer itself.\n"
			  "Unplug the hub and its power, and plug it in again; use another one, with a supply of "
			  "its own.",
		.log = LOG("hub_ext_port_status failed (err = -71)",
			"config failed, can't read hub descriptor (err -71)"),
	},
	[FAILURE_CONTROLLER] = {
		.id = "controller", .group = TABLE_PORT, .blame = CM4_BLAME_LINK,
		.text = "this computer's USB controller has stopped, and everything on it is lost",
		.advice = "Start the computer again.\nTry a port of another controller.\n"
			  "Update the computer's firmware and kernel if it happens again.",
		.log = LOG("HC died; cleaning up", "host controller not responding, assume dead"),
	},
	[FAILURE_OWN_SYSTEM] = {
		.id = "own-system", .group = TABLE_PORT, .blame = CM4_BLAME_USER,
		.text = "a Linux system is on this port, not a boot ROM: it may be a module that has booted its "
			"own",
		.advice = JUMPER "If it has booted all the same, the jumper is at the wrong place, or does not "
			  "touch.",
		.log = LOG("New USB device found, idVendor=0525, idProduct=a4a2"),
	},

	[FAILURE_NOTHING] = {
		.id = "nothing", .group = TABLE_HOST, .blame = CM4_BLAME_USER,
		.text = "no module is on the bus, and the kernel says nothing of one that tries",
		.advice = "Plug it in again and look here: if nothing at all is new, no data reach this "
			  "computer. Try another cable (many carry power only), and the carrier's other USB "
			  "port: one is for boot, the others are the module's own.\n"
			  "Look at the module's green LED (ACT): if it blinks or shines as in use, the module "
			  "has booted its own system, and the jumper was not fitted. " JUMPER
			  "If the red LED (PWR) is dark, there is no power. " SUPPLY "\n" SEAT_LAST,
	},
	[FAILURE_LOG_DENIED] = {
		.id = "log-denied", .group = TABLE_HOST, .blame = CM4_BLAME_USER,
		.text = "this user may read neither the kernel's log nor the journal, so that bad links go "
			"unexplained",
		.advice = "Have the log explained by hand: sudo dmesg | cm4fs doctor - (root may read it).\n"
			  "To have it here: join the group systemd-journal or adm, and log in again; or run "
			  "cm4fs as root.",
	},
};
/* clang-format on */

const struct table_row *table_row(enum failure failure)
{
	return &rows[failure];
}
