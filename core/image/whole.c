#include "image/whole.h"

#include <inttypes.h>
#include <stdio.h>

enum whole_verdict whole_judge(const struct whole_facts *facts)
{
	if (facts->killed)
		return WHOLE_NO_KILLED;
	/*
	 * Ranges that nobody wrote are holes if the size came last (cp's and xz's way to end with a
	 * hole) or if the writer made sure of its data (bmaptool). Otherwise more is to come:
	 * qemu-img sets the size, writes one block, closes, and opens the file again for the rest.
	 */
	if (facts->unwritten && facts->wrote_since_sized && !facts->synced)
		return WHOLE_NO_UNWRITTEN;
	return WHOLE_YES;
}

void whole_explain(
	enum whole_verdict verdict, const struct whole_facts *facts, char *text, size_t size)
{
	if (facts->size == 0) {
		snprintf(text, size, "it was emptied, and nothing was written to it after that");
		return;
	}
	switch (verdict) {
	case WHOLE_NO_KILLED:
		snprintf(text, size, "the writer was killed after %" PRIu64 " bytes",
			facts->bytes_in);
		return;
	case WHOLE_NO_UNWRITTEN:
		snprintf(text, size,
			"a size of %" PRIu64 " bytes was set, but %" PRIu64
			" of them were never written",
			facts->size, facts->unwritten);
		return;
	case WHOLE_YES:
		snprintf(text, size,
			"the writer left after %" PRIu64
			" bytes, before they were all on the medium",
			facts->bytes_in);
		return;
	}
}
