#include "proc.h"
#include "verdict.h"

/* A request that is nearly done is not worth an EINTR, which not every program takes well. */
#define GRACE_MS 300

/*
 * A deadly signal ends everything at once: the process cannot go before we let go of its request.
 * A close or a sync goes on through anything else. Of other requests, a signal that the program
 * handles is worth an EINTR after a moment, so that Ctrl-C works in a program that tidies up; the
 * flash goes on, and most programs write again. A stop (Ctrl-Z) has no handler, and comes into
 * force when the request is done.
 */
bool fs_verdict(bool closing, uint64_t waited_ms, const struct fs_signals *signals)
{
	if (signals && fs_signals_kill(signals))
		return true;
	if (closing || waited_ms < GRACE_MS)
		return false;
	return !signals || fs_signals_handled(signals);
}
