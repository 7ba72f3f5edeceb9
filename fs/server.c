#include <errno.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cm4fs/log.h>

#include "daemon.h"
#include "fs.h"
#include "loop.h"
#include "options.h"
#include "server.h"

/*
 * Up: filesystem, fleet, mount, INIT, fleet started (what is there has appeared), loop, ready.
 * Down, on a signal: while requests are still served, readers of events first, who get the file's
 * end, and the fleet, so that every writer gets its answer; then the notifier, the loop, the mount.
 * When the mount goes first (fusermount3 -u), the loop has ended by itself and the rest is the same.
 *
 * Every thread blocks every signal but the loop's own; SIGINT, SIGTERM and SIGHUP are read from a
 * descriptor.
 */

struct server {
	struct fs *fs;
	struct cm4_fleet *fleet;
	struct fuse_session *session;
	struct fs_loop *loop;
	bool mounted;
	int signals;
};

static int fail(const char *what, int error)
{
	cm4_log(LOG_ERR, "%s: %s", what, strerror(-error));
	return error;
}

static int set_up(
	struct server *server, struct fs_options *options, struct cm4_fleet_config *config)
{
	struct fs_owner owner = {.uid = options->uid, .gid = options->gid, .umask = options->umask};
	int r = fs_new(&owner, &server->fs);

	if (r < 0)
		return fail("the filesystem", r);
	config->changed = fs_changed;
	config->data = server->fs;
	r = cm4_fleet_new(config, &server->fleet);
	if (r < 0)
		return fail("the fleet", r);
	server->session =
		fuse_session_new(&options->args, &fs_operations, sizeof(fs_operations), server->fs);
	if (!server->session)
		return -EINVAL; /* libfuse has said why */
	r = fs_attach(server->fs, server->fleet, server->session);
	if (r < 0)
		return fail("threads", r);
	r = fs_loop_new(server->session, &server->fs->pool, &server->loop);
	return r < 0 ? fail("the request loop", r) : 0;
}

static int go_live(struct server *server, const char *mountpoint)
{
	int r;

	if (fuse_session_mount(server->session, mountpoint) < 0)
		return -EIO; /* libfuse has said why */
	server->mounted = true;
	r = fs_loop_handshake(server->loop);
	if (r < 0)
		return fail("the kernel and this program do not understand each other", r);
	r = cm4_fleet_start(server->fleet);
	if (r < 0)
		return fail("listening for modules", r);
	r = fs_loop_start(server->loop);
	return r < 0 ? fail("the request loop", r) : 0;
}

static void wait_for_end(struct server *server)
{
	struct pollfd fds[] = {
		{.fd = server->signals, .events = POLLIN},
		{.fd = fs_loop_ended_fd(server->loop), .events = POLLIN},
	};

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (fds[0].revents)
		cm4_log(LOG_INFO, "asked to end");
}

static void tear_down(struct server *server)
{
	if (server->fs)
		fs_end_events(server->fs);
	if (server->fleet)
		cm4_fleet_stop(server->fleet);
	if (server->fs)
		fs_stop(server->fs);
	if (server->loop)
		fs_loop_stop(server->loop);
	if (server->mounted)
		fuse_session_unmount(server->session);
	fs_loop_free(server->loop);
	fs_settle(server->fs);
	if (server->session)
		fuse_session_destroy(server->session);
	fs_free(server->fs);
	cm4_fleet_free(server->fleet);
}

static int block_signals(void)
{
	sigset_t all, ends;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	return signalfd(-1, &ends, SFD_CLOEXEC);
}

int fs_serve(struct fs_options *options, const char *mountpoint, struct fs_daemon *daemon,
	struct cm4_fleet_config *config)
{
	struct server server = {.signals = block_signals()};
	int r = server.signals < 0 ? fail("signals", -errno) : 0;

	if (r == 0)
		r = set_up(&server, options, config);
	if (r == 0)
		r = go_live(&server, mountpoint);
	if (r == 0) {
		fs_daemon_ready(daemon);
		wait_for_end(&server);
	}
	tear_down(&server);
	if (server.signals >= 0)
		close(server.signals);
	return r < 0;
}
