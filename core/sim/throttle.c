#include "sim/throttle.h"

#include "util/clock.h"

uint64_t sim_throttle_cost(uint64_t rate, uint64_t bytes)
{
	if (rate == 0)
		return 0;
	return (uint64_t)((unsigned __int128)bytes * NS_PER_S / rate);
}

uint64_t sim_throttle_take(struct sim_throttle *throttle, uint64_t now, uint64_t bytes)
{
	uint64_t begin = now - (throttle->late < now ? throttle->late : now);

	if (throttle->rate == 0)
		return now;

	if (begin < throttle->free_at)
		begin = throttle->free_at;
	throttle->late = 0;
	throttle->free_at = begin + sim_throttle_cost(throttle->rate, bytes);
	return throttle->free_at;
}

void sim_throttle_woke(struct sim_throttle *throttle, uint64_t due, uint64_t now)
{
	throttle->late = now > due ? now - due : 0;
}
