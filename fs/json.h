#pragma once

#include <jansson.h>

#include <cm4fs/diagnosis.h>
#include <cm4fs/module.h>

/*
 * What status.json and the events have in common. Each is null where there is none, and NULL when out of memory.
 * Pure but for the memory; any thread.
 */
json_t *fs_json_image(const struct cm4_status *status);
json_t *fs_json_error(const struct cm4_failure *failure);
