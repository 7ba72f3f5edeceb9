#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cm4fs/log.h>

#include "options.h"

/*
 * libfuse's parser splits -o at commas (`\,` is a comma) and matches each piece, and each option
 * that stands alone, against one table. So a long option is two entries, --NAME= and NAME=.
 */

enum key {
	KEY_PAYLOAD,
	KEY_SIMULATE,
	KEY_VERIFY,
	KEY_RECONNECT,
	KEY_AUTOBOOT,
	KEY_PORT,
	KEY_RAW,
	KEY_ALLOW_OTP,
	KEY_UID,
	KEY_GID,
	KEY_UMASK,
	KEY_FOREGROUND,
	KEY_DEBUG,
	KEY_HELP,
	KEY_VERSION,
	KEY_NAMED,
	KEY_MOUNT,
	KEY_IGNORED,
};

#define BOTH(name, key) FUSE_OPT_KEY("--" name, key), FUSE_OPT_KEY(name, key)

static const struct fuse_opt table[] = {
	BOTH("payload=", KEY_PAYLOAD),
	BOTH("simulate", KEY_SIMULATE),
	BOTH("simulate=", KEY_SIMULATE),
	BOTH("verify=", KEY_VERIFY),
	BOTH("reconnect=", KEY_RECONNECT),
	BOTH("autoboot", KEY_AUTOBOOT),
	BOTH("port=", KEY_PORT),
	BOTH("raw", KEY_RAW),
	BOTH("allow-otp", KEY_ALLOW_OTP),
	FUSE_OPT_KEY("uid=", KEY_UID),
	FUSE_OPT_KEY("gid=", KEY_GID),
	FUSE_OPT_KEY("umask=", KEY_UMASK),
	FUSE_OPT_KEY("-f", KEY_FOREGROUND),
	FUSE_OPT_KEY("-d", KEY_DEBUG),
	FUSE_OPT_KEY("debug", KEY_DEBUG),
	BOTH("help", KEY_HELP),
	FUSE_OPT_KEY("-h", KEY_HELP),
	BOTH("version", KEY_VERSION),
	FUSE_OPT_KEY("-V", KEY_VERSION),
	FUSE_OPT_KEY("fsname=", KEY_NAMED),
	FUSE_OPT_KEY("subtype=", KEY_NAMED),

	/* What mount(8) and fstab hand over; the mount itself understands them. */
	FUSE_OPT_KEY("allow_other", KEY_MOUNT),
	FUSE_OPT_KEY("allow_root", KEY_MOUNT),
	FUSE_OPT_KEY("auto_unmount", KEY_MOUNT),
	FUSE_OPT_KEY("default_permissions", KEY_MOUNT),
	FUSE_OPT_KEY("context=", KEY_MOUNT),
	FUSE_OPT_KEY("fscontext=", KEY_MOUNT),
	FUSE_OPT_KEY("defcontext=", KEY_MOUNT),
	FUSE_OPT_KEY("rootcontext=", KEY_MOUNT),
	FUSE_OPT_KEY("ro", KEY_MOUNT),
	FUSE_OPT_KEY("rw", KEY_MOUNT),
	FUSE_OPT_KEY("suid", KEY_MOUNT),
	FUSE_OPT_KEY("nosuid", KEY_MOUNT),
	FUSE_OPT_KEY("dev", KEY_MOUNT),
	FUSE_OPT_KEY("nodev", KEY_MOUNT),
	FUSE_OPT_KEY("exec", KEY_MOUNT),
	FUSE_OPT_KEY("noexec", KEY_MOUNT),
	FUSE_OPT_KEY("atime", KEY_MOUNT),
	FUSE_OPT_KEY("noatime", KEY_MOUNT),
	FUSE_OPT_KEY("sync", KEY_MOUNT),
	FUSE_OPT_KEY("async", KEY_MOUNT),
	FUSE_OPT_KEY("dirsync", KEY_MOUNT),

	/* Not even the mount understands these; no access times are kept here that they could rule. */
	FUSE_OPT_KEY("relatime", KEY_IGNORED),
	FUSE_OPT_KEY("norelatime", KEY_IGNORED),
	FUSE_OPT_KEY("strictatime", KEY_IGNORED),
	FUSE_OPT_KEY("nostrictatime", KEY_IGNORED),
	FUSE_OPT_KEY("diratime", KEY_IGNORED),
	FUSE_OPT_KEY("nodiratime", KEY_IGNORED),
	FUSE_OPT_KEY("lazytime", KEY_IGNORED),
	FUSE_OPT_KEY("nolazytime", KEY_IGNORED),
	FUSE_OPT_END,
};

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	cm4_log(LOG_ERR, "%s", line);
	return -1;
}

static int set_string(char **target, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -1;
	free(*target);
	*target = copy;
	return 0;
}

static int set_number(
	const char *arg, const char *value, int base, unsigned long max, unsigned *target)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(value, &end, base);
	if (errno || !*value || *value == '-' || *value == '+' || *end || number > max)
		return complain("%s: that is no number", arg);
	*target = (unsigned)number;
	return 0;
}

static int add_port(struct fs_options *options, const char *port)
{
	char **ports = realloc(options->ports, (options->n_ports + 2) * sizeof(*ports));

	if (!ports)
		return -1;
	options->ports = ports;
	ports[options->n_ports] = strdup(port);
	if (!ports[options->n_ports])
		return -1;
	ports[++options->n_ports] = NULL;
	return 0;
}

static int add_path(struct fs_options *options, const char *path)
{
	if (options->source)
		return complain(
			"%s is one argument too many; --help shows how to start cm4fs", path);
	options->source = options->mountpoint; /* the last of them is the mount point */
	options->mountpoint = NULL;
	return set_string(&options->mountpoint, path);
}

static int unknown(const char *arg)
{
	static const char *const want_value[] = {"payload", "verify", "reconnect", "port", NULL};
	const char *name = arg + strspn(arg, "-");

	for (const char *const *word = want_value; *word; word++)
		if (!strcmp(name, *word))
			return complain(
				"%s wants a value, joined by =; --help lists the options", arg);
	return complain("unknown option %s; --help lists the options", arg);
}

/* fuse_opt's callback: 0 taken, 1 left for the mount, -1 wrong. */
static int take(void *data, const char *arg, int key, struct fuse_args *out)
{
	struct fs_options *options = data;
	const char *equals = strchr(arg, '=');
	const char *value = equals ? equals + 1 : "";

	if (key == FUSE_OPT_KEY_NONOPT)
		return add_path(options, arg);
	if (key == FUSE_OPT_KEY_OPT)
		return unknown(arg);

	switch ((enum key)key) {
	case KEY_PAYLOAD:
		return set_string(&options->payload, value);
	case KEY_SIMULATE:
		options->simulated = true;
		return equals ? set_string(&options->simulate, value) : 0;
	case KEY_VERIFY:
		return cm4_verify_from_string(value, &options->verify) < 0
			       ? complain("%s: it is medium, readback or off", arg)
			       : 0;
	case KEY_RECONNECT:
		return strcmp(value, "0")
			       ? complain("%s: this version waits for no module; only 0", arg)
			       : 0;
	case KEY_AUTOBOOT:
		options->autoboot = true;
		return 0;
	case KEY_PORT:
		return *value ? add_port(options, value) : complain("%s: a port is missing", arg);
	case KEY_RAW:
		options->raw = true;
		return 0;
	case KEY_ALLOW_OTP:
		options->allow_otp = true;
		return 0;
	case KEY_UID:
		return set_number(arg, value, 10, UINT_MAX - 1, &options->uid);
	case KEY_GID:
		return set_number(arg, value, 10, UINT_MAX - 1, &options->gid);
	case KEY_UMASK:
		return set_number(arg, value, 8, 0777, &options->umask);
	case KEY_FOREGROUND:
		options->foreground = true;
		return 0;
	case KEY_DEBUG:
		options->foreground = options->debug = true;
		return fuse_opt_add_arg(out, "-d");
	case KEY_HELP:
		options->help = true;
		return 0;
	case KEY_VERSION:
		options->version = true;
		return 0;
	case KEY_NAMED:
		options->named = true;
		return 1;
	case KEY_MOUNT:
		return 1;
	case KEY_IGNORED:
		return 0;
	}
	return -1;
}

bool fs_options_ask(const struct fs_options *options)
{
	return options->help || options->version ||
	       (options->simulate && !strcmp(options->simulate, "help"));
}

static int add_mount_options(struct fs_options *options)
{
	if (fuse_opt_add_arg(&options->args, "-odefault_permissions"))
		return -ENOMEM;
	if (!options->named && fuse_opt_add_arg(&options->args, "-ofsname=cm4fs,subtype=cm4fs"))
		return -ENOMEM;
	return 0;
}

int fs_options_parse(int argc, char **argv, struct fs_options *ret_options)
{
	struct fs_options *options = ret_options;

	*options = (struct fs_options){
		.verify = CM4_VERIFY_MEDIUM,
		.uid = getuid(),
		.gid = getgid(),
		.args = FUSE_ARGS_INIT(argc, argv),
	};
	if (fuse_opt_parse(&options->args, options, table, take) == -1)
		return -EINVAL;
	if (fs_options_ask(options))
		return 0;
	if (!options->mountpoint) {
		complain("a mount point is missing; --help shows how to start cm4fs");
		return -EINVAL;
	}
	return add_mount_options(options);
}

void fs_options_fini(struct fs_options *options)
{
	free(options->payload);
	free(options->simulate);
	for (size_t i = 0; i < options->n_ports; i++)
		free(options->ports[i]);
	free(options->ports);
	free(options->source);
	free(options->mountpoint);
	fuse_opt_free_args(&options->args);
}

void fs_options_help(void)
{
	fputs("usage: cm4fs [options] [SOURCE] MOUNTPOINT\n"
	      "       cm4fs doctor [-]     examine this host; with -: explain a kernel log, see "
	      "cm4fs doctor --help\n"
	      "\n"
	      "Shows each Compute Module in USB boot mode as a directory; an image copied into it "
	      "is flashed.\n"
	      "SOURCE is ignored, so that mount -t fuse.cm4fs and fstab work. fusermount3 -u "
	      "MOUNTPOINT ends it.\n"
	      "\n"
	      "    --payload=DIR        boot files for the modules, in rpiboot's layout\n"
	      "    --simulate[=SPEC]    simulated modules instead of USB; --simulate=help explains "
	      "SPEC\n"
	      "    --autoboot           boot every module as soon as it appears\n"
	      "    --port=PATH          only modules on this USB port, or behind this hub; may be "
	      "repeated\n"
	      "    --raw                accept what is no disk image, and do not ask it how far it "
	      "reaches\n"
	      "    --allow-otp          let boot files burn one-time-programmable memory\n"
	      "    --verify=WHAT        what is proved before a copy is called good: medium (the "
	      "module reads its\n"
	      "                         own medium; the default), readback (over USB) or off\n"
	      "    --reconnect=0        how long a module that drops off is waited for: not at "
	      "all, in this version\n"
	      "\n"
	      "    -f                   stay in the foreground\n"
	      "    -d                   show every request; implies -f\n"
	      "    -o allow_other       other users may look, and write as permissions say\n"
	      "    -o uid=N,gid=N       whose the files are (default: who mounts)\n"
	      "    -o umask=OCTAL       permissions taken away\n"
	      "    -h, -V               this text; the version\n"
	      "\n"
	      "Each long option may be written as -o NAME=VALUE; a comma in VALUE is then written "
	      "\\, .\n"
	      "Exit status: 0 once the mount is live, 2 for a wrong command line, 1 for anything "
	      "else.\n",
		stdout);
}
