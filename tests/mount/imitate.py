#!/usr/bin/env python3
"""imitate.py PROGRAM SOURCE TARGET: the system calls of a program that wants a desktop, a terminal or the network.

The sequences were traced: KIO 5.103 (Dolphin), mc 4.8, rclone 1.60, and what a Python script
does that never closes its file. An error ends it with 1, where the program looks at it.
"""

import contextlib
import os
import shutil
import sys


def pieces(source, size):
    with open(source, "rb") as file:
        while piece := file.read(size):
            yield piece


def write_all(fd, source, size):
    for piece in pieces(source, size):
        while piece:
            piece = piece[os.write(fd, piece):]


def kio(source, target):
    """Into NAME.part where the name is taken; the old one is unlinked and the new one renamed."""
    os.access(os.path.dirname(target), os.W_OK)
    os.statvfs(os.path.dirname(target))
    place = target + ".part" if os.path.exists(target) else target
    try:
        fd = os.open(place, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
        os.chmod(place, 0o600)
        write_all(fd, source, 512 * 1024)
        os.utime(fd)
        os.close(fd)
    except OSError:
        os.unlink(place)
        raise
    os.chown(place, os.getuid(), -1)
    os.chown(place, -1, os.getgid())
    if place != target:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
        os.rename(place, target)
    os.chmod(target, 0o644)


def mc(source, target):
    """Emptied where it is there, else new and nobody else's."""
    os.statvfs(os.path.dirname(target))
    new = os.O_EXCL if not os.path.exists(target) else os.O_TRUNC
    fd = os.open(target, os.O_CREAT | os.O_WRONLY | new, 0o600)
    write_all(fd, source, 128 * 1024)
    os.close(fd)
    os.chown(target, os.getuid(), os.getgid())
    os.chmod(target, 0o644)
    os.utime(target)


def rclone(source, target):
    try:
        fd = os.open(target, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666)
        write_all(fd, source, 32 * 1024)
        os.close(fd)
        os.utime(target)
    except OSError:
        os.unlink(target)
        raise


def python(source, target):
    with open(source, "rb") as image:
        shutil.copyfileobj(image, open(target, "wb"))


program, image, place = sys.argv[1:]
try:
    {"kio": kio, "mc": mc, "rclone": rclone, "python": python}[program](image, place)
except OSError as error:
    sys.exit(f"{program}: {error}")
