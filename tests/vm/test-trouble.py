#!/usr/bin/env python3
"""What goes wrong on a real bus: cables, mute and hostile modules, media that fail. Each errno is the one that the
manual promises, and the daemon lives on."""

import errno
import os
import tempfile

from bus import Bus, Module
from host import Flash, Host, make_payload
from kmsg import finish
from medium import Medium
from rig import case, contains, make_image, run, until

image = make_image(os.path.join(tempfile.mkdtemp(), "system.img"), 16)
payload = make_payload()

# What a module may do in its boot. A few ROMs at a time: with many of them, this machine takes longer than the second
# that a ROM is given to see that one was pulled out. The last keeps the machine busy for as long as it is let, and
# would do that at the cost of those that flash.
EARLY = [
    ("unplug@rom", errno.ENODEV),
    ("unplug@header", errno.ENODEV),
    ("unplug@second-stage", errno.ENODEV),
    ("unplug@status", errno.ENODEV),
    ("silent@rom", errno.ETIMEDOUT),
    ("status@7", errno.EPROTO),
    ("nonsense@bad-command", errno.EPROTO),
    ("nonsense@endless", errno.EPROTO),
]
AT_ONCE = 3

# What it may do, too. These fail side by side, since the bounds are those of hardware, up to 60 seconds for a disk to
# come, and beside them is what it may say or do and still be flashed.
LATER = [
    ("unplug@second", errno.ENODEV),
    ("unplug@file=boot.img", errno.ENODEV),
    ("unplug@done", errno.ENODEV),
    ("no-second", errno.ENODEV),
    ("silent@second", errno.ETIMEDOUT),
    ("nonsense@dotdot", 0),
    ("nonsense@absolute", 0),
    ("rom-twice", 0),
    ("unplug@second+replug@300", 0),
    ("early-reset", 0),
]


def spec(faults):
    return "boot=300" + "".join(f":fault={number}/{fault}" for number, (names, _) in enumerate(faults, 1)
                                for fault in names.split("+"))


def in_rom(host, names):
    statuses = [host.status(name) for name in names]
    return [status for status in statuses if status["stage"] == "rom" and status["state"] != "failed"]


def is_rightly_over(fault, error, flash, module):
    if error:

        @case(f"{fault}: {errno.errorcode[error]}")
        def _():
            flash.ends(error, seconds=120)
    else:

        @case(f"{fault} is got over")
        def _():
            flash.ends(0, seconds=120)
            module.medium.holds(image)


with Bus(spec(EARLY), *[Module(mmcblk0=None) for _ in EARLY]) as bus, Host(payload=payload) as host:
    names = [host.name_at(module.port) for module in bus.modules]
    flashes = []
    for i, name in enumerate(names):
        until("a ROM is done with", lambda: len(in_rom(host, names[:i])) < AT_ONCE)
        flashes.append(Flash(image, host.module("system.img", serial=name)))
    for (fault, error), flash, module in zip(EARLY, flashes, bus.modules):
        is_rightly_over(fault, error, flash, module)

    @case("a module that was unplugged in its boot is booted again once it is back")
    def _():
        bus.plug(1)
        name = host.name_at(bus.modules[0].port)
        until("it is in its ROM", lambda: host.state(name) == "rom")

with Bus(spec(LATER), *[Module(mmcblk0=None if error else Medium(24)) for _, error in LATER]) as bus, \
        Host(payload=payload) as host:
    flashes = [Flash(image, host.module("system.img", serial=host.name_at(module.port))) for module in bus.modules]
    for (fault, error), flash, module in zip(LATER, flashes, bus.modules):
        is_rightly_over(fault, error, flash, module)

with Bus() as bus, Host(payload=payload) as host:
    module = bus.modules[0]

    @case("unplugged in mid-flash: ENODEV, and FAIL.TXT stays")
    def _():
        host.wait_for_module()
        module.medium.map(f"0 {module.medium.sectors} delay LOOP 0 20")
        flash = Flash(image, host.module("system.img"))
        until("something is on the medium", lambda: os.stat(module.medium.file).st_blocks > 2048)
        bus.unplug()
        flash.ends(errno.ENODEV)
        contains("FAIL.TXT", host.text("FAIL.TXT"), "type: link")
        until("it is known to be gone", lambda: host.status()["gone"])

    @case("plugged in again, it is flashed")
    def _():
        module.medium.map(f"0 {module.medium.sectors} linear LOOP 0")
        bus.plug()
        until("it is in its ROM", lambda: host.state() == "rom")
        Flash(image, host.module("system.img")).ends(0)
        module.medium.holds(image)

    @case("unplugged while it is read: the reader has its errno, and the daemon lives")
    def _():
        with open(host.module("mmcblk0.img"), "rb", buffering=0) as file:
            assert file.read(4096)
            bus.unplug()
            try:
                file.seek(40 << 20)
                assert not file.read(4096), "bytes of a module that is gone"
            except OSError as error:
                assert error.errno in (errno.ENODEV, errno.EIO, errno.ESTALE), error
        until("its directory goes", lambda: not os.path.exists(host.module()))

# Media that fail: one in a place that the image covers, and in one behind it that nobody has ever written; one
# wherever it is written to.
failing, refusing = Module(), Module()
failing.medium.map("0 20000 linear LOOP 0", "20000 64 error", "20064 59936 linear LOOP 20064", "80000 64 error",
                   f"80064 {failing.medium.sectors - 80064} linear LOOP 80064")
refusing.medium.map(f"0 {refusing.medium.sectors} flakey LOOP 0 0 3600 1 error_writes")

with Bus("boot=300", failing, refusing) as bus, Host(payload=payload) as host:
    names = [host.name_at(module.port) for module in bus.modules]

    for what, name in [("fails in one place", names[0]), ("refuses every write", names[1])]:

        @case(f"a medium that {what}: EIO, and FAIL.TXT blames the medium")
        def _():
            Flash(image, host.module("system.img", serial=name)).ends(errno.EIO)
            contains("FAIL.TXT", host.text("FAIL.TXT", serial=name), "type: media")

    @case("a place that cannot be read is an error for who reads it")
    def _():
        said = run("dd", "if=" + host.module("mmcblk0.img", serial=names[0]), "of=/dev/null", "bs=1M", status=1).text
        contains("dd", said, "Input/output error|No data available")

    @case("once the medium is sound again, the same module is flashed")
    def _():
        refusing.medium.map(f"0 {refusing.medium.sectors} linear LOOP 0")
        Flash(image, host.module("again.img", serial=names[1])).ends(0)
        refusing.medium.holds(image)

finish()
