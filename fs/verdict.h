#pragma once

#include <stdbool.h>
#include <stdint.h>

struct fs_signals;

/*
 * Whether to give up a request whose caller was interrupted @waited_ms ago. @signals: NULL where
 * the caller cannot be read. @closing: a FLUSH or an fsync, which a program takes as the truth
 * about its data and rarely tries again. Pure; any thread.
 */
bool fs_verdict(bool closing, uint64_t waited_ms, const struct fs_signals *signals);
