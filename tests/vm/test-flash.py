#!/usr/bin/env python3
"""A module's whole life on the kernel's own USB: boot, disk, flash; and its medium looked at from outside."""

import os
import tempfile

from bus import Bus
from gadget import block_device
from host import Host, sha256
from kmsg import finish
from rig import FIRST, MIB, case, contains, make_image, run, same, until

scratch = tempfile.mkdtemp()
image = make_image(os.path.join(scratch, "system.img"), 24)
other = make_image(os.path.join(scratch, "other.img"), 16)


def loop_mounted(source):
    """Mounts the second partition of @source by a loop device, writes into it, and gives it free again."""
    loop = run("losetup", "--find", "--show", "--partscan", source).text.strip()
    point = tempfile.mkdtemp()
    try:
        until("the loop device has partitions", lambda: os.path.exists(loop + "p2"))
        run("mount", loop + "p2", point)
        with open(os.path.join(point, "written-by-loop"), "w") as file:
            file.write("through cm4fs\n")
        run("umount", point)
    finally:
        run("losetup", "--detach", loop)


with Bus() as bus:
    module = bus.modules[0]

    with Host() as host:

        @case("a module in its ROM is a directory, named by the serial that the kernel read")
        def _():
            host.wait_for_module()
            status = host.status()
            same("the state", status["state"], "rom")
            same("the port", status["port"], module.port)
            same("the link's speed", status["link_mbps"], 480)

        @case("cp boots the module and flashes it")
        def _():
            run("cp", image, host.module())
            same("the state", host.state(), "done")

        @case("the image is on the medium when cp ends")
        def _():
            module.medium.holds(image)

        @case("the module was served its boot files, each byte of them over the bus")
        def _():
            record = bus.record()
            for name in ["bootcode4.bin", "2711/mcb.bin", "2711/memsys08.bin", "2711/bootmain", "boot.img"]:
                contains("the record", record, sha256(os.path.join(host.payload, name)))

        @case("the kernel has read the new partition table when the disk is free again")
        def _():
            device = block_device(module.port)
            until("there is a second partition", lambda: os.path.exists(device + "2"))

        @case("sfdisk lists what is on mmcblk0.img")
        def _():
            contains("the list", run("sfdisk", "--list", host.module("mmcblk0.img")).text, r"img2 .*83")

        @case("mcopy writes into the boot partition through mmcblk0.img")
        def _():
            note = os.path.join(scratch, "note.txt")
            with open(note, "w") as file:
                file.write("dtparam=audio=on\n")
            run("mcopy", "-o", "-i", host.module("mmcblk0.img") + "@@1M", note, "::config.txt")
            same("on the medium", run("mtype", "-i", module.medium.file + "@@1M", "::config.txt").text,
                 "dtparam=audio=on\n")

        @case("mmcblk0.img is mounted by a loop device and written to, and the medium has it")
        def _():
            loop_mounted(host.module("mmcblk0.img"))
            offset = (1 + 24 // 4) * MIB
            contains("the medium", run("debugfs", "-R", "cat /written-by-loop",
                                       f"{module.medium.file}?offset={offset}").text, "through cm4fs")

        @case("cp mmcblk0.img is a backup, the same as the medium")
        def _():
            backup = os.path.join(scratch, "backup.img")
            run("cp", host.module("mmcblk0.img"), backup)
            run("cmp", backup, module.medium.file)

    with Host() as host:

        @case("a daemon that is started anew adopts the module in mass storage, by its old name")
        def _():
            host.wait_for_module(FIRST)
            host.wait_for("ready")
            same("the disks", host.status()["disks"], [{"name": "mmcblk0", "bytes": module.medium.size()}])

        @case("it flashes the module without a boot")
        def _():
            served = bus.record()
            run("cp", other, host.module())
            module.medium.holds(other)
            same("the module's record", bus.record(), served)

        @case("a module that is plugged out and in again is booted and flashed again")
        def _():
            bus.unplug()
            until("its directory goes", lambda: not os.path.exists(host.module()))
            bus.plug()
            host.wait_for_module()
            run("cp", image, host.module())
            module.medium.holds(image)

finish()
