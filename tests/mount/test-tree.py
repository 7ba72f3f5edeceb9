#!/usr/bin/env python3
"""What is in the tree, what it says, and what it refuses."""

import errno
import os
import stat

from rig import FAST, FIRST, MIB, Rig, case, contains, finish, make_image, opened, raises, run, same

STATUS_KEYS = {"serial", "port", "model", "link_mbps", "stage", "state", "gone", "payload", "metadata",
               "disks", "image", "error", "since"}
IMAGE_KEYS = {"name", "format", "bytes_in", "bytes_total", "bytes_written", "bytes_proved",
              "bytes_per_second", "sha256_dropped", "sha256_raw", "verify", "whole"}
JUNK = [".Trash-1000", "._image.img", ".DS_Store", "Thumbs.db", "desktop.ini", "System Volume Information"]


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def create(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


with Rig(f"count=2:{FAST}") as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 24)
    second = rig.serials()[1]

    @case("README.TXT says how to use the folder, in under 20 lines")
    def _():
        text = open(rig.path("README.TXT")).read()
        assert 1 < len(text.splitlines()) < 20, text
        contains("README.TXT", text, "cp ")

    @case("the root's status.json lists every module, in a version 1 envelope")
    def _():
        root = rig.root_status()
        same("version", root["version"], 1)
        same("findings", root["findings"], [])
        same("modules", len(root["modules"]), 2)
        same("the first", root["modules"][0]["serial"], FIRST)

    @case("a module's status.json has every key of the manual")
    def _():
        status = rig.status()
        assert STATUS_KEYS <= status.keys(), STATUS_KEYS - status.keys()
        same("state", status["state"], "rom")
        same("model", status["model"], "cm4")
        same("image", status["image"], None)
        same("error", status["error"], None)
        same("disks", status["disks"], [])

    @case("by-port/ has a link to each module's directory")
    def _():
        port = rig.status()["port"]
        same("the link", os.readlink(rig.path("by-port", port)), "../" + FIRST)
        assert os.path.samefile(rig.path("by-port", port, "DETAILS.TXT"), rig.module("DETAILS.TXT"))
        same("ports", len(os.listdir(rig.path("by-port"))), 2)

    @case("DETAILS.TXT is lines of 'Key: value'")
    def _():
        text = rig.text("DETAILS.TXT")
        for line in text.splitlines():
            contains("a line of DETAILS.TXT", line, r"^[A-Z][^:]*: ")
        contains("DETAILS.TXT", text, rf"^Serial: +{FIRST}")

    @case("modes are 0755 for directories, 0644 for texts, 0660 for what changes a module")
    def _():
        for path, wanted in [(rig.mnt, 0o755), (rig.module(), 0o755), (rig.path("by-port"), 0o755),
                             (rig.path("README.TXT"), 0o644), (rig.path("status.json"), 0o644),
                             (rig.module("DETAILS.TXT"), 0o644), (rig.module("status.json"), 0o644),
                             (rig.module("log"), 0o644), (rig.module("control"), 0o660)]:
            same(f"mode of {path}", oct(mode(path)), oct(wanted))

    @case("every name that is listed can be looked at")
    def _():
        for directory in (rig.mnt, rig.module(), rig.path("by-port")):
            for entry in os.scandir(directory):
                os.lstat(entry.path)

    @case("open, create and touch start nothing")
    def _():
        run("touch", rig.module("touched.img"))
        create(rig.module("created.img"))
        with open(rig.module("touched.img"), "rb") as file:
            same("content", file.read(), b"")
        os.close(os.open(rig.module("created.img"), os.O_RDWR | os.O_TRUNC))
        same("state", rig.state(), "rom")
        same("image", rig.status()["image"], None)

    @case("an image's file has mode 0660")
    def _():
        create(rig.module("moded.img"))
        same("mode", oct(mode(rig.module("moded.img"))), oct(0o660))

    @case("chmod, chown and utimens are accepted, and change no mode")
    def _():
        path = rig.module("moded.img")
        os.chmod(path, 0o600)
        os.chown(path, 1, 1)
        os.utime(path, (1, 1))
        same("mode", oct(mode(path)), oct(0o660))

    @case("names that file managers leave behind are EPERM")
    def _():
        for name in JUNK:
            raises(errno.EPERM, create, rig.module(name))
        raises(errno.EPERM, os.mkdir, rig.path(".Trash-1000"))

    @case("a program's own note of an image is EOPNOTSUPP, and not flashed")
    def _():
        raises(errno.EOPNOTSUPP, create, rig.module("os.img.aria2"))

    @case("a directory of one's own is EPERM, save rsync's")
    def _():
        raises(errno.EPERM, os.mkdir, rig.module("folder"))
        raises(errno.EPERM, os.mkdir, rig.path("folder"))
        os.mkdir(rig.module(".~tmp~"))
        os.rmdir(rig.module(".~tmp~"))

    @case("a file in the root is EPERM")
    def _():
        raises(errno.EPERM, create, rig.path("os.img"))

    @case("fixed names can be neither removed nor replaced")
    def _():
        for name in ("DETAILS.TXT", "status.json", "log", "control"):
            raises(errno.EPERM, os.unlink, rig.module(name))
            raises(errno.EPERM, os.rename, rig.module("moded.img"), rig.module(name))
            raises(errno.EPERM, os.rename, rig.module(name), rig.module("x"))
        raises(errno.EPERM, os.unlink, rig.path("README.TXT"))

    @case("a module that is there cannot be removed with rmdir")
    def _():
        raises(errno.EBUSY, os.rmdir, rig.module())

    @case("rename takes an image from one module's directory to no other's")
    def _():
        raises(errno.EXDEV, os.rename, rig.module("moded.img"), rig.module("moded.img", serial=second))

    @case("extended attributes are ENOTSUP")
    def _():
        raises(errno.ENOTSUP, os.setxattr, rig.module("moded.img"), "user.x", b"1")
        raises(errno.ENOTSUP, os.getxattr, rig.module("moded.img"), "user.x")

    @case("before a disk is known statfs says 2 TiB free")
    def _():
        space = os.statvfs(rig.module())
        same("free", space.f_bavail * space.f_frsize, 2 << 40)

    @case("the disk has no file before it is there, and a drop to a further disk starts nothing")
    def _():
        assert "mmcblk0.img" not in os.listdir(rig.module())
        same("state", rig.state(), "rom")

    @case("control lists its verbs, and refuses another")
    def _():
        verbs = rig.text("control").split()
        for verb in ("boot", "cancel", "eject", "verify", "clear"):
            assert verb in verbs, verbs
        raises(errno.EINVAL, rig.control, "reboot")
        same("state", rig.state(), "rom")

    @case("the first byte boots the module")
    def _():
        with opened(rig.module("byte.img")) as fd:
            same("state before", rig.state(), "rom")
            os.write(fd, b"\x01")
            same("stage", rig.status()["stage"], "disk")
            same("state", rig.state(), "flashing")

    @case("the disk is a file from then on, of the disk's size and mode 0660")
    def _():
        disk = os.stat(rig.module("mmcblk0.img"))
        same("size", disk.st_size, 128 * MIB)
        same("mode", oct(stat.S_IMODE(disk.st_mode)), oct(0o660))
        same("disks", rig.status()["disks"], [{"name": "mmcblk0", "bytes": 128 * MIB}])

    @case("then statfs tells the disk's size")
    def _():
        space = os.statvfs(rig.module())
        same("size", space.f_blocks * space.f_frsize, 128 * MIB)

    @case("a disk that the module does not have is ENXIO")
    def _():
        def drop():
            with open(rig.module("nvme0n1.img"), "wb", buffering=0) as file:
                file.write(b"\x01")

        raises(errno.ENXIO, drop)

    @case("the log has the boot's lines, each timed")
    def _():
        log = rig.text("log")
        for line in log.splitlines():
            contains("a line of the log", line, r"\d\d:\d\d:\d\d")
        contains("the log", log, r"bootcode4\.bin")

    @case("a size alone boots the module: ftruncate")
    def _():
        with opened(rig.module("sized.img", serial=second)) as file:
            os.ftruncate(file, 16 * MIB)
            rig.wait_for("flashing", serial=second)

    @case("status.json shows the image, with every key of the manual")
    def _():
        run("cp", image, rig.module("os.img"))
        status = rig.status()["image"]
        assert IMAGE_KEYS <= status.keys(), IMAGE_KEYS - status.keys()
        size = os.path.getsize(image)
        same("name", status["name"], "os.img")
        assert 0 < status["bytes_in"] <= size, status  # cp passes its holes over
        assert status["bytes_written"] >= size, status
        same("whole", status["whole"], True)

    @case("DETAILS.TXT names the last image")
    def _():
        contains("DETAILS.TXT", rig.text("DETAILS.TXT"), r"os\.img")

    @case("RENAME_NOREPLACE does not replace")
    def _():
        run("cp", image, rig.module("other.img"))
        create(rig.module("taken.img"))
        run("mv", "-n", rig.module("other.img"), rig.module("taken.img"), status=None)
        run("cmp", image, rig.module("other.img"))

    @case("clear forgets the last image, and boots nothing")
    def _():
        rig.control("clear")
        same("image", rig.status()["image"], None)
        assert "other.img" not in os.listdir(rig.module()), os.listdir(rig.module())
        rig.holds(image)

finish()
