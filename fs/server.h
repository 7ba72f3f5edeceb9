#pragma once

#include <cm4fs/fleet.h>

struct fs_daemon;
struct fs_options;

/*
 * The life of one mount, from nothing to nothing: filesystem, fleet and threads in their order.
 * @config says what the fleet is made of; its `changed` is set here. Consumes the options' args.
 * Returns the exit status.
 */
int fs_serve(struct fs_options *options, const char *mountpoint, struct fs_daemon *daemon,
	struct cm4_fleet_config *config);
