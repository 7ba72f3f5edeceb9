#!/usr/bin/env python3
"""An NVMe beside the eMMC: each is written where it is meant, and neither ever by mistake.

Both media hold noise of their own before every copy, and are compared with it from outside.
"""

import errno
import os
import random
import subprocess
import sys

from clients import CLIENTS
from rig import (HERE, MIB, SHORT, SLOW, Rig, case, contains, disk_image, finish, opened, raises, run, same, until)

EMMC, NVME = 16, 24

# Which way of writing comes to the name: at once, aside and renamed, unlinked first, in place, sized first.
WAYS = ["cp", "cat >", "dd oflag=direct", "rsync", "rsync --delay-updates", "rsync --inplace", "gio copy", "gio save",
        "KIO", "mc", "mv", "install", "cp -b", "dd conv=notrunc", "bmaptool copy --nobmap", "qemu-img convert"]
SHORT_WAYS = ["cp", "rsync", "gio copy"]


def read(path, size=None):
    with open(path, "rb") as file:
        return file.read(size)


class Two(Rig):
    """A module with both disks, filled with noise."""

    def __init__(self, *options):
        super().__init__(f"emmc={EMMC}M:nvme={NVME}M:link=0:medium=0:boot=0", *options)
        self.rng = random.Random(3)

    def noise(self):
        """Writes both disks full, outside of the program; returns what each holds."""
        self.control("clear")
        held = {}
        for disk, mib in (("mmcblk0", EMMC), ("nvme0n1", NVME)):
            held[disk] = self.rng.randbytes(MIB) * mib
            with open(self.medium(disk=disk), "r+b") as file:
                file.write(held[disk])
        return held

    def image(self, mib, seed):
        path = os.path.join(self.base, "image.img")
        with open(path, "wb") as file:
            file.write(disk_image(mib * MIB, seed))
        return path

    def is_as_before(self, disk, held):
        assert read(self.medium(disk=disk)) == held[disk], f"{disk} has been changed"

    def copy(self, client, image, name):
        """Exit status 0?"""
        work = os.path.join(self.base, "work")
        os.makedirs(work, exist_ok=True)
        run("cp", image, os.path.join(work, "image.img"))
        words = {"src": image, "dst": self.module(name), "python": sys.executable,
                 "imitate": os.path.join(HERE, "imitate.py")}
        return run("sh", "-c", client.words, status=None, cwd=work, env={**os.environ, **words}).returncode == 0


with Two() as rig:
    rig.control("boot")
    ways = [client for client in CLIENTS if client.name in (SHORT_WAYS if SHORT else WAYS)]

    @case("both disks are listed, each with its size")
    def _():
        until("both are here", lambda: len(rig.status()["disks"]) == 2)
        same("the disks", rig.status()["disks"], [{"name": "mmcblk0", "bytes": EMMC * MIB},
                                                  {"name": "nvme0n1", "bytes": NVME * MIB}])
        same("eMMC", os.path.getsize(rig.module("mmcblk0.img")), EMMC * MIB)
        same("NVMe", os.path.getsize(rig.module("nvme0n1.img")), NVME * MIB)

    for seed, client in enumerate(ways, 1):

        @case(f"{client.name} onto a name of its own: the eMMC, and not one byte of the NVMe")
        def _():
            held = rig.noise()
            image = rig.image(12, seed)
            assert rig.copy(client, image, "os.img"), "it fails"
            rig.holds(image)
            rig.is_as_before("nvme0n1", held)

        @case(f"{client.name} onto nvme0n1.img: that, or it says no; and not one byte of the eMMC")
        def _():
            held = rig.noise()
            image = rig.image(12, 100 + seed)
            if rig.copy(client, image, "nvme0n1.img"):
                run("cmp", "-n", str(os.path.getsize(image)), image, rig.medium(disk="nvme0n1"))
            rig.is_as_before("mmcblk0", held)

    @case("a flash of nvme0n1.img is one like any other: done, whole, its name; and proved")
    def _():
        held = rig.noise()
        image = rig.image(12, 200)
        run("cp", image, rig.module("nvme0n1.img"))
        status = rig.status()
        same("state", status["state"], "done")
        same("name", status["image"]["name"], "nvme0n1.img")
        same("whole", status["image"]["whole"], True)
        rig.is_as_before("mmcblk0", held)

    @case("larger than the eMMC, and no larger than the NVMe: ENOSPC, and both are as they were")
    def _():
        held = rig.noise()
        image = rig.image(EMMC + 4, 201)
        contains("what cp says", run("cp", image, rig.module("os.img"), status=1).text, "No space left")
        rig.is_as_before("mmcblk0", held)
        rig.is_as_before("nvme0n1", held)
        run("cp", image, rig.module("nvme0n1.img"))
        rig.is_as_before("mmcblk0", held)

    @case("larger than the NVMe: ENOSPC, and both are as they were")
    def _():
        held = rig.noise()
        contains("what cp says", run("cp", rig.image(NVME + 4, 202), rig.module("nvme0n1.img"), status=1).text,
                 "No space left")
        rig.is_as_before("mmcblk0", held)
        rig.is_as_before("nvme0n1", held)

    @case("a writer of nvme0n1.img that is killed leaves it without a start, and the eMMC as it was")
    def _():
        held = rig.noise()
        image = rig.image(12, 203)
        writer = subprocess.Popen([sys.executable, os.path.join(HERE, "write.py"), "order", str(4 * MIB), "1", image,
                                   rig.module("nvme0n1.img")])
        until("it writes", lambda: (rig.status()["image"] or {"bytes_in": 0})["bytes_in"] > 2 * MIB)
        writer.kill()
        writer.wait(20 * SLOW)
        rig.wait_for("incomplete")
        same("the NVMe's start", read(rig.medium(disk="nvme0n1"), 512), bytes(512))
        rig.is_as_before("mmcblk0", held)

    @case("what is no disk image is refused for both, and both are as they were")
    def _():
        held = rig.noise()
        junk = os.path.join(rig.base, "junk")
        with open(junk, "wb") as file:
            file.write(os.urandom(2 * MIB))
        for name in ("os.img", "nvme0n1.img"):
            run("cp", junk, rig.module(name), status=1)
        rig.is_as_before("mmcblk0", held)
        rig.is_as_before("nvme0n1", held)

    @case("an image of the eMMC cannot be renamed to the NVMe: EXDEV, and nothing moves")
    def _():
        held = rig.noise()
        image = rig.image(12, 204)
        run("cp", image, rig.module("os.img"))
        raises(errno.EXDEV, os.rename, rig.module("os.img"), rig.module("nvme0n1.img"))
        rig.holds(image)
        rig.is_as_before("nvme0n1", held)

    @case("bytes written to the one are not on the other, and a backup is of the one that is read")
    def _():
        held = rig.noise()
        for disk, other in (("nvme0n1", "mmcblk0"), ("mmcblk0", "nvme0n1")):
            with open(rig.module(f"{disk}.img"), "r+b") as file:
                file.seek(9 * MIB + 5)
                file.write(b"only here")
            changed = bytearray(held[disk])
            changed[9 * MIB + 5:9 * MIB + 14] = b"only here"
            held[disk] = bytes(changed)
            rig.is_as_before(disk, held)
            rig.is_as_before(other, held)
            assert read(rig.module(f"{disk}.img")) == held[disk], f"{disk}.img reads otherwise"

    @case("while the NVMe is open for writing, the eMMC is free; each takes one image at a time")
    def _():
        rig.noise()
        image = rig.image(12, 205)
        with open(rig.module("nvme0n1.img"), "r+b", buffering=0) as file:
            file.write(b"hold")
            run("cp", image, rig.module("os.img"))
            with opened(rig.module("nvme0n1.img")) as flash:
                raises(errno.EBUSY, os.write, flash, disk_image(MIB))
        rig.holds(image)

with Rig(f"emmc={EMMC}M:link=0:medium=0:boot=0") as rig:

    @case("nvme0n1.img where there is no NVMe: ENXIO, and the eMMC is as it was")
    def _():
        rig.control("boot")
        before = read(rig.medium())
        raises(errno.ENXIO, open, rig.module("nvme0n1.img"), "wb")
        with opened(rig.module("os.img")):
            raises(errno.ENXIO, os.rename, rig.module("os.img"), rig.module("nvme0n1.img"))
        assert read(rig.medium()) == before, "the eMMC has been changed"

# The first disk of such a module is waited for, for half a minute.
if not SHORT:
    with Rig(f"model=cm4-lite:nvme={NVME}M:link=0:medium=0:boot=0") as rig:

        @case("a Lite without a card, but with an NVMe: ENOMEDIUM for an image, and the NVMe is as it was")
        def _():
            before = read(rig.medium(disk="nvme0n1"))
            with opened(rig.module("os.img")) as fd:
                raises(errno.ENOMEDIUM, os.write, fd, disk_image(MIB))
            assert read(rig.medium(disk="nvme0n1")) == before, "the NVMe has been changed"
            rig.control("clear")

        @case("its NVMe takes an image by its own name")
        def _():
            image = os.path.join(rig.base, "image.img")
            with open(image, "wb") as file:
                file.write(disk_image(12 * MIB, 7))
            run("cp", image, rig.module("nvme0n1.img"))
            run("cmp", "-n", str(12 * MIB), image, rig.medium(disk="nvme0n1"))
            same("state", rig.state(), "done")

finish()
