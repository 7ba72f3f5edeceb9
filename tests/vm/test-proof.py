#!/usr/bin/env python3
"""Proof by the module's own shell, on the kernel's gadget: what it finds below the gadget's cache, where reading back
over USB finds nothing, and what is done where there is no such shell."""

import errno
import os
import random
import re
import tempfile

from bus import Bus, Module
from host import Flash, Host, make_payload, sha256
from kmsg import finish
from medium import Medium
from rig import MIB, SLOW, case, contains, disk_image, raises, run, same, until

SIZE = 8 * MIB
DISK = 12  # MiB
HOLE = (5 * MIB, 6 * MIB)
SPOT = 4 * MIB  # where media lie, in the middle of the image
SECTORS = 64
BYTE = 100  # the one that is spoilt, counted from 1 as dm-flakey does
RIGHT, WRONG = 0x11, 0xEE

scratch = tempfile.mkdtemp()
payload = make_payload()
data = bytearray(disk_image(SIZE))
data[SPOT + BYTE - 1] = RIGHT


def file_of(name, content, hole=(0, 0)):
    path = os.path.join(scratch, name)
    with open(path, "wb") as file:
        file.write(content[:hole[0]])
        file.seek(hole[1])
        file.write(content[hole[1]:])
    return path


image = file_of("system.img", data, HOLE)
picture = file_of("holiday.jpg", random.Random(1).randbytes(3 * MIB))


def liar(flakey):
    """A table of which the middle is in no good hands, always and from the beginning; the start of the disk is."""
    start, end = SPOT // 512, SPOT // 512 + SECTORS
    return [f"0 {start} linear LOOP 0", f"{start} {SECTORS} flakey LOOP {start} 0 100000 {flakey}",
            f"{end} {DISK * MIB // 512 - end} linear LOOP {end}"]


def stored(medium, offset, size):
    with open(medium.file, "rb") as file:
        file.seek(offset)
        return file.read(size)


def change(medium, offset):
    """Beneath all that the module has, its cache included."""
    with open(medium.file, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


good, spoilt, forgetful, noisy = (Module(mmcblk0=Medium(DISK)) for _ in range(4))
bare, mute = (Module(mmcblk0=Medium(DISK), console=console) for console in (None, "mute"))
modules = [good, spoilt, forgetful, noisy, bare, mute]
spoilt.medium.map_copies(*liar(f"5 corrupt_bio_byte {BYTE} w {WRONG} 0"))
forgetful.medium.map(*liar("1 drop_writes"))
with open(noisy.medium.file, "r+b") as file:
    file.write(random.Random(2).randbytes(DISK * MIB))


def proved_by(host, name, kind, reason):
    status = host.status(name)["image"]
    same("what proved it", (status["verify"], status["verify_reason"]), (kind, reason))
    assert status["bytes_proved"] >= SIZE, status


def is_found_out(host, name, offset):
    """FAIL.TXT blames the medium, and names a range with @offset in it."""
    same("the state", host.state(name), "failed")
    text = host.text("FAIL.TXT", serial=name)
    contains("FAIL.TXT", text, "type: media")
    contains("FAIL.TXT", text, r"^error: the medium does not hold what was written, within bytes \d+ to \d+ of mmcblk0")
    first, last = map(int, re.search(r"bytes (\d+) to (\d+)", text).groups())
    assert first <= offset <= last < first + 16 * MIB, f"{offset} is not in {first} to {last}"


def has_no_start(medium):
    same("the medium's first block", stored(medium, 0, 512), bytes(512))


with Bus("boot=300", *modules):
    with Host("--autoboot", payload=payload) as host:
        names = {module: host.name_at(module.port) for module in modules}
        for name in names.values():
            host.wait_for("ready", serial=name, seconds=60)

        @case("a good flash is proved by the module's own shell, which reads all of the medium for it")
        def _():
            before = good.medium.bytes_read()
            run("cp", image, host.module(serial=names[good]))
            same("the state", host.state(names[good]), "done")
            proved_by(host, names[good], "medium", "")
            good.medium.holds(image)
            assert good.medium.bytes_read() - before >= SIZE, "it was not read"

        @case("the verb verify: the module reads and hashes all of it again")
        def _():
            before = good.medium.bytes_read()
            host.control("verify", serial=names[good])
            same("the state", host.state(names[good]), "done")
            assert good.medium.bytes_read() - before >= SIZE, "it was not read"

        @case("a byte that changed on the medium since: verify ends with EIO, and FAIL.TXT names the range")
        def _():
            change(good.medium, SPOT)
            raises(errno.EIO, host.control, "verify", names[good])
            is_found_out(host, names[good], SPOT)

        @case("a byte of each write spoilt below the module's cache: EIO, and FAIL.TXT names the range")
        def _():
            Flash(image, host.module("system.img", serial=names[spoilt])).ends(errno.EIO)
            is_found_out(host, names[spoilt], SPOT + BYTE - 1)
            same("the byte on the medium", stored(spoilt.medium, SPOT + BYTE - 1, 1), bytes([WRONG]))
            has_no_start(spoilt.medium)

        @case("writes dropped below the module's cache: EIO, and FAIL.TXT names the range")
        def _():
            Flash(image, host.module("system.img", serial=names[forgetful])).ends(errno.EIO)
            is_found_out(host, names[forgetful], SPOT)
            same("the place on the medium", stored(forgetful.medium, SPOT, SECTORS * 512), bytes(SECTORS * 512))
            has_no_start(forgetful.medium)

        @case("what is no disk image is EINVAL, and every byte of the medium is as it was")
        def _():
            before = sha256(noisy.medium.file)
            Flash(picture, host.module("holiday.jpg", serial=names[noisy])).ends(errno.EINVAL)
            contains("FAIL.TXT", host.text("FAIL.TXT", serial=names[noisy]), "type: user")
            same("the medium", sha256(noisy.medium.file), before)

        @case("a module without a console is read back over USB, and status.json says why")
        def _():
            run("cp", image, host.module(serial=names[bare]))
            proved_by(host, names[bare], "readback", "it has no console")
            contains("DETAILS.TXT", host.text("DETAILS.TXT", serial=names[bare]),
                     "Why not by the medium: it has no console")
            bare.medium.holds(image)

        @case("a console with nobody behind it is given up within seconds, which closing it does not prolong")
        def _():
            flash = Flash(image, host.module("system.img", serial=names[mute]))
            until("it is read back", lambda: (host.status(names[mute])["image"] or {}).get("verify") == "readback",
                  25 / SLOW)
            flash.ends(0)
            proved_by(host, names[mute], "readback", "no shell answers on its console")
            mute.medium.holds(image)

    with Host("--verify=readback", payload=payload) as host:
        for name in (names[spoilt], names[forgetful]):
            host.wait_for_module(name)
            host.wait_for("ready", serial=name)

        @case("--verify=readback misses the spoilt byte, for the module's cache has the right one: cp ends with 0")
        def _():
            run("cp", image, host.module("again.img", serial=names[spoilt]))
            same("the state", host.state(names[spoilt]), "done")
            proved_by(host, names[spoilt], "readback", "")
            contains("cmp", run("cmp", "-n", str(SIZE), image, spoilt.medium.file, status=1).text,
                     f"differ: (byte|char) {SPOT + BYTE}")

        @case("--verify=readback misses the dropped writes: cp ends with 0")
        def _():
            run("cp", image, host.module("again.img", serial=names[forgetful]))
            same("the state", host.state(names[forgetful]), "done")
            proved_by(host, names[forgetful], "readback", "")
            same("the place on the medium", stored(forgetful.medium, SPOT, SECTORS * 512), bytes(SECTORS * 512))

finish()
