#pragma once

#include "seam/host.h"

/* @root: "" for this host; a directory that looks like one, for tests. Any thread. */
void linux_host_look(const char *root, struct host_facts *ret);

/* Within the room: the nodes of the modules that are connected. */
void linux_host_nodes(const char *root, struct host_facts *ret);
