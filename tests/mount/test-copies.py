#!/usr/bin/env python3
"""Copies that are good: odd lengths and full disks, other names, filesystems that are there afterwards, holes."""

import ctypes
import os

from rig import FAST, MIB, Rig, case, finish, make_image, run, same


def punch(fd, offset, length):
    """fallocate(2), which Python has in POSIX's form only."""
    keep_size, punch_hole = 1, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, keep_size | punch_hole, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


with Rig("emmc=48M:link=0:medium=0") as rig:
    first = make_image(os.path.join(rig.base, "first.img"), 24)
    second = make_image(os.path.join(rig.base, "second.img"), 40, tail=1536)

    @case("an image of an odd number of bytes")
    def _():
        odd = make_image(os.path.join(rig.base, "odd.img"), 24, tail=777)
        run("cp", odd, rig.module("odd.img"))
        rig.holds(odd)
        run("cmp", odd, rig.module("odd.img"))

    @case("an image as large as the disk")
    def _():
        full = make_image(os.path.join(rig.base, "full.img"), 48)
        run("cp", full, rig.module("full.img"))
        rig.holds(full)

    @case("a copy that only a rename finishes is known by its last name")
    def _():
        run("cp", first, rig.module(".tmp-a83k"))
        os.rename(rig.module(".tmp-a83k"), rig.module("os.img"))
        run("cmp", first, rig.module("os.img"))
        same("name", rig.status()["image"]["name"], "os.img")

    @case("removing or renaming the dropped file erases nothing")
    def _():
        run("cp", first, rig.module("first.img"))
        os.rename(rig.module("first.img"), rig.module("second.img"))
        rig.holds(first)
        os.unlink(rig.module("second.img"))
        assert not os.path.exists(rig.module("second.img"))
        rig.holds(first)

    @case("the medium's filesystems hold the files that were put into the image")
    def _():
        run("cp", second, rig.module("os.img"))
        config = run("mtype", "-i", rig.medium() + "@@1M", "::config.txt").text
        same("config.txt", config, "arm_64bit=1\n")
        run("e2fsck", "-fn", f"{rig.medium()}?offset={11 * MIB}")

with Rig(FAST, "--raw") as rig:

    @case("holes punched behind the end, a size set, and the last hole punched again, as cp --sparse=always ends")
    def _():
        fd = os.open(rig.module("holes.img"), os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"\x55" * 8192)
        punch(fd, 8192, MIB)
        punch(fd, 8192 + MIB, 4096)
        os.ftruncate(fd, 24 * MIB)
        punch(fd, 12288 + MIB, 23 * MIB - 12288)
        os.close(fd)
        same("state", rig.state(), "done")
        same("the hole", open(rig.medium(), "rb").read(24 * MIB), b"\x55" * 8192 + bytes(24 * MIB - 8192))

finish()
