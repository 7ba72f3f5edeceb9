#!/usr/bin/env python3
"""Boot files that are staged for one module: what of them reaches it, in which order, and what never does."""

import errno
import hashlib
import io
import os
import random
import shutil
import tarfile
import tempfile
import time

from rig import FAST, FIRST, MIB, SHORT, Rig, case, contains, disk_image, finish, raises, run, same, until

SPEC = f"boot=100:{FAST}"
GADGET = b"a second stage that asks for everything it needs; " * 20
LOADER = b"a loader that fetches start4.elf; " * 20
RECOVERY = b"a program that writes pieeprom.bin; " * 20
METADATA = b"recovery_metadata=1\n"
KEYS = ("program_pubkey=1", "program_jtag_lock=1", "program_rpiboot_gpio=8", "revoke_devkey=1")

scratch = tempfile.mkdtemp(prefix="boot-files-")
noise = random.Random(7)


def tar_of(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def directory(files):
    """A directory of these files, to be copied."""
    base = tempfile.mkdtemp(dir=scratch)
    for name, data in files.items():
        path = os.path.join(base, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    return base


def gadget(**more):
    files = {"bootcode4.bin": GADGET, "config.txt": b"# nothing\n", "boot.img": noise.randbytes(3 * MIB),
             "2711/mcb.bin": noise.randbytes(300), "2711/bootmain": noise.randbytes(40000)}
    return {**files, **more}


def eeprom(**more):
    return {"recovery.bin": RECOVERY, "config.txt": METADATA, "pieeprom.bin": noise.randbytes(524288), **more}


def stage(rig, files, status=0):
    run("cp", "-r", directory(files) + "/.", rig.module("boot/"), status=status)


def record(rig, word):
    """What the module itself noted of what arrived, after that word: lists of words, in order."""
    with open(os.path.join(rig.media, f"{FIRST}-record.txt")) as file:
        return [line.split()[1:] for line in file if line.split()[0] == word]


def arrived(rig, files):
    """Every file that the module read is one of these, byte for byte."""
    for name, size, digest in record(rig, "file"):
        data = files.get(name, files.get("2711/" + name))
        assert data is not None, f"{name} was never staged"
        same(name, (int(size), digest), (len(data), hashlib.sha256(data).hexdigest()))


with Rig(SPEC) as rig:

    @case("boot is there, empty, and cannot be removed, renamed or made again")
    def _():
        same("its entries", os.listdir(rig.module("boot")), [])
        raises(errno.EPERM, os.rmdir, rig.module("boot"))
        raises(errno.EEXIST, os.mkdir, rig.module("boot"))
        raises(errno.EPERM, os.rename, rig.module("boot"), rig.module("kaputt"))

    @case("a directory copied by cp -r is booted two seconds after its last file, and all of it arrives")
    def _():
        files = gadget()
        stage(rig, files)
        for name, data in files.items():
            with open(rig.module("boot", name), "rb") as file:
                assert file.read() == data, name
        rig.wait_for("ready")
        same("the second stage", record(rig, "second-stage")[-1][-1], hashlib.sha256(GADGET).hexdigest())
        arrived(rig, files)
        same("the order", [row[0] for row in record(rig, "file")], ["mcb.bin", "bootmain", "config.txt", "boot.img"])

    @case("clear forgets what is staged, and boot is empty again")
    def _():
        rig.control("clear")
        same("its entries", os.listdir(rig.module("boot")), [])

    @case("files and directories in boot can be renamed, moved and removed as anywhere")
    def _():
        os.mkdir(rig.module("boot/2711"))
        with open(rig.module("boot/2711/one"), "wb") as file:
            file.write(b"1")
        raises(errno.ENOTEMPTY, os.rmdir, rig.module("boot/2711"))
        os.rename(rig.module("boot/2711/one"), rig.module("boot/two"))
        same("the directory", os.listdir(rig.module("boot/2711")), [])
        os.rmdir(rig.module("boot/2711"))
        same("boot", os.listdir(rig.module("boot")), ["two"])
        os.unlink(rig.module("boot/two"))
        raises(errno.EPERM, open, rig.module("boot/.DS_Store"), "w")

    @case("there is an end to number and size, and boot.img of an OS is told to take another name")
    def _():
        with open(rig.module("boot/boot.img"), "wb") as file:
            raises(errno.EFBIG, os.ftruncate, file.fileno(), 128 * MIB + 1)
        for number in range(300):
            try:
                with open(rig.module(f"boot/{number}"), "wb") as file:
                    file.write(b"x")
            except OSError as error:
                same("the error", error.errno, errno.ENOSPC)
                break
        else:
            raise AssertionError("300 files were taken")
        rig.control("clear")

with Rig(SPEC) as rig:

    @case("nothing is booted while a boot file is still being written")
    def _():
        files = gadget()
        del files["boot.img"]
        with open(rig.module("boot/boot.img"), "wb") as slow:
            stage(rig, files)
            began = time.monotonic()
            while time.monotonic() < began + 3:
                same("the state", rig.state(), "rom")
                slow.write(b"x" * 1000)
                slow.flush()
        rig.wait_for("ready")

with Rig(SPEC) as rig:

    @case("well-known names are boot files in the module's own directory, too; the verb boots at once")
    def _():
        for name, data in gadget().items():
            path = rig.module(name) if "/" not in name else rig.module("boot", os.path.basename(name))
            with open(path, "wb") as file:
                file.write(data)
        rig.control("boot")
        same("the state", rig.state(), "ready")
        same("the second stage", record(rig, "second-stage")[-1][-1], hashlib.sha256(GADGET).hexdigest())

with Rig(SPEC) as rig:

    @case("a config.txt alone lies over the payload's, and everything else is the payload's")
    def _():
        config = b"# mine\n"
        with open(rig.module("boot/config.txt"), "wb") as file:
            file.write(config)
        rig.control("boot")
        read = {row[0]: row[-1] for row in record(rig, "file")}
        same("config.txt", read["config.txt"], hashlib.sha256(config).hexdigest())
        assert "boot.img" in read, read

with Rig(SPEC) as rig:

    @case("a symlink's text in place of a second stage: FAIL.TXT says so, and what to do")
    def _():
        stage(rig, {"bootcode4.bin": b"../firmware/2711/bootcode4.bin"})
        rig.wait_for("failed")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "cp -rL")
        same("what arrived", record(rig, "header"), [])

with Rig(SPEC) as rig:

    @case("each key that burns OTP memory is EPERM, in every place, and nothing of it arrives")
    def _():
        for key in KEYS:
            text = f"[all]\n{key}\n".encode()
            for name, data in (("boot/config.txt", text), ("config.txt", text), ("boot/tryboot.txt", text),
                               ("boot/boot.img", noise.randbytes(70000) + text + noise.randbytes(5000)),
                               ("boot/bootfiles.bin", tar_of({"2711/config.txt": text}))):
                fd = os.open(rig.module(name), os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
                os.write(fd, data)
                raises(errno.EPERM, os.close, fd)
                os.unlink(rig.module(name))
            with open(rig.module("boot/harmless"), "wb") as file:
                file.write(text)
            raises(errno.EPERM, os.rename, rig.module("boot/harmless"), rig.module("boot/config.txt"))
            rig.control("clear")
        contains("the log", rig.text("log"), "--allow-otp")

    @case("a file that config.txt includes is found out before anything is served")
    def _():
        stage(rig, gadget(**{"config.txt": b"include more\n", "more": b"program_pubkey=1\n"}))
        rig.wait_for("failed")
        same("the errno", rig.status()["error"]["errno"], "EPERM")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "program_pubkey")
        same("what arrived", record(rig, "header"), [])

    @case("commented out, or set to 0, they are let through")
    def _():
        rig.control("clear")
        stage(rig, gadget(**{"config.txt": b"#program_pubkey=1\nprogram_jtag_lock=0\n"}))
        rig.wait_for("ready")

with Rig(SPEC, "--payload=" + directory(gadget(**{"config.txt": b"program_pubkey=1\n"}))) as rig:

    @case("and in the payload's own directory")
    def _():
        raises(errno.EPERM, rig.control, "boot")
        same("what arrived", record(rig, "header"), [])

with Rig(SPEC, "--allow-otp") as rig:

    @case("--allow-otp lets them through")
    def _():
        stage(rig, gadget(**{"config.txt": b"program_pubkey=1\n"}))
        rig.wait_for("ready")

with Rig(SPEC) as rig:

    @case("an EEPROM update: the module says that it wrote what was staged, and is updated")
    def _():
        files = eeprom()
        stage(rig, files)
        rig.wait_for("updated")
        with open(os.path.join(rig.media, f"{FIRST}-eeprom.bin"), "rb") as file:
            assert file.read() == files["pieeprom.bin"], "the EEPROM holds something else"
        same("the second stage", record(rig, "second-stage")[-1][-1], hashlib.sha256(RECOVERY).hexdigest())
        same("its word", rig.status()["metadata"]["EEPROM_UPDATE"], "success")
        contains("DETAILS.TXT", rig.text("DETAILS.TXT"), "EEPROM_HASH")

with Rig(SPEC) as rig:

    @case("with recovery_reboot it comes back, is still updated, and takes an image like any other")
    def _():
        stage(rig, eeprom(**{"config.txt": METADATA + b"recovery_reboot=1\n"}))
        rig.wait_for("updated")
        until("it is back", lambda: rig.status()["stage"] == "rom")
        same("the state", rig.state(), "updated")
        image = os.path.join(scratch, "os.img")
        with open(image, "wb") as file:
            file.write(disk_image(4 * MIB))
        run("cp", image, rig.module())
        rig.holds(image)
        same("the state", rig.state(), "done")

for fault in ("green", "hash", "failed", "mute", "garbage")[:2 if SHORT else 5]:
    with Rig(f"fault=eeprom@{fault}:{SPEC}") as rig:

        @case(f"an EEPROM update that shows success and did not say so ({fault}) has failed")
        def _():
            stage(rig, eeprom())
            rig.wait_for("failed")
            same("the errno", rig.status()["error"]["errno"], "EIO")
            contains("FAIL.TXT", rig.text("FAIL.TXT"), "type: module")

with Rig(SPEC) as rig:

    @case("a pieeprom.bin of another size is refused before anything is served")
    def _():
        stage(rig, eeprom(**{"pieeprom.bin": b"x" * 1000}))
        rig.wait_for("failed")
        same("what arrived", record(rig, "header"), [])

with Rig(SPEC) as rig:

    @case("the VPU's mass storage boots from its own files, and is flashed")
    def _():
        stage(rig, {"bootcode4.bin": LOADER, "start4.elf": noise.randbytes(200000)})
        rig.wait_for("ready")
        image = os.path.join(scratch, "vpu.img")
        with open(image, "wb") as file:
            file.write(disk_image(4 * MIB))
        run("cp", image, rig.module())
        rig.holds(image)

with Rig(f"fault=locked:{SPEC}") as rig:

    @case("a locked module that asks for boot.sig in vain: FAIL.TXT says what it wants")
    def _():
        stage(rig, gadget())
        rig.wait_for("failed")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "boot.sig")

with Rig(f"fault=locked:{SPEC}") as rig:

    @case("and with boot.sig beside boot.img it boots")
    def _():
        stage(rig, gadget(**{"boot.sig": b"0" * 64 + b"\nts: 1700000000\n"}))
        rig.wait_for("ready")

with Rig(f"fault=fastboot:{SPEC}") as rig:

    @case("another tool's gadget is shown and left alone")
    def _():
        same("the stage", rig.status()["stage"], "other")
        stage(rig, gadget())
        time.sleep(3)
        same("what arrived", record(rig, "header"), [])

shutil.rmtree(scratch)
finish()
