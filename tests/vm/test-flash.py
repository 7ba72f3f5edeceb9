#!/usr/bin/env python3
"""A module's whole life on the kernel's own USB: boot, disk, flash; and its medium looked at from outside."""

import os
import tempfile

from bus import Bus, Module
from host import Host, sha256
from rig import FIRST, case, contains, finish, make_image, run, same, until

image = make_image(os.path.join(tempfile.mkdtemp(), "system.img"), 40)

with Bus() as bus, Host() as host:
    module = bus.modules[0]

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

finish()
