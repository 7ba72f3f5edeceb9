#!/usr/bin/env python3
"""write.py HOW RATE SEED SOURCE TARGET: writes a file whose bytes come in no faster than RATE a second.

HOW: order, one piece after the other; place, the same without emptying the file; pieces, the size first and then
pieces of odd sizes in random order, with an fsync on the way and one at the end; loose, the same without the last,
and the first MiB comes first. An error ends it with 1 and its text.
"""

import os
import random
import sys
import time

HEAD = 1024 * 1024
how, rate, seed, source, target = sys.argv[1:]
rng = random.Random(int(seed))
with open(source, "rb") as file:
    data = file.read()

ordered = how in ("order", "place")
cuts = list(range(0, len(data), 256 * 1024))
if not ordered:
    cuts = [0, *sorted(rng.sample(range(1, len(data)), 60))]
if how == "loose":
    cuts = [0, HEAD, *filter(lambda cut: cut > HEAD, cuts)]
pieces = list(zip(cuts, [*cuts[1:], len(data)]))
if not ordered:
    first = 1 if how == "loose" else 0
    pieces[first:] = rng.sample(pieces[first:], len(pieces) - first)

try:
    fd = os.open(target, os.O_CREAT | os.O_WRONLY | (0 if how == "place" else os.O_TRUNC), 0o644)
    if not ordered:
        os.ftruncate(fd, len(data))
    due = time.monotonic()
    for number, (start, end) in enumerate(pieces):
        due += (end - start) / int(rate)
        time.sleep(max(0, due - time.monotonic()))
        while start < end:
            start += os.pwrite(fd, data[start:end], start)
        if not ordered and number == len(pieces) * 2 // 3:
            os.fsync(fd)
    if how == "pieces":
        os.fsync(fd)
    os.close(fd)
except OSError as error:
    sys.exit(f"{target}: {error.strerror}")
