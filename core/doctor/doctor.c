#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "boot/chip.h"
#include "diagnosis/table.h"
#include "doctor/doctor.h"
#include "payload/payload.h"

/* One function for each thing that is looked at; each adds a line or more. */

#define DAY_S	 86400
#define OLD_DAYS 730

const char *cm4_check_level_to_string(enum cm4_check_level level)
{
	switch (level) {
	case CM4_CHECK_OK:
		return "ok";
	case CM4_CHECK_WARN:
		return "warn";
	case CM4_CHECK_FAIL:
		return "FAIL";
	}
	return "FAIL";
}

__attribute__((format(printf, 5, 6))) static void add(struct cm4_checkup *checkup,
	enum cm4_check_level level, const char *name, const char *remedy, const char *format, ...)
{
	struct cm4_check *check;
	va_list args;

	if (checkup->n == CM4_CHECKS_MAX)
		return;
	check = &checkup->checks[checkup->n++];
	*check = (struct cm4_check){.level = level};
	snprintf(check->name, sizeof(check->name), "%s", name);
	snprintf(check->remedy, sizeof(check->remedy), "%s", remedy);
	for (char *c = check->remedy; *c; c++)
		if (*c == '\n')
			*c = ' ';
	va_start(args, format);
	vsnprintf(check->text, sizeof(check->text), format, args);
	va_end(args);
}

static void check_user(const struct host_facts *host, struct cm4_checkup *ret)
{
	if (*host->sudo_user)
		add(ret, CM4_CHECK_WARN, "user", "Run it as the user who will run cm4fs.",
			"these are root's rights, by sudo, and not those of %s", host->sudo_user);
	else if (!host->root && !host->member && host->member_later)
		add(ret, CM4_CHECK_WARN, "user", "Log out, and in again.",
			"%s belongs to the group plugdev, but this login does not yet", host->user);
	else
		add(ret, CM4_CHECK_OK, "user", "", "running as %s%s", host->user,
			host->root     ? ""
			: host->member ? ", of the group plugdev"
				       : ", not of the group plugdev");
}

static void check_fuse(const struct host_facts *host, struct cm4_checkup *ret)
{
	if (!host->fuse)
		add(ret, CM4_CHECK_FAIL, "fuse",
			"Load it: modprobe fuse. In a container, hand /dev/fuse in.",
			"there is no /dev/fuse");
	else if (host->fuse_error)
		add(ret, CM4_CHECK_FAIL, "fuse",
			"Give it the mode 0666, as every distribution has it.",
			"this user may not open /dev/fuse: %s", strerrordesc_np(host->fuse_error));
	else
		add(ret, CM4_CHECK_OK, "fuse", "", "/dev/fuse can be opened");

	if (host->root)
		return;
	if (!*host->helper)
		add(ret, CM4_CHECK_FAIL, "fusermount", "Install the package fuse3.",
			"there is no fusermount3, by which an ordinary user mounts");
	else if (!host->helper_setuid)
		add(ret, CM4_CHECK_FAIL, "fusermount", "Install the package fuse3 again.",
			"%s is not setuid root, and so cannot mount", host->helper);
	else
		add(ret, CM4_CHECK_OK, "fusermount", "", "%s can mount", host->helper);
}

static void check_usb(const struct host_facts *host, struct cm4_checkup *ret)
{
	if (!host->usb)
		add(ret, CM4_CHECK_FAIL, "usb", "Use a kernel, or a virtual machine, with USB.",
			"this kernel shows no USB");
	else if (!host->usb_storage)
		add(ret, CM4_CHECK_WARN, "usb",
			"Install the kernel's modules, or build CONFIG_USB_STORAGE.",
			"usb-storage is not loaded, nor to be found: no disk would appear");
	else
		add(ret, CM4_CHECK_OK, "usb", "", "USB and usb-storage are there");
}

static void check_rules(const struct host_facts *host, struct cm4_checkup *ret)
{
	static const char install[] =
		"Copy data/60-cm4fs.rules into /etc/udev/rules.d, then: udevadm control --reload, "
		"and plug the module in again.";

	if (!host->udevd)
		add(ret, CM4_CHECK_WARN, "udev", "In a container, hand /run/udev in.",
			"no udevd runs here: rights and disks are as the kernel makes them");
	if (*host->rules)
		add(ret, CM4_CHECK_OK, "rules", "", "%s is installed", host->rules);
	else if (host->root)
		add(ret, CM4_CHECK_WARN, "rules", install,
			"60-cm4fs.rules is not installed: desktops may mount a disk unasked");
	else
		add(ret, CM4_CHECK_FAIL, "rules", install,
			"60-cm4fs.rules is not installed: nobody but root may use a module");
}

/* Nobody is there to be tried: what will be when somebody comes? */
static void check_rights_to_come(const struct host_facts *host, struct cm4_checkup *ret)
{
	if (host->root || (*host->rules && (host->member || host->at_seat)))
		add(ret, CM4_CHECK_OK, "rights", "",
			"no module is connected; this user would be let in");
	else if (*host->rules)
		add(ret, CM4_CHECK_FAIL, "rights",
			"Join the group: sudo usermod -aG plugdev $USER. Then log in again.",
			"the rules let in the group plugdev and whoever sits at this machine, not "
			"%s",
			host->user);
}

static void check_rights(const struct host_facts *host, struct cm4_checkup *ret)
{
	const char *remedy =
		*host->rules ? "Plug it in again, for the rules work when it comes; or join the "
			       "group: sudo usermod -aG plugdev $USER, and log in again."
			     : "Install 60-cm4fs.rules (see rules), or run cm4fs as root.";

	if (host->n_nodes == 0)
		check_rights_to_come(host, ret);
	for (size_t i = 0; i < host->n_nodes; i++) {
		const struct host_node *node = &host->nodes[i];
		const char *what = node->disk ? "disk" : "module";

		if (node->usable)
			add(ret, CM4_CHECK_OK, "rights", "", "the %s on port %s, %s, can be opened",
				what, node->port, node->path);
		else
			add(ret, CM4_CHECK_FAIL, "rights", remedy,
				"this user may not open the %s on port %s, %s", what, node->port,
				node->path);
	}
}

static void check_autosuspend(const struct host_facts *host, struct cm4_checkup *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < host->n_nodes; i++) {
		const struct host_node *node = &host->nodes[i];

		if (!node->autosuspends)
			continue;
		n++;
		add(ret, CM4_CHECK_WARN, "autosuspend",
			"Write on into power/control of the device in /sys/bus/usb/devices; keep "
			"TLP, "
			"powertop and the like off 0a5c:*.",
			"the module on port %s is put to sleep when idle, and may not wake up",
			node->port);
	}
	if (n == 0)
		add(ret, CM4_CHECK_OK, "autosuspend", "", "no module is put to sleep when idle");
}

static void check_modem_manager(const struct host_facts *host, struct cm4_checkup *ret)
{
	if (!host->modem_manager)
		add(ret, CM4_CHECK_OK, "modemmanager", "", "no ModemManager runs");
	else if (*host->rules)
		add(ret, CM4_CHECK_OK, "modemmanager", "",
			"ModemManager runs, and the rules keep it off modules");
	else
		add(ret, CM4_CHECK_WARN, "modemmanager",
			"Install 60-cm4fs.rules (see rules), or stop ModemManager.",
			"ModemManager runs, and will talk to a module's console as to a modem");
}

static void check_chips(struct payload *payload, struct cm4_checkup *ret)
{
	char missing[128] = "";
	const struct boot_chip *chip;

	for (size_t i = 0; (chip = boot_chip_at(i)); i++) {
		size_t n = strlen(missing);

		if (!payload_serves(payload, chip))
			snprintf(missing + n, sizeof(missing) - n, "%s%s", n ? ", " : "",
				chip->model);
	}
	if (*missing)
		add(ret, CM4_CHECK_WARN, "payload-models",
			"That is well unless you have one of them: then install a current rpiboot "
			"package, or give --payload=DIR.",
			"there are no boot files for %s", missing);
}

static void check_payload_kind(
	const struct doctor_patient *patient, const struct boot_chip *chip, struct cm4_checkup *ret)
{
	struct payload_look look;
	long days;

	payload_look(patient->payload, chip, &look);
	if (look.vpu)
		add(ret, CM4_CHECK_WARN, "payload-kind", table_row(FAILURE_VPU_PAYLOAD)->advice,
			"for %s, %s", chip->model, table_row(FAILURE_VPU_PAYLOAD)->text);
	if (!look.date)
		return;
	days = (long)((patient->now - look.date) / DAY_S);
	if (days > OLD_DAYS)
		add(ret, CM4_CHECK_WARN, "payload-age",
			"Install a current rpiboot package, or give a current directory with "
			"--payload=DIR.",
			"the boot files for %s are %ld days old: too old, perhaps, for new boards",
			chip->model, days);
	else
		add(ret, CM4_CHECK_OK, "payload-age", "", "the boot files for %s are %ld days old",
			chip->model, days < 0 ? 0 : days);
}

static void check_payload(const struct doctor_patient *patient, struct cm4_checkup *ret)
{
	const struct boot_chip *cm4 = boot_chip_by_model("cm4");

	if (!patient->payload) {
		add(ret, CM4_CHECK_FAIL, "payload", table_row(FAILURE_NO_PAYLOAD)->advice, "%s",
			patient->payload_message);
		return;
	}
	add(ret, CM4_CHECK_OK, "payload", "", "boot files: %s", payload_label(patient->payload));
	check_chips(patient->payload, ret);
	if (payload_serves(patient->payload, cm4))
		check_payload_kind(patient, cm4, ret);
}

static void check_log(const struct cm4_report *log, struct cm4_checkup *ret)
{
	size_t n = 0;

	if (*log->source)
		add(ret, CM4_CHECK_OK, "kernel-log", "", "%s can be read", log->source);
	else
		add(ret, CM4_CHECK_WARN, "kernel-log", table_row(FAILURE_LOG_DENIED)->advice, "%s",
			table_row(FAILURE_LOG_DENIED)->text);
	for (size_t i = 0; i < log->n; i++) {
		const struct cm4_finding *finding = &log->findings[i];

		n++;
		add(ret, finding->earlier ? CM4_CHECK_WARN : CM4_CHECK_FAIL, "kernel-usb",
			finding->advice, "%s%s%s%s (%s)", *finding->port ? "port " : "",
			finding->port, *finding->port ? ": " : "", finding->text,
			finding->n_evidence ? finding->evidence[0].text : "");
	}
	if (n == 0)
		add(ret, CM4_CHECK_OK, "kernel-usb", "",
			*log->source ? "the kernel has no complaint about USB that still holds"
				     : "no port shows a fault");
}

void doctor_examine(const struct doctor_patient *patient, struct cm4_checkup *ret)
{
	ret->n = 0;
	check_user(patient->host, ret);
	check_fuse(patient->host, ret);
	check_usb(patient->host, ret);
	check_rules(patient->host, ret);
	check_rights(patient->host, ret);
	check_autosuspend(patient->host, ret);
	check_modem_manager(patient->host, ret);
	check_payload(patient, ret);
	check_log(patient->log, ret);
}
