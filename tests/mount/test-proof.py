#!/usr/bin/env python3
"""Proof: a medium that keeps something else than its cache shows is found by the module's own reading, and by that
alone. And what becomes of a proof where there is no console, or a bad one."""

import errno
import os
import subprocess

from rig import MIB, SHORT, SLOW, Rig, case, contains, finish, make_image, raises, run, same, shell

# A medium with a cache before it: what has no limit to its rate has none.
CACHED = "emmc=128M:link=0:medium=400M:boot=0"
PLACE = "10M"  # in the image, and in none of its holes


def differs_at(rig, image, place=10 * MIB):
    """The medium is not what was written, seen from outside."""
    with open(image, "rb") as one, open(rig.medium(), "rb") as two:
        one.seek(place // MIB * MIB)
        two.seek(place // MIB * MIB)
        assert one.read(MIB) != two.read(MIB), "the medium is as it should be: the fault did not strike"


def start_of(rig):
    with open(rig.medium(), "rb") as file:
        return file.read(4096)


def dense(rig, mib=24):
    """Without holes, so that every place is written by its writer."""
    image = make_image(os.path.join(rig.base, "os.img"), mib)
    shell(f"cp --sparse=never {image} {image}.dense && mv {image}.dense {image}")
    with open(image, "r+b") as file:
        file.seek(10 * MIB)
        file.write(os.urandom(MIB))
    return image


FAULTS = (f"corrupt@{PLACE}", "drop-write@0") if SHORT else (f"corrupt@{PLACE}", f"drop-write@{PLACE}",
                                                             "corrupt@100", "drop-write@0")

for fault in FAULTS:

    with Rig(f"{CACHED}:fault={fault}", proved=True) as rig:
        rig.spec = f"{fault}, proved on the medium"
        image = dense(rig)

        @case(f"{fault}: found by the module's own reading, EIO, and no start on the medium")
        def _():
            result = run("cp", image, rig.module("os.img"), status=1)
            contains("what cp says", result.text, "Input/output error")
            status = rig.status()
            same("state", status["state"], "failed")
            same("errno", status["error"]["errno"], "EIO")
            same("type", status["error"]["type"], "media")
            same("how", status["image"]["verify"], "medium")
            same("whole", status["image"]["whole"], False)
            contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: the medium does not hold what was written, "
                     "within bytes [0-9]+ to [0-9]+ of mmcblk0")
            assert start_of(rig)[510:512] != b"\x55\xaa", "there is a partition table"

    with Rig(f"{CACHED}:fault={fault}", "--verify=readback") as rig:
        rig.spec = f"{fault}, read back"
        image = dense(rig)

        @case(f"{fault}: missed by reading back, which the cache answers")
        def _():
            run("cp", image, rig.module("os.img"))
            status = rig.status()
            same("state", status["state"], "done")
            same("how", status["image"]["verify"], "readback")
            same("proved", status["image"]["bytes_proved"], status["image"]["bytes_written"])
            differs_at(rig, image, 0 if fault.endswith(("@0", "@100")) else 10 * MIB)

with Rig(f"{CACHED}:fault=corrupt@{PLACE}:fault=no-cache", "--verify=readback") as rig:
    rig.spec = "no cache, read back"
    image = dense(rig)

    @case("where there is no cache, reading back finds it too")
    def _():
        run("cp", image, rig.module("os.img"), status=1)
        same("errno", rig.status()["error"]["errno"], "EIO")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: the disk does not hold what was written")

with Rig(f"{CACHED}:fault=corrupt@{PLACE}", "--verify=off") as rig:
    rig.spec = "nothing proved"
    image = dense(rig)

    @case("--verify=off proves nothing, and says so")
    def _():
        run("cp", image, rig.module("os.img"))
        same("how", rig.status()["image"]["verify"], "off")
        same("proved", rig.status()["image"]["bytes_proved"], 0)
        contains("DETAILS.TXT", rig.text("DETAILS.TXT"), "^Image proved: no")
        raises(errno.ENODATA, rig.control, "verify")

CONSOLES = [("none", "no console"), ("dead", "no shell answers"), ("noisy", "")]

for word, says in CONSOLES[:1] if SHORT else CONSOLES:

    with Rig(f"{CACHED}:fault=console@{word}", proved=True) as rig:
        rig.spec = f"console@{word}"
        image = dense(rig)

        @case(f"a console that is {word}: " + ("proved by reading back, and it says why" if says else "proved by it"))
        def _():
            run("cp", image, rig.module("os.img"))
            rig.holds(image)
            status = rig.status()["image"]
            same("how", status["verify"], "readback" if says else "medium")
            contains("the reason", status["verify_reason"], says)
            same("proved", status["bytes_proved"], status["bytes_written"])
            contains("DETAILS.TXT", rig.text("DETAILS.TXT"), "^Image proved: yes, by " +
                     ("reading it back" if says else "the module's own reading"))

with Rig(CACHED, proved=True) as rig:
    image = dense(rig)

    @case("a copy is proved by the module itself, and DETAILS.TXT, status.json and log say so")
    def _():
        run("cp", image, rig.module("os.img"))
        rig.holds(image)
        status = rig.status()["image"]
        same("how", status["verify"], "medium")
        same("the reason", status["verify_reason"], "")
        same("proved", status["bytes_proved"], os.path.getsize(image))
        contains("DETAILS.TXT", rig.text("DETAILS.TXT"), "^Image proved: yes, by the module's own reading")
        contains("the log", rig.text("log"), "state: verifying\n.*state: done")

    @case("what cp has copied is on the medium even if the daemon is killed at that moment")
    def _():
        run("cp", image, rig.module("again.img"))
        with open(rig.medium(), "rb") as medium:
            taken = medium.read(os.path.getsize(image))
        with open(image, "rb") as file:
            assert file.read() == taken, "the medium is not the image when cp has ended"

    @case("verify proves it once more: 0")
    def _():
        rig.control("verify")
        same("state", rig.state(), "done")
        same("proved", rig.status()["image"]["bytes_proved"], os.path.getsize(image))

    @case("verify of a medium that has changed beneath its cache: EIO, and it has failed")
    def _():
        with open(rig.medium(), "r+b") as file:
            file.seek(20 * MIB + 77)
            byte = file.read(1)
            file.seek(20 * MIB + 77)
            file.write(bytes([byte[0] ^ 1]))
        raises(errno.EIO, rig.control, "verify")
        same("state", rig.state(), "failed")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: the medium does not hold what was written")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^type: media$")

    @case("verify of a disk that others wrote to is ESTALE, for nothing is known of it")
    def _():
        run("cp", image, rig.module("os.img"))
        with open(rig.module("mmcblk0.img"), "r+b") as file:
            file.seek(100 * MIB)
            file.write(b"x")
        raises(errno.ESTALE, rig.control, "verify")
        same("state", rig.state(), "done")

    @case("verify without an image is ENODATA; of one that is not whole, EBADMSG; of one being written, EBUSY")
    def _():
        rig.control("clear")
        raises(errno.ENODATA, rig.control, "verify")
        with open(rig.module("part.img"), "wb", buffering=0) as file:
            file.write(open(image, "rb").read(2 * MIB))
            raises(errno.EBUSY, rig.control, "verify")
            raises(errno.EBADMSG, os.close, os.dup(file.fileno()))
            os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())
        rig.wait_for("incomplete")
        raises(errno.EBADMSG, rig.control, "verify")

with Rig("emmc=128M:link=0:medium=16M", proved=True) as rig:
    image = dense(rig)

    @case("while it proves, ls, status and control answer, and cancel ends it")
    def _():
        run("cp", image, rig.module("os.img"))
        asker = subprocess.Popen(["sh", "-c", f"echo verify >{rig.module('control')}"], stderr=subprocess.PIPE)
        rig.wait_for("verifying")
        os.listdir(rig.module())
        rig.text("DETAILS.TXT")
        rig.control("cancel")
        assert asker.wait(20 * SLOW) != 0, "verify says it was good"
        same("errno", rig.status()["error"]["errno"], "ECANCELED")

finish()
