#pragma once

#include <stdbool.h>
#include <stddef.h>

struct payload_file;

/*
 * usbboot keeps one copy of a boot file and links to it. A checkout on a system without symlinks,
 * and some archivers, leave the link's text behind instead: bootcode4.bin becomes a file of some 30
 * bytes that reads
 * "../firmware/2711/bootcode4.bin", and the ROM takes it and never answers (usbboot#222).
 *
 * True when the file is that; @text (of @size bytes) is then the path it holds.
 */
bool linktext_detect(struct payload_file *file, char *text, size_t size);

/* The sentence that goes with it, for the file @name in the directory @path. */
void linktext_explain(
	const char *name, const char *path, const char *text, char *message, size_t size);
