#!/usr/bin/env python3
"""Every way to fail: its errno at the call under way, FAIL.TXT, the state, and that it sticks.

The bounds on a silent or a lost module are those of hardware, 20 to 60 seconds. So modules fail side by
side: one cm4fs, and each module with a fault of its own.
"""

import concurrent.futures
import errno
import os
import shutil

from rig import (FAST, FIRST, MIB, SHORT, Rig, case, contains, disk_image, finish, make_image, opened, raises, run,
                 same, shell, until)


class Outcome:
    """What a program saw that copied an image: at which call it failed, with which errno."""

    def __init__(self, image, path):
        self.call, self.errno, self.sticks = None, 0, []
        fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
        try:
            with open(image, "rb") as source:
                while piece := source.read(MIB):
                    self._try("write", lambda: os.write(fd, piece))
        except OSError:
            self.sticks = [self._errno_of(lambda: os.write(fd, b"more")), self._errno_of(lambda: os.fsync(fd))]
        try:
            self._try("close", lambda: os.close(fd))
        except OSError:
            pass
        if self.errno:
            self.sticks.append(self._errno_of(lambda: os.rename(path, path + ".renamed")))

    def _try(self, call, function):
        try:
            function()
        except OSError as error:
            if self.call is None:
                self.call, self.errno = call, error.errno
            else:
                self.sticks.append(error.errno)
            raise

    @staticmethod
    def _errno_of(function):
        try:
            function()
        except OSError as error:
            return error.errno
        return 0


def name_of(number):
    return errno.errorcode.get(number, str(number))


def fails(rig, serial, outcome, wanted, type_, call=None):
    """The outcome is this errno, it sticks, and everything that tells of it tells the same."""
    assert outcome.errno, f"{outcome.call} succeeded"
    same("errno", name_of(outcome.errno), name_of(wanted))
    if call:
        same("the call", outcome.call, call)
    same("repeated", [name_of(number) for number in outcome.sticks if number != outcome.errno], [])

    text = rig.text("FAIL.TXT", serial=serial)
    for line in ("error: .+", f"type: {type_}$", "advice: .+"):
        contains("FAIL.TXT", text, "^" + line)
    status = rig.status(serial)
    same("state", status["state"], "failed")
    same("status.json's errno", status["error"]["errno"], name_of(wanted))
    same("status.json's type", status["error"]["type"], type_)
    assert status["error"]["text"] and status["error"]["advice"], status["error"]


def side_by_side(title, faults, spec=FAST, mib=24):
    """faults: (FAULT[+FAULT...], errno, type, call, slow); a module each."""
    faults = [row for row in faults if not (SHORT and row[4])]
    words = "".join(f":fault={number}/{fault}" for number, row in enumerate(faults, 1)
                    for fault in row[0].split("+"))
    with Rig(f"count={len(faults)}:{spec}{words}") as rig:
        rig.spec = title
        image = make_image(os.path.join(rig.base, "os.img"), mib)
        serials = rig.serials()
        with concurrent.futures.ThreadPoolExecutor(len(faults)) as pool:
            outcomes = [pool.submit(Outcome, image, rig.module("os.img", serial=serial)) for serial in serials]

            @case(f"{title}: the root, status.json and log answer while they wait")
            def _():
                os.listdir(rig.mnt)
                for serial in serials:
                    rig.status(serial)
                    rig.text("log", serial=serial)

            for serial, outcome, (fault, wanted, type_, call, slow) in zip(serials, outcomes, faults):

                @case(f"{fault} is {name_of(wanted)}", patience=150)
                def _():
                    fails(rig, serial, outcome.result(), wanted, type_, call)


side_by_side("faults of the boot", [
    ("silent@rom", errno.ETIMEDOUT, "link", "write", True),
    ("silent@header", errno.ETIMEDOUT, "link", "write", False),
    ("silent@second-stage", errno.ETIMEDOUT, "link", "write", False),
    ("silent@status", errno.ETIMEDOUT, "link", "write", True),
    ("silent@second", errno.ETIMEDOUT, "module", "write", True),
    ("silent@file=mcb.bin", errno.ETIMEDOUT, "module", "write", False),
    ("unplug@rom", errno.ENODEV, "link", "write", True),
    ("unplug@header", errno.ENODEV, "link", "write", True),
    ("unplug@second-stage", errno.ENODEV, "link", "write", True),
    ("unplug@status", errno.ENODEV, "link", "write", True),
    ("unplug@second", errno.ENODEV, "module", "write", True),
    ("unplug@file=mcb.bin", errno.ENODEV, "module", "write", True),
    ("unplug@done", errno.ENODEV, "module", "write", True),
    ("no-second", errno.ENODEV, "link", "write", True),
    ("no-disk", errno.ENODEV, "module", "write", True),
    ("no-mmc", errno.ENOMEDIUM, "media", "write", True),
    ("no-medium", errno.ENOMEDIUM, "media", "write", False),
    ("status@7", errno.EPROTO, "module", "write", True),
    ("nonsense@bad-command", errno.EPROTO, "link", "write", False),
    ("nonsense@endless", errno.EPROTO, "link", "write", False),
])

side_by_side("faults of the disk", [
    ("held", errno.EBUSY, "user", "write", False),
    ("unplug@write=8M", errno.ENODEV, "link", None, False),
    ("unplug@sync", errno.ENODEV, "link", None, False),
    ("write-error@12M", errno.EIO, "media", None, False),
    ("sync-error", errno.EIO, "media", None, False),
])

with Rig(f"{FAST}:fault=write-error@2M") as rig:
    # Smaller than what is kept in memory: nothing but close can tell.
    small = os.path.join(rig.base, "small.img")
    with open(small, "wb") as file:
        file.write(disk_image(3 * MIB))
    shell(f'echo "start=1MiB, size=2MiB, type=83" | sfdisk -q "{small}"')

    @case("a rejected write that nobody is waiting for any more is EIO at close")
    def _():
        fails(rig, FIRST, Outcome(small, rig.module("os.img")), errno.EIO, "media", "close")

# What is harmless, or mends itself.
HARMLESS = ["rom-twice", "early-reset", "full-speed", "slow-write@1", "unplug@rom+replug@300",
            "unplug@second-stage+replug@300", "unplug@second+replug@300", "unplug@done+replug@300",
            "nonsense@dotdot", "nonsense@absolute", "nonsense@control"]
harmless_words = "".join(f":fault={number}/{fault}" for number, faults in enumerate(HARMLESS, 1)
                         for fault in faults.split("+"))

with Rig(f"count={len(HARMLESS)}:{FAST}{harmless_words}") as rig:
    rig.spec = "harmless faults"
    image = make_image(os.path.join(rig.base, "os.img"), 24)
    serials = rig.serials()
    with concurrent.futures.ThreadPoolExecutor(len(serials)) as pool:
        outcomes = [pool.submit(Outcome, image, rig.module("os.img", serial=serial)) for serial in serials]
        for serial, outcome, fault in zip(serials, outcomes, HARMLESS):

            @case(f"{fault} is survived")
            def _():
                result = outcome.result()
                same("errno", name_of(result.errno), "0")
                rig.holds(image, serial)
                same("state", rig.state(serial), "done")

with Rig(f"{FAST}:fault=unplug@write=8M:fault=replug@500") as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 24)

    @case("after a failure the module is plugged in again, and a fresh cp succeeds")
    def _():
        same("cp's exit status", run("cp", image, rig.module("os.img"), status=None).returncode, 1)
        until("it is back", lambda: rig.status()["stage"] != "none")
        run("cp", image, rig.module("os.img"))
        rig.holds(image)
        same("state", rig.state(), "done")
        assert not os.path.exists(rig.module("FAIL.TXT"))

with Rig(f"{FAST}:fault=unplug@write=8M") as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 24)

    @case("a failed module that left keeps its directory, gone, until rmdir")
    def _():
        run("cp", image, rig.module("os.img"), status=None)
        until("it is gone", lambda: rig.status()["gone"])
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^type: link$")
        os.rmdir(rig.module())
        assert FIRST not in os.listdir(rig.mnt)
        same("modules", rig.root_status()["modules"], [])

with Rig(FAST) as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 24)
    large = os.path.join(rig.base, "large.img")
    with open(large, "wb") as file:
        file.truncate(129 * MIB)

    @case("an image larger than the disk is ENOSPC as early as ftruncate says so")
    def _():
        rig.control("boot")
        with opened(rig.module("large.img")) as fd:
            raises(errno.ENOSPC, os.ftruncate, fd, 129 * MIB)
            raises(errno.ENOSPC, os.write, fd, b"x")

    @case("and fallocate")
    def _():
        with opened(rig.module("large.img")) as fd:
            raises(errno.ENOSPC, os.posix_fallocate, fd, 0, 129 * MIB)

    @case("and at the write that goes past the end")
    def _():
        with opened(rig.module("large.img")) as fd:
            os.write(fd, b"\x55" * 4096)
            raises(errno.ENOSPC, os.pwrite, fd, b"x" * 4096, 128 * MIB - 100)

    @case("cp of it exits with 1, FAIL.TXT says why, and df agrees")
    def _():
        result = run("cp", large, rig.module("large.img"), status=None)
        same("exit status", result.returncode, 1)
        contains("cp's message", result.text, "No space left")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^type: user$")
        same("state", rig.state(), "failed")

    @case("a second image on a busy disk is EBUSY, and the first is not disturbed")
    def _():
        with open(image, "rb") as source, open(rig.module("one.img"), "wb", buffering=0) as one:
            one.write(source.read(8 * MIB))
            with opened(rig.module("two.img")) as two:
                raises(errno.EBUSY, os.write, two, b"x")
            one.write(source.read())
        rig.holds(image)
        same("state", rig.state(), "done")

    @case("the image dropped before loses its name once another has begun, and is ESTALE to who has it open")
    def _():
        run("cp", image, rig.module("one.img"))
        with opened(rig.module("one.img"), os.O_RDONLY) as fd:
            run("cp", image, rig.module("three.img"))
            raises(errno.ESTALE, os.pread, fd, 4096, 0)
        assert not os.path.exists(rig.module("one.img"))

    @case("cancel: the write or close under way is ECANCELED, it sticks, and a fresh cp succeeds")
    def _():
        with opened(rig.module("cancel.img")) as fd:
            os.write(fd, disk_image(MIB))
            rig.control("cancel")
            raises(errno.ECANCELED, os.write, fd, b"more")
            raises(errno.ECANCELED, os.fsync, fd)
            raises(errno.ECANCELED, os.close, os.dup(fd))
        same("state", rig.state(), "failed")
        run("cp", image, rig.module("cancel.img"))
        rig.holds(image)
        same("state", rig.state(), "done")

    @case("a size set ahead of the data, with ranges never written and no fsync, is EBADMSG and incomplete")
    def _():
        fd = os.open(rig.module("ahead.img"), os.O_CREAT | os.O_WRONLY)
        os.ftruncate(fd, 24 * MIB)
        os.write(fd, disk_image(24 * MIB)[:MIB])
        raises(errno.EBADMSG, os.close, fd)
        rig.wait_for("incomplete")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: ")

    @case("appending what was missing makes it done")
    def _():
        with open(rig.module("ahead.img"), "r+b", buffering=0) as file:
            file.seek(MIB)
            file.write(b"\x66" * (23 * MIB))
        same("state", rig.state(), "done")
        assert not os.path.exists(rig.module("FAIL.TXT"))

# A payload that holds the files of one chip only.
payload = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"cm4fs-payload-{os.getpid()}")
os.mkdir(payload)
with open(os.path.join(payload, "bootcode4.bin"), "wb") as file:
    file.write(os.urandom(100_000))

with Rig(f"{FAST}:model=cm5", f"--payload={payload}") as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 24)

    @case("no boot files for this module's chip is ENOPKG")
    def _():
        serial = rig.serials()[0]
        fails(rig, serial, Outcome(image, rig.module("os.img", serial=serial)), errno.ENOPKG, "user", "write")

shutil.rmtree(payload)

with Rig("count=1:model=cm4-lite:link=0:medium=0") as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 24)

    @case("a Lite module without a card is ENOMEDIUM")
    def _():
        fails(rig, FIRST, Outcome(image, rig.module("os.img")), errno.ENOMEDIUM, "media", "write")

finish()
