#!/usr/bin/env python3
"""Is it a disk image, and is all of it there? What is none is refused, and not one byte of the disk is changed.

The medium is compared from outside with what it was before: noise, which no refused copy may have touched.
"""

import errno
import os
import shutil
import sys

from rig import (MIB, SHORT, Rig, case, contains, disk_image, finish, make_image, opened, raises, run, same, shell)

# An eMMC that holds something, beside which it stays to be compared with.
EMMC = 64


class Scratch(Rig):
    def __init__(self, *options):
        super().__init__(f"emmc={EMMC}M:link=0:medium=0", *options)
        self.before = os.path.join(self.base, "before")
        with open(self.before, "wb") as file:
            file.write(os.urandom(EMMC * MIB))
        shutil.copy(self.before, self.medium())

    def file(self, name, content):
        path = os.path.join(self.base, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def untouched(self):
        run("cmp", self.before, self.medium())

    def refused(self, path, number, says, type_="user"):
        """cp says so, and so does everything else; the medium is what it was."""
        result = run("cp", path, self.module(os.path.basename(path)), status=1)
        contains("what cp says", result.text, os.strerror(number))
        status = self.status()
        same("state", status["state"], "failed")
        same("errno", status["error"]["errno"], errno.errorcode[number])
        contains("FAIL.TXT", self.text("FAIL.TXT"), f"^error: .*{says}")
        contains("FAIL.TXT", self.text("FAIL.TXT"), f"^type: {type_}$")
        contains("FAIL.TXT", self.text("FAIL.TXT"), "^advice: .")
        self.untouched()


with Scratch() as rig:
    gpt = os.path.join(rig.base, "gpt.img")
    shell(f'truncate -s 24M {gpt} && echo "label: gpt\nstart=1MiB, size=8MiB\nstart=9MiB" | sfdisk -q {gpt}')
    ext4 = os.path.join(rig.base, "ext4.img")
    shell(f"truncate -s 24M {ext4} && mkfs.ext4 -q {ext4}")
    fat = os.path.join(rig.base, "fat.img")
    shell(f"truncate -s 24M {fat} && mkfs.vfat {fat} >{fat}.log")
    short = rig.file("short.txt", b"remember the milk")
    mbr = make_image(os.path.join(rig.base, "mbr.img"), 24)

    for name, content in [("noise", os.urandom(4 * MIB)), ("short", b"not an image\n"), ("zeros", bytes(2 * MIB)),
                          ("many-zeros", bytes(40 * MIB)), ("noise-to-the-end", os.urandom(EMMC * MIB))]:

        @case(f"{name}: EINVAL, and the medium is what it was")
        def _():
            rig.refused(rig.file(name, content), errno.EINVAL, "not a disk image")

    @case("a program's text, dropped by every kind of writer: EINVAL, and the medium is what it was")
    def _():
        text = os.path.realpath(shutil.which("python3"))
        commands = ["cp {} {}", "cat {} >{}", "dd if={} of={} bs=4M oflag=direct", "rsync --inplace {} {}",
                    "cp --sparse=always {} {}", "gio copy {} {}"]
        for command in commands[:1] if SHORT else commands:
            result = shell(command.format(text, rig.module("text.img")), status=None)
            assert result.returncode != 0, f"{command} says it was good"
            same("errno", rig.status()["error"]["errno"], "EINVAL")
        rig.untouched()

    @case("a rename after a refused close repeats it, and the file has its new name")
    def _():
        fd = os.open(rig.module("tmp.img"), os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"not an image")
        raises(errno.EINVAL, os.close, fd)
        raises(errno.EINVAL, os.rename, rig.module("tmp.img"), rig.module("last.img"))
        assert os.path.exists(rig.module("last.img"))
        rig.untouched()

    @case("clear at once after a refused copy: FAIL.TXT is gone, and stays so")
    def _():
        for _ in range(10):
            run("cp", short, rig.module("short.img"), status=1)
            rig.control("clear")
            same("state", rig.state(), "ready")
        assert not os.path.exists(rig.module("FAIL.TXT"))

    @case("a writer killed before it was judged leaves the medium as it was, and is resumed by appending")
    def _():
        image = rig.file("killed", disk_image(24 * MIB))
        script = f"""
import os, signal
with open({image!r}, "rb") as image, open({rig.module("killed.img")!r}, "wb", buffering=0) as file:
    file.write(image.read(500000))
    os.kill(os.getpid(), signal.SIGKILL)
"""
        run(sys.executable, "-c", script, status=-9)
        rig.wait_for("incomplete")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: the writer was killed after 500000 bytes")
        rig.untouched()
        shell(f"tail -c +500001 {image} >>{rig.module('killed.img')}")
        rig.holds(image)
        same("state", rig.state(), "done")
        shutil.copy(rig.before, rig.medium())

    @case("an image larger than the disk by its own table is ENOSPC, and the medium is what it was")
    def _():
        rig.refused(rig.file("large.img", disk_image(EMMC * MIB + MIB)[:8 * MIB]), errno.ENOSPC, "ends at byte")

    @case("an image that ends before its table does is EBADMSG and incomplete; FAIL.TXT says which partition")
    def _():
        image = make_image(os.path.join(rig.base, "long.img"), 40)
        result = shell(f"head -c 20M {image} >{rig.module('long.img')}", status=None)
        assert result.returncode != 0
        rig.wait_for("incomplete")
        same("errno", rig.status()["error"]["errno"], "EBADMSG")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: .*partition 2 ends at byte 40894464, and only 20971520")
        same("bytes_total", rig.status()["image"]["bytes_total"], 40894464)
        same("the medium's start", open(rig.medium(), "rb").read(MIB), bytes(MIB))

        shell(f"tail -c +20971521 {image} >>{rig.module('long.img')}")
        rig.holds(image)
        same("state", rig.state(), "done")

    for title, path, cut, says in [("a GPT without its backup", gpt, 24 * MIB - 512, "backup"),
                                   ("a bare ext4", ext4, 24 * MIB - 4096, "ext4"),
                                   ("a bare FAT", fat, 24 * MIB - 4096, "FAT"),
                                   ("a FAT and an ext4 in partitions", mbr, 20 * MIB, "partition 2")]:

        @case(f"{title} is whole when all of it is there, and not before")
        def _():
            target = rig.module("cut.img")
            result = shell(f"head -c {cut} {path} >{target}", status=None)
            assert result.returncode != 0, "cat says it was good"
            rig.wait_for("incomplete")
            contains("FAIL.TXT", rig.text("FAIL.TXT"), f"^error: .*{says}")
            shell(f"tail -c +{cut + 1} {path} >>{target}")
            same("state", rig.state(), "done")
            rig.holds(path)

    @case("two programs in one redirection, the first of which wrote no image yet")
    def _():
        shell(f"(head -c 100 {mbr}; tail -c +101 {mbr}) >{rig.module('two.img')}")
        rig.holds(mbr)
        same("state", rig.state(), "done")

    @case("an image whose start is written last of all")
    def _():
        content = disk_image(12 * MIB)
        with open(rig.module("last.img"), "wb", buffering=0) as file:
            for mib in reversed(range(12)):
                file.seek(mib * MIB)
                file.write(content[mib * MIB:(mib + 1) * MIB])
        rig.holds(rig.file("last", content))

    @case("what is refused leaves the image before as it was: to be read, proved and listed")
    def _():
        run("cp", mbr, rig.module("good.img"))
        result = run("cp", rig.file("note.txt", b"remember the milk"), rig.module("note.txt"), status=1)
        contains("what cp says", result.text, "Invalid argument")
        same("image", rig.status()["image"]["name"], "note.txt")
        run("cmp", mbr, rig.module("good.img"))
        if not SHORT:
            rig.control("verify")
        run("cp", gpt, rig.module("next.img"))
        assert not os.path.exists(rig.module("good.img")), "it is listed, though another is on the disk"
        assert not os.path.exists(rig.module("note.txt")), "it is listed, though it was never on the disk"

    @case("an image that was zeroed at its start is refused, and the disk has no start any more")
    def _():
        content = disk_image(24 * MIB)
        with opened(rig.module("zeroed.img")) as fd:
            for mib in range(24):
                os.write(fd, content[mib * MIB:(mib + 1) * MIB])
            os.pwrite(fd, bytes(MIB), 0)
            raises(errno.EINVAL, os.close, os.dup(fd))
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: this is not a disk image, it has nothing but zeros$")
        same("the medium's start", open(rig.medium(), "rb").read(MIB), bytes(MIB))

    @case("a backup of a disk without an image is not restored")
    def _():
        with opened(rig.module("mmcblk0.img"), os.O_WRONLY | os.O_TRUNC) as fd:
            raises(errno.EINVAL, lambda: [os.write(fd, bytes(MIB)) for _ in range(24)])

with Scratch("--raw") as rig:

    @case("--raw takes anything, and asks it nothing")
    def _():
        for name, content in [("noise.img", os.urandom(4 * MIB)), ("short.img", disk_image(EMMC * MIB)[:8 * MIB]),
                              ("zeros.img", bytes(3 * MIB))]:
            path = rig.file(name, content)
            run("cp", path, rig.module(name))
            rig.holds(path)
            same("state", rig.state(), "done")

finish()
