#!/usr/bin/env python3
"""mmcblk0.img: the eMMC as one file, for backups and for the tools that work on disks."""

import concurrent.futures
import contextlib
import errno
import os
import random

from rig import FAST, MIB, SHORT, Rig, Skip, case, finish, make_image, opened, raises, run, same, shell


def read(path, offset, length):
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)


def write_one(path):
    with opened(path, os.O_WRONLY) as fd:
        os.write(fd, b"\x01")


@contextlib.contextmanager
def mounted(rig, disk, offset, size, kind):
    """A filesystem on a disk's file, by a loop device."""
    if os.geteuid() != 0:
        raise Skip("needs root for a loop device")
    there = os.path.join(rig.base, "there")
    os.makedirs(there, exist_ok=True)
    run("mount", "-o", f"loop,offset={offset},sizelimit={size}", "-t", kind, disk, there)
    try:
        yield there
    finally:
        run("umount", there)


@contextlib.contextmanager
def loop_device(disk, offset, size):
    if os.geteuid() != 0:
        raise Skip("needs root for a loop device")
    device = run("losetup", "--show", "-f", "-o", str(offset), "--sizelimit", str(size), disk).text.strip()
    try:
        yield device
    finally:
        run("losetup", "-d", device)


def write_at_random(path, model, lane, lanes, seed):
    """One of several writers, each in lanes of its own: pieces of any size at any place, some synced, some read."""
    rng = random.Random(seed)
    width = 50_001  # so that lanes meet within blocks of every kind
    fd = os.open(path, os.O_RDWR)
    try:
        for _ in range(40 if SHORT else 150):
            start = (rng.randrange(len(model) // width // lanes) * lanes + lane) * width
            first = start + rng.randrange(width)
            data = rng.randbytes(rng.choice([1, 511, 512, 4096, 9_000, width]))[:start + width - first]
            same("taken", os.pwrite(fd, data, first), len(data))
            model[first:first + len(data)] = data
            if rng.random() < 0.1:
                os.fsync(fd)
            if rng.random() < 0.3:
                same("read back", os.pread(fd, width, start), bytes(model[start:start + width]))
    finally:
        os.close(fd)


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
        with mounted(rig, disk, 17 * MIB, 46 * MIB, "ext4") as there:
            with open(os.path.join(there, "hello"), "w") as file:
                file.write("from the loop\n")
        hello = shell(f'debugfs -R "cat hello" "{rig.medium()}?offset={17 * MIB}" 2>/dev/null').text
        same("hello", hello, "from the loop\n")

    @case("mkfs.vfat and mkfs.ext4 make filesystems on it, and mcopy and debugfs put files there")
    def _():
        note = os.path.join(rig.base, "note.txt")
        with open(note, "w") as file:
            file.write("over_voltage=2\n")
        run("mkfs.vfat", "-n", "NEW", "--offset=2048", disk, str(16 * 1024))
        run("mcopy", "-i", disk + "@@1M", note, "::new.txt")
        same("new.txt", run("mtype", "-i", rig.medium() + "@@1M", "::new.txt").text, "over_voltage=2\n")

        run("mkfs.ext4", "-q", "-F", "-L", "new", "-E", f"offset={17 * MIB}", disk, f"{46 * 1024}k")
        run("debugfs", "-w", "-R", f"write {note} new.txt", f"{disk}?offset={17 * MIB}")
        run("e2fsck", "-fn", f"{disk}?offset={17 * MIB}")
        text = shell(f'debugfs -R "cat new.txt" "{rig.medium()}?offset={17 * MIB}" 2>/dev/null').text
        same("new.txt", text, "over_voltage=2\n")
        assert "type=c" in run("sfdisk", "-d", rig.medium()).text, "the partition table is gone"

    @case("mkfs.ext4 on a loop device of a partition; what is written there is checked by e2fsck, and on the medium")
    def _():
        with loop_device(disk, 17 * MIB, 46 * MIB) as device:
            run("mkfs.ext4", "-q", "-F", device)
            run("e2fsck", "-fn", device)
        bulk = os.urandom(5 * MIB + 13)
        with mounted(rig, disk, 17 * MIB, 46 * MIB, "ext4") as there:
            for number in range(50):
                os.mkdir(os.path.join(there, f"{number}"))
                with open(os.path.join(there, f"{number}", "bulk"), "wb") as file:
                    file.write(bulk[number * 1000:number * 3000])
            with open(os.path.join(there, "bulk"), "wb") as file:
                file.write(bulk)
        run("e2fsck", "-fn", f"{rig.medium()}?offset={17 * MIB}")
        copy = os.path.join(rig.base, "bulk")
        shell(f'debugfs -R "dump bulk {copy}" "{rig.medium()}?offset={17 * MIB}"')
        assert read(copy, 0, len(bulk) + 1) == bulk, "another file is there"
        with mounted(rig, disk, 17 * MIB, 46 * MIB, "ext4") as there:
            assert read(os.path.join(there, "bulk"), 0, len(bulk) + 1) == bulk, "another file is seen"

    @case("sfdisk lays out an empty disk, and fdisk another, as on any disk")
    def _():
        shell(f'echo "label: gpt\nstart=1MiB, size=20MiB\n" | sfdisk --no-reread -q "{disk}"')
        assert "label: gpt" in run("sfdisk", "-d", rig.medium()).text
        shell(f'printf "o\nn\np\n1\n2048\n+30M\nw\n" | fdisk "{disk}"')
        assert "size=       61440, type=83" in run("sfdisk", "-d", rig.medium()).text
        run("sfdisk", "--verify", disk)

    @case("random writers side by side: what each of them wrote is on the medium, and nothing else is changed")
    def _():
        model = bytearray(read(rig.medium(), 0, 128 * MIB))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for writer in [pool.submit(write_at_random, disk, model, lane, 4, 7 + lane) for lane in range(4)]:
                writer.result()
        assert read(rig.medium(), 0, 128 * MIB) == model, "the medium differs from what was written"
        assert read(disk, 0, 128 * MIB) == model, "the file differs from the medium"

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

    @case("a backup restores, byte by byte, over whatever came in between, by cp and by dd")
    def _():
        run("cp", "--sparse=always", disk, backup)
        run("cmp", backup, rig.medium())
        restores = [["dd", f"if={backup}", f"of={disk}", "bs=4M", "conv=notrunc,fsync", "status=none"],
                    ["dd", f"if={backup}", f"of={disk}", "bs=4M", "status=none"], ["cp", backup, disk]]
        for restore in restores[:1] if SHORT else restores:
            with open(disk, "r+b") as file:
                for place in (0, 30 * MIB, 127 * MIB):
                    file.seek(place)
                    file.write(os.urandom(MIB))
            run(*restore)
            run("cmp", backup, rig.medium())

    @case("another module gets the disk of this one")
    def _():
        if SHORT:
            raise Skip("a restore has been seen")
        with Rig(FAST) as other:
            other.control("boot")
            run("cp", backup, other.module("mmcblk0.img"))
            run("cmp", backup, other.medium())
            run("cmp", backup, other.module("mmcblk0.img"))

finish()
