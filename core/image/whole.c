#include "image/whole.h"

#include <inttypes.h>
#include <stdio.h>

enum whole_verdict whole_judge(const struct whole_facts *facts)
{
	if (facts->killed)
		return WHOLE_NO_KILLED;
	/*
	 * Ranges that nobody wrote are holes if the size came last (cp's and xz's way to end with a
	 * hole) or if the writer made sure of its data (bmaptool). Otherwise a size is a promise.
	 */
	if (!facts->unwritten || !facts->wrote_since_sized || facts->synced)
		return WHOLE_YES;
	/*
	 * qemu-img creates its output first: it sets the size, writes one block of zeros, and minds
	 * an error of that close(). Then it opens the file again and leaves out what is zeros; so
	 * that size is none of its writing's promises.
	 */
	if (!facts->has_data)
		return WHOLE_BLANK;
	if (!facts->size_is_given)
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
	case WHOLE_BLANK:
		snprintf(text, size, "a size of %" PRIu64 " bytes was set, but no data written",
			facts->size);
		return;
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
