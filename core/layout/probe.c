#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "layout/internal.h"

static bool absent(struct probe *probe)
{
	probe->layout.partial = true;
	return false;
}

bool probe_read(struct probe *probe, void *buffer, size_t size, uint64_t offset)
{
	const uint64_t end = probe->source->size;
	int r;

	if (probe->error)
		return false;
	if (size > end || offset > end - size || probe->reads == LAYOUT_READS_MAX)
		return absent(probe);
	probe->reads++;

	if (offset + size <= LAYOUT_HEAD) {
		memcpy(buffer, probe->head + offset, size);
		return true;
	}
	r = probe->source->read(probe->source->data, buffer, size, offset);
	if (r == -EAGAIN || r == -ENODATA)
		return absent(probe);
	probe->error = r;
	return r == 0;
}

void probe_reach(struct probe *probe, uint64_t end, const char *format, ...)
{
	struct layout *layout = &probe->layout;
	va_list arguments;

	if (end <= layout->reaches)
		return;
	layout->reaches = end;
	va_start(arguments, format);
	vsnprintf(layout->last, sizeof(layout->last), format, arguments);
	va_end(arguments);
}

uint64_t layout_end(uint64_t start, uint64_t count, uint32_t unit)
{
	uint64_t end;

	if (__builtin_add_overflow(start, count, &end) || __builtin_mul_overflow(end, unit, &end))
		return UINT64_MAX;
	return end;
}
