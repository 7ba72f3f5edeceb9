#!/usr/bin/env python3
"""Many at once: modules side by side, writers that wait, and nothing left over afterwards."""

import json
import os
import subprocess
import time

from rig import FAST, MIB, SHORT, SLOW, Rig, case, comment, contains, finish, make_image, run, same, until

with Rig(f"count=4:{FAST}") as rig:
    serials = rig.serials()
    images = [make_image(os.path.join(rig.base, f"{serial}.img"), 24) for serial in serials]

    @case("four modules flashed at the same time are each their own image")
    def _():
        copies = [subprocess.Popen(["cp", image, rig.module(serial=serial)])
                  for serial, image in zip(serials, images)]
        for copy in copies:
            same("exit status", copy.wait(60 * SLOW), 0)
        for serial, image in zip(serials, images):
            rig.holds(image, serial)
            same("state", rig.state(serial), "done")

    @case("ten flashes one after another leave no descriptor and no thread behind")
    def _():
        run("cp", images[0], rig.module("first.img"))
        descriptors, threads = len(rig.descriptors()), rig.threads()
        for number in range(3 if SHORT else 10):
            run("cp", images[number % 4], rig.module("first.img"))
            run("cp", rig.module("mmcblk0.img"), "/dev/null")
        until("the descriptors are back", lambda: len(rig.descriptors()) <= descriptors)
        until("the threads are back", lambda: rig.threads() <= threads)

with Rig("emmc=128M:link=8M:medium=0") as rig:
    image, late = (make_image(os.path.join(rig.base, name), 24) for name in ("image", "late"))
    rig.control("boot")

    @case("a second cp onto the name that is being written is EBUSY, and the first is whole")
    def _():
        first = subprocess.Popen(["cp", image, rig.module("os.img")])
        rig.wait_for("flashing")
        until("some of it is there", lambda: rig.status()["image"]["bytes_in"] > MIB)
        contains("what cp says", run("cp", late, rig.module("os.img"), status=1).text, "busy")
        same("the first one's exit status", first.wait(60 * SLOW), 0)
        rig.holds(image)
        same("state", rig.state(), "done")

    @case("once it is whole, the next takes its place")
    def _():
        run("cp", late, rig.module("os.img"))
        rig.holds(late)

with Rig("emmc=128M:link=0:medium=0:boot=2000") as rig:
    image, late = (make_image(os.path.join(rig.base, name), 24) for name in ("image", "late"))

    @case("a second cp onto the name whose first byte still waits for the boot is EBUSY, and the first is whole")
    def _():
        first = subprocess.Popen(["cp", image, rig.module("os.img")])
        rig.wait_for("booting")
        contains("what cp says", run("cp", late, rig.module("os.img"), status=1).text, "busy")
        same("the first one's exit status", first.wait(60 * SLOW), 0)
        rig.holds(image)

# 64 writers that wait: the module takes next to nothing, and a second one beside it is left alone.
with Rig("count=2:emmc=128M:link=200K:medium=0", "--raw") as rig:
    other = rig.serials()[1]
    writers = []

    def answers():
        """The slowest of: the root's list, another module's, status.json, and the other's control."""
        slowest = 0
        for ask in (lambda: os.listdir(rig.mnt), lambda: os.listdir(rig.module(serial=other)),
                    lambda: json.loads(rig.text("status.json")), lambda: rig.root_status(),
                    lambda: rig.text("control", serial=other), lambda: os.statvfs(rig.mnt)):
            begun = time.monotonic()
            ask()
            slowest = max(slowest, time.monotonic() - begun)
        return slowest

    @case("64 writers wait on one module, and nobody else does")
    def _():
        for number in range(64):
            writers.append(subprocess.Popen(
                ["dd", "if=/dev/zero", f"of={rig.module('slow.img')}", "bs=1M", "count=64",
                 "conv=notrunc", f"seek={number}", "status=none"], stderr=subprocess.DEVNULL))
        rig.wait_for("flashing")
        until("what is buffered is full", lambda: rig.status()["image"]["bytes_in"] > 4 * MIB, 60)
        slowest = max(answers() for _ in range(50))
        comment(f"slowest answer {slowest * 1000:.1f} ms")
        assert slowest < SLOW, f"{slowest:.2f} s"
        same("state", rig.state(), "flashing")

    @case("control still cancels, and every one of them fails")
    def _():
        rig.control("cancel")
        for writer in writers:
            assert writer.wait(20 * SLOW) != 0
        same("errno", rig.status()["error"]["errno"], "ECANCELED")

finish()
