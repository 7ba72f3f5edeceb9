#!/usr/bin/env python3
"""mmcblk0.img: the eMMC as one file, for backups and for the tools that work on disks."""

import errno
import os

from rig import FAST, MIB, Rig, Skip, case, finish, make_image, opened, raises, run, same, shell


def read(path, offset, length):
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)


def write_one(path):
    with opened(path, os.O_WRONLY) as fd:
        os.write(fd, b"\x01")


with Rig(FAST) as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 64)
    disk = rig.module("mmcblk0.img")
    backup = os.path.join(rig.base, "backup.img")

    @case("boot brings the disk without an image")
    def _():
        rig.control("boot")
        same("state", rig.state(), "ready")
        same("size", os.path.getsize(disk), 128 * MIB)

    @case("cp reads a backup")
    def _():
        run("cp", image, rig.module("os.img"))
        run("cp", disk, backup)
        run("cmp", backup, rig.medium())

    @case("bytes written anywhere are on the medium after fsync, and no others")
    def _():
        fd = os.open(disk, os.O_RDWR)
        try:
            for offset, data in [(70 * MIB + 13, b"unaligned"), (80 * MIB, os.urandom(3 * MIB + 1)),
                                 (128 * MIB - 5, b"tail!")]:
                same("taken", os.pwrite(fd, data, offset), len(data))
                os.fsync(fd)
                same("the medium", read(rig.medium(), offset, len(data)), data)
                same("read back", os.pread(fd, len(data), offset), data)
        finally:
            os.close(fd)
        run("cmp", "-n", str(70 * MIB + 13), backup, rig.medium())
        same("behind", read(rig.medium(), 70 * MIB + 22, 4096), bytes(4096))
        same("before", read(rig.medium(), 80 * MIB - 4096, 4096), bytes(4096))

    @case("close syncs as well")
    def _():
        with open(disk, "r+b") as file:
            file.seek(72 * MIB)
            file.write(b"x" * 100)
        same("the medium", read(rig.medium(), 72 * MIB, 100), b"x" * 100)

    @case("dd conv=notrunc writes in place")
    def _():
        run("dd", f"if={image}", f"of={disk}", "bs=1M", "count=1", "seek=90", "conv=notrunc", "status=none")
        same("the medium", read(rig.medium(), 90 * MIB, MIB), read(image, 0, MIB))

    @case("behind the end there is nothing to write to, and nothing to read")
    def _():
        fd = os.open(disk, os.O_RDWR)
        try:
            same("read", os.pread(fd, 10, 128 * MIB), b"")
            raises(errno.ENOSPC, os.pwrite, fd, b"x", 128 * MIB)
        finally:
            os.close(fd)

    @case("cp of the backup restores it, as a flash")
    def _():
        run("cp", backup, disk)
        run("cmp", backup, rig.medium())
        same("state", rig.state(), "done")
        same("image", rig.status()["image"]["name"], "mmcblk0.img")

    @case("sfdisk and fdisk read the partition table, and sfdisk writes one")
    def _():
        assert "type=c" in run("sfdisk", "-d", disk).text
        assert "W95 FAT32" in run("fdisk", "-l", disk).text
        shell(f'echo "type=82" | sfdisk --no-reread -q -N 2 "{disk}"')
        assert "type=82" in run("sfdisk", "-d", rig.medium()).text
        shell(f'echo "type=83" | sfdisk --no-reread -q -N 2 "{disk}"')

    @case("mcopy puts a file onto the FAT partition")
    def _():
        note = os.path.join(rig.base, "note.txt")
        with open(note, "w") as file:
            file.write("enable_uart=1\n")
        run("mcopy", "-o", "-i", disk + "@@1M", note, "::config.txt")
        same("config.txt", run("mtype", "-i", rig.medium() + "@@1M", "::config.txt").text, "enable_uart=1\n")

    @case("e2fsck checks the ext4 partition through the file")
    def _():
        run("e2fsck", "-fp", f"{disk}?offset={17 * MIB}")

    @case("a loop device on it mounts the ext4 partition, and what is written there is on the medium")
    def _():
        if os.geteuid() != 0:
            raise Skip("needs root for a loop device")
        there = os.path.join(rig.base, "ext4")
        os.makedirs(there, exist_ok=True)
        run("mount", "-o", f"loop,offset={17 * MIB},sizelimit={46 * MIB}", "-t", "ext4", disk, there)
        try:
            with open(os.path.join(there, "hello"), "w") as file:
                file.write("from the loop\n")
        finally:
            run("umount", there)
        hello = shell(f'debugfs -R "cat hello" "{rig.medium()}?offset={17 * MIB}" 2>/dev/null').text
        same("hello", hello, "from the loop\n")

    @case("all who have it open share it")
    def _():
        with open(disk, "r+b", buffering=0) as one, open(disk, "rb", buffering=0) as two:
            one.seek(75 * MIB)
            one.write(b"seen by both")
            two.seek(75 * MIB)
            same("the other", two.read(12), b"seen by both")

    @case("a drop while it is open for writing is EBUSY")
    def _():
        with open(disk, "r+b", buffering=0) as file:
            file.seek(75 * MIB)
            file.write(b"hold")
            with opened(rig.module("other.img")) as other:
                raises(errno.EBUSY, os.write, other, b"\x01")

    @case("writing to it while an image is flashed is EBUSY")
    def _():
        with opened(rig.module("new.img")) as file:
            os.write(file, read(image, 0, MIB))
            raises(errno.EBUSY, write_one, disk)

    @case("when it is closed, the disk is free for an image again")
    def _():
        run("cp", image, rig.module("again.img"))
        rig.holds(image)

finish()
