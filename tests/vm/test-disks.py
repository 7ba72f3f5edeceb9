#!/usr/bin/env python3
"""Which disk is written, and which never: several modules, several disks of one, and disks of others."""

import errno
import os
import tempfile

from bus import Bus, Module
from gadget import Gadget, block_device, detach, port_path
from host import Flash, Host, sha256
from kmsg import finish
from medium import Medium
from rig import MIB, case, contains, disk_image, make_image, opened, run, same, until

STRANGER = 7  # the foreign disk's port

scratch = tempfile.mkdtemp()
images = [make_image(os.path.join(scratch, f"system{i}.img"), 16 + 8 * i) for i in range(2)]


def filled(mib):
    """A medium with something on it."""
    medium = Medium(mib)
    with open(medium.file, "r+b") as file:
        file.write(os.urandom(mib * MIB))
    return medium


# It bears the name of a module's disk, but no module's USB identity.
foreign = filled(8)
foreign_sum = sha256(foreign.file)
stranger = Gadget("0951", "1666", "E0D55EA573", [("mmcblk0", foreign.device)], console=None)
stranger.attach(STRANGER)
foreign_device = block_device(port_path(STRANGER))

first = Module(nvme0n1=filled(16), mmcblk0=Medium())  # the NVMe comes up before the eMMC
second = Module()
third = Module(mmcblk0=None)
nvme_sum = sha256(first.disks["nvme0n1"].file)

with Bus("boot=500", first, second, third) as bus, Host() as host:
    names = [host.name_at(module.port) for module in bus.modules]

    @case("two modules at once, each gets its own image")
    def _():
        flashes = [Flash(image, host.module("system.img", serial=name)) for image, name in zip(images, names)]
        for flash in flashes:
            flash.ends(0)
        for image, module, name in zip(images, bus.modules, names):
            module.medium.holds(image)
            same("what proved it", host.status(name)["image"]["verify"], "medium")

    @case("the module's NVMe is shown, and was not touched")
    def _():
        same("the disks", sorted(disk["name"] for disk in host.status(names[0])["disks"]), ["mmcblk0", "nvme0n1"])
        same("its bytes", sha256(first.disks["nvme0n1"].file), nvme_sum)

    @case("a foreign USB disk is no module's, and was not touched")
    def _():
        same("the modules", sorted(host.serials()), sorted(names))
        same("its bytes", sha256(foreign.file), foreign_sum)
        run("dd", "if=" + foreign_device, "of=/dev/null", "bs=1M", "count=1", "iflag=direct")

    @case("a copy onto nvme0n1.img goes there, and nowhere else")
    def _():
        before = sha256(first.medium.file)
        small = os.path.join(scratch, "small.img")
        with open(small, "wb") as file:
            file.write(disk_image(8 * MIB))
        run("cp", small, host.module("nvme0n1.img", serial=names[0]))
        first.disks["nvme0n1"].holds(small)
        same("what proved it", host.status(names[0])["image"]["verify"], "medium")
        same("the eMMC's bytes", sha256(first.medium.file), before)

    @case("while a partition of the old image is mounted, cp is refused with EBUSY and nothing is changed")
    def _():
        device = block_device(second.port)
        until("there is a partition", lambda: os.path.exists(device + "1"))
        run("mount", "-o", "ro", device + "1", "/mnt")
        before = sha256(second.medium.file)
        Flash(images[0], host.module("busy.img", serial=names[1])).ends(errno.EBUSY)
        contains("FAIL.TXT", host.text("FAIL.TXT", serial=names[1]), "type: user")
        same("the medium", sha256(second.medium.file), before)

    @case("once it is unmounted, the same copy is good")
    def _():
        run("umount", "/mnt")
        Flash(images[0], host.module("busy.img", serial=names[1])).ends(0)
        second.medium.holds(images[0])

    @case("while another program holds the disk's lock, cp is refused with EBUSY")
    def _():
        with opened(block_device(second.port), os.O_RDONLY) as fd:
            run("flock", "--exclusive", str(fd), pass_fds=[fd])
            Flash(images[1], host.module("locked.img", serial=names[1])).ends(errno.EBUSY)
        second.medium.holds(images[0])

    @case("a module whose disk has no medium: ENOMEDIUM")
    def _():
        Flash(images[0], host.module("system.img", serial=names[2])).ends(errno.ENOMEDIUM)
        contains("FAIL.TXT", host.text("FAIL.TXT", serial=names[2]), "type: media")

detach(STRANGER)
stranger.free()
foreign.free()
finish()
