#pragma once

#include <cm4fs/module.h>

/*
 * What recovery.bin tells of its module, as names of files that nobody means to read:
 * "*PROPERTY*VALUE".
 *
 * 0, or -EINVAL: not of this form, or a byte in it is no printable ASCII; -ENAMETOOLONG: a part is
 * longer than struct cm4_metadata holds (nothing is cut short: half a hash is worse than none).
 */
int boot_metadata_parse(const char *name, struct cm4_metadata *ret_metadata);
