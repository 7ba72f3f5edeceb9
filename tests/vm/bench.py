#!/usr/bin/env python3
"""What the way through cm4fs costs on a real bus: dd to the block device and cp to the module, in turns and in one
run; and the time from the plug to the disk, with the module's own share of it. Prints; asserts nothing of speed."""

import os
import statistics
import tempfile
import time

import tap
from bus import Bus, Module
from gadget import block_device
from host import Host
from kmsg import finish
from medium import Medium
from rig import MIB, case, run, shell, until

SIZE = 32  # MiB
ROUNDS = 3
BOOT_MS = 1000
TARGET = 0.95

image = os.path.join(tempfile.mkdtemp(), "system.img")
run("dd", "if=/dev/urandom", "of=" + image, "bs=1M", f"count={SIZE}")


def seconds(function):
    begin = time.monotonic()
    function()
    return time.monotonic() - begin


with Bus(f"boot={BOOT_MS}", Module(mmcblk0=Medium(SIZE))) as bus, Host() as host:
    module = bus.modules[0]

    @case("attach to disk")
    def _():
        host.wait_for_module()
        bus.unplug()
        until("its directory goes", lambda: not os.path.exists(host.module()))

        def attach():
            bus.plug()
            host.wait_for_module()
            shell(f"echo boot >{host.module('control')}")
            host.wait_for("ready")

        total = seconds(attach)
        tap.comment(f"attach to disk: {total:.2f} s, of which {BOOT_MS / 1000:.2f} s are the module's own boot, and "
                    "1.00 s is the kernel's before it looks at a disk (usb-storage's delay_use)")

    @case(f"dd and cp of {SIZE} MiB, in turns")
    def _():
        device = block_device(module.port)
        dd, cp = [], []
        for _ in range(ROUNDS):
            dd.append(seconds(lambda: run("dd", "if=" + image, "of=" + device, "bs=1M", "oflag=direct", "conv=fsync")))
            cp.append(seconds(lambda: run("cp", image, host.module("system.img"))))
            module.medium.holds(image)
        for name, times in [("dd oflag=direct", dd), ("cp through cm4fs", cp)]:
            tap.comment(f"{name:18} {SIZE * MIB / statistics.median(times) / 1e6:7.1f} MB/s  " +
                        " ".join(f"{time:.2f}" for time in times))
        ratio = statistics.median(dd) / statistics.median(cp)
        tap.comment(f"ratio {ratio:.2f}, target {TARGET}")

finish()
