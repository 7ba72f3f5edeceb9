#include <errno.h>

#include "sim/bus.h"

int sim_console_open(struct sim_module *module, struct console **ret_console)
{
	return -ENXIO;
}
