#include <errno.h>
#include <expat.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sidecar/xml.h"

struct walk {
	XML_Parser parser;
	const char *text;
	const struct xml_visitor *visitor;
	void *data;
	unsigned depth;
	size_t begin; /* where the content of the element begins that was opened last */
	bool is_leaf; /* nothing was opened or closed since */
	int error;    /* the visitor's, or ours */
	const char *reason;
};

static void stop(struct walk *walk, int error, const char *reason)
{
	walk->error = error;
	walk->reason = reason;
	XML_StopParser(walk->parser, XML_FALSE);
}

/* expat goes on to the end of a tag after it was told to stop: an empty element is closed, too. */
static void on_open(void *data, const XML_Char *name, const XML_Char **attributes)
{
	struct walk *walk = data;
	int r;

	if (walk->error)
		return;
	if (walk->depth == XML_DEPTH_MAX) {
		stop(walk, -EINVAL, "its elements are nested too deep");
		return;
	}
	walk->begin = (size_t)XML_GetCurrentByteIndex(walk->parser) +
		      (size_t)XML_GetCurrentByteCount(walk->parser);
	walk->is_leaf = true;
	r = walk->visitor->open(walk->data, walk->depth++, name, (const char *const *)attributes);
	if (r < 0)
		stop(walk, r, NULL);
}

static void on_close(void *data, const XML_Char *name)
{
	struct walk *walk = data;
	size_t end = (size_t)XML_GetCurrentByteIndex(walk->parser);
	const char *text = walk->is_leaf ? walk->text + walk->begin : NULL;
	int r;

	if (walk->error)
		return;
	r = walk->visitor->close(walk->data, --walk->depth, name, text,
		text && end > walk->begin ? end - walk->begin : 0);
	walk->is_leaf = false;
	if (r < 0)
		stop(walk, r, NULL);
}

static void on_doctype(void *data, const XML_Char *name, const XML_Char *system,
	const XML_Char *public, int internal)
{
	stop(data, -EINVAL, "it declares a document type");
}

static int run(struct walk *walk, size_t size)
{
	enum XML_Status status;
	enum XML_Error error;

	XML_SetUserData(walk->parser, walk);
	XML_SetElementHandler(walk->parser, on_open, on_close);
	XML_SetStartDoctypeDeclHandler(walk->parser, on_doctype);

	status = XML_Parse(walk->parser, walk->text, (int)size, XML_TRUE);
	if (walk->error)
		return walk->error;
	if (status == XML_STATUS_OK)
		return 0;
	error = XML_GetErrorCode(walk->parser);
	walk->reason = XML_ErrorString(error);
	return error == XML_ERROR_NO_MEMORY ? -ENOMEM : -EINVAL;
}

int xml_walk(const char *text, size_t size, const struct xml_visitor *visitor, void *data,
	char *why, size_t why_size)
{
	struct walk walk = {.text = text, .visitor = visitor, .data = data};
	int r;

	/* Whatever encoding the document says it has, this is the one; expat itself would take UTF-16. */
	if (size > 0 && memchr(text, '\0', size)) {
		snprintf(why, why_size, "it is not text");
		return -EINVAL;
	}
	walk.parser = XML_ParserCreate("UTF-8");
	if (!walk.parser)
		return -ENOMEM;
	r = run(&walk, size);
	if (r == -EINVAL && walk.reason)
		snprintf(why, why_size, "line %lu: %s",
			(unsigned long)XML_GetCurrentLineNumber(walk.parser), walk.reason);
	XML_ParserFree(walk.parser);
	return r;
}
