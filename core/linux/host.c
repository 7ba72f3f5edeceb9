#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "linux/host.h"
#include "util/cleanup.h"

#define GROUP	   "plugdev"
#define GROUPS_MAX 256

static bool exists(const char *root, const char *path)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	return access(whole, F_OK) == 0;
}

static void look_at_group(struct host_facts *ret)
{
	gid_t groups[GROUPS_MAX], all[GROUPS_MAX];
	struct group *group = getgrnam(GROUP);
	struct passwd *user = getpwuid(geteuid());
	int n = getgroups(GROUPS_MAX, groups), n_all = GROUPS_MAX;

	ret->plugdev = group;
	if (!group)
		return;
	ret->member = getegid() == group->gr_gid;
	for (int i = 0; i < n; i++)
		ret->member = ret->member || groups[i] == group->gr_gid;
	if (!user || getgrouplist(user->pw_name, user->pw_gid, all, &n_all) < 0)
		return;
	for (int i = 0; i < n_all; i++)
		ret->member_later = ret->member_later || all[i] == group->gr_gid;
}

/* One of logind's session files: UID=1000, SEAT=seat0, ACTIVE=1. */
static bool is_ours_at_seat(const char *path)
{
	char line[256], uid[32];
	bool ours = false, seat = false, active = false;
	FILE *file = fopen(path, "re");

	snprintf(uid, sizeof(uid), "UID=%u\n", (unsigned)geteuid());
	while (file && fgets(line, sizeof(line), file)) {
		ours = ours || strcmp(line, uid) == 0;
		seat = seat || (strncmp(line, "SEAT=", 5) == 0 && line[5] != '\n');
		active = active || strcmp(line, "ACTIVE=1\n") == 0;
	}
	if (file)
		fclose(file);
	return ours && seat && active;
}

static void look_at_seat(const char *root, struct host_facts *ret)
{
	char path[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/run/systemd/sessions", root);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char session[800];

		snprintf(session, sizeof(session), "%s/%s", path, entry->d_name);
		ret->at_seat = ret->at_seat || is_ours_at_seat(session);
	}
	if (dir)
		closedir(dir);
}

static void look_at_user(const char *root, struct host_facts *ret)
{
	struct passwd *user = getpwuid(geteuid());
	const char *sudo = getenv("SUDO_USER");

	ret->root = geteuid() == 0;
	snprintf(ret->user, sizeof(ret->user), "%s", user ? user->pw_name : "an unknown user");
	snprintf(ret->sudo_user, sizeof(ret->sudo_user), "%s", ret->root && sudo ? sudo : "");
	look_at_group(ret);
	look_at_seat(root, ret);
}

/* Its helper is looked for where libfuse does: by the path. */
static void look_for_helper(const char *root, struct host_facts *ret)
{
	const char *path = getenv("PATH");
	_cleanup_free_ char *copy = strdup(path ? path : "/usr/bin:/bin");
	char *directory, *rest = copy;

	while (copy && (directory = strsep(&rest, ":"))) {
		char whole[512];
		struct stat st;
		int n = snprintf(whole, sizeof(whole), "%s%s/fusermount3", root, directory);

		if (n < 0 || (size_t)n >= sizeof(whole) || stat(whole, &st) < 0)
			continue;
		snprintf(ret->helper, sizeof(ret->helper), "%.*s", (int)sizeof(ret->helper) - 1,
			whole + strlen(root));
		ret->helper_setuid = (st.st_mode & S_ISUID) && st.st_uid == 0;
		return;
	}
}

static void look_at_fuse(const char *root, struct host_facts *ret)
{
	char path[512];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/dev/fuse", root);
	ret->fuse = access(path, F_OK) == 0;
	fd = open(path, O_RDWR | O_CLOEXEC);
	ret->fuse_error = fd < 0 ? errno : 0;
	look_for_helper(root, ret);
}

/* In the kernel, loaded, or lying ready. */
static bool has_usb_storage(const char *root)
{
	char path[512], line[512];
	struct utsname name;
	bool found = false;
	FILE *file;

	if (exists(root, "/sys/bus/usb/drivers/usb-storage"))
		return true;
	if (uname(&name) < 0)
		return false;
	for (int i = 0; i < 2 && !found; i++) {
		snprintf(path, sizeof(path), "%s/lib/modules/%s/modules.%s", root, name.release,
			i ? "builtin" : "dep");
		file = fopen(path, "re");
		while (file && !found && fgets(line, sizeof(line), file))
			found = strstr(line, "/usb-storage.ko");
		if (file)
			fclose(file);
	}
	return found;
}

static void look_for_rules(const char *root, struct host_facts *ret)
{
	static const char *const places[] = {"/etc/udev/rules.d", "/run/udev/rules.d",
		"/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/60-cm4fs.rules", places[i]);
		if (exists(root, path)) {
			snprintf(ret->rules, sizeof(ret->rules), "%s", path);
			return;
		}
	}
}

static void look_for_modem_manager(const char *root, struct host_facts *ret)
{
	char path[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/proc", root);
	dir = opendir(path);
	while (dir && !ret->modem_manager && (entry = readdir(dir))) {
		char comm[800], name[32] = "";
		FILE *file;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(comm, sizeof(comm), "%s/%s/comm", path, entry->d_name);
		file = fopen(comm, "re");
		if (file && fgets(name, sizeof(name), file))
			ret->modem_manager = strcmp(name, "ModemManager\n") == 0;
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
}

void linux_host_look(const char *root, struct host_facts *ret)
{
	memset(ret, 0, sizeof(*ret));
	look_at_user(root, ret);
	look_at_fuse(root, ret);
	ret->usb = exists(root, "/sys/bus/usb/devices");
	ret->usb_storage = has_usb_storage(root);
	ret->udevd = exists(root, "/run/udev/control");
	look_for_rules(root, ret);
	look_for_modem_manager(root, ret);
	linux_host_nodes(root, ret);
}
