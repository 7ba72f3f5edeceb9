#pragma once

#include <stddef.h>

/*
 * A small XML document, from its first element to its last, and nothing that such a document does not need: UTF-8
 * only, and whatever declares a document type, and with it entities, is refused where that begins. So nothing is ever
 * expanded or fetched. No one else knows expat.
 */
#define XML_DEPTH_MAX 16

/*
 * Both answer 0, or -errno, which ends the walk and is its result; the words are theirs to leave. @depth: the root's
 * is 0. All that is passed is borrowed for the call.
 */
struct xml_visitor {
	/* @attributes: name, value, name, value, ..., NULL. */
	int (*open)(void *data, unsigned depth, const char *name, const char *const *attributes);
	/*
	 * @text, of @size bytes, points into the document: what stands between the two tags, as it is written there,
	 * be it markup. NULL: there are elements in it.
	 */
	int (*close)(void *data, unsigned depth, const char *name, const char *text, size_t size);
};

/*
 * 0; -EINVAL: it is no such document, and @why (of @why_size) says where it went wrong, without a full stop; -ENOMEM;
 * or the visitor's. @size is less than 2 GiB.
 */
int xml_walk(const char *text, size_t size, const struct xml_visitor *visitor, void *data,
	char *why, size_t why_size);
