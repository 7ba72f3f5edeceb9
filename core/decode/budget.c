#include <assert.h>

#include "decode/budget.h"
#include "util/cleanup.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* innermost */
static uint64_t used;
static bool is_short;

static bool take(uint64_t bytes)
{
	if (bytes > BUDGET_SIZE - used)
		return false;
	used += bytes;
	return true;
}

bool budget_take(uint64_t bytes)
{
	LOCKED(&lock);

	if (take(bytes))
		return true;
	if (bytes <= BUDGET_SIZE)
		is_short = true;
	return false;
}

bool budget_take_spare(uint64_t bytes)
{
	LOCKED(&lock);

	return take(bytes);
}

void budget_give(uint64_t bytes)
{
	LOCKED(&lock);

	assert(bytes <= used);
	used -= bytes;
	if (bytes > 0)
		is_short = false;
}

bool budget_is_short(void)
{
	LOCKED(&lock);

	return is_short;
}

uint64_t budget_used(void)
{
	LOCKED(&lock);

	return used;
}
