#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The memory of all decoders of the process together. A decoder takes before it allocates, and gives when it has
 * freed; what is taken is what the format's own rules say it may need, so it holds for hostile input too.
 *
 * Any thread.
 */
#define BUDGET_SIZE (256ull << 20)

bool budget_take(uint64_t bytes); /* false: others have it, or it is more than there is at all */
bool budget_take_spare(
	uint64_t bytes); /* one that can do with less: a refusal makes nothing short */
void budget_give(uint64_t bytes);

bool budget_is_short(void); /* somebody was refused what others have, and nothing was given since */
uint64_t budget_used(void);
