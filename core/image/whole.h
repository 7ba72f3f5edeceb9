#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Is what was written all that was meant to be written? Nobody says so: a close() comes from a
 * writer that is through, from one that is dying, from a child that inherited the descriptor and
 * from qemu-img, which opens its output three times. So it is judged by the content and by what is
 * known of the writer. Pure. The content itself, which may say how far it reaches, is judge.c's.
 */
struct whole_facts {
	uint64_t size;
	uint64_t bytes_in;
	uint64_t unwritten; /* bytes within the size that nobody wrote, nor said to be zeros */
	bool killed; /* the last close came from a killed process, and nothing was written since */
	bool wrote_since_sized; /* a write came after the last change of size */
	bool has_data;		/* not only zeros were written */
	bool size_is_given;	/* a close() came between the size and the first data */
	bool synced; /* a sync came after the last write: the writer stands by it as it is */
};

enum whole_verdict {
	WHOLE_YES,
	WHOLE_BLANK, /* nothing to judge yet: neither whole nor a failure */
	WHOLE_NO_KILLED,
	WHOLE_NO_UNWRITTEN, /* a size was set ahead of the data, and never reached */
};

enum whole_verdict whole_judge(const struct whole_facts *facts);

/* Why it is left incomplete. WHOLE_YES: no close() came to its end. */
void whole_explain(
	enum whole_verdict verdict, const struct whole_facts *facts, char *text, size_t size);
