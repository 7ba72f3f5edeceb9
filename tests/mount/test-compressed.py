#!/usr/bin/env python3
"""Compressed images in the hands of programs: who writes them, and what interrupts that.

What each format makes of good and bad files is test-formats.py's.
"""

import concurrent.futures
import errno
import os
import shutil
import subprocess
import sys
import time

from rig import (FAST, FIRST, MIB, SHORT, SLOW, Rig, case, contains, finish, make_image, opened, raises, run,
                 same, shell, until)

QUICK = f"{FAST}:boot=0"

# Shell, with $src the compressed file and $dst its place; in a temporary directory of its own.
CLIENTS = {
    "cp": 'cp "$src" "$dst"',
    "cp --sparse=always": 'cp --sparse=always "$src" "$dst"',
    "cat": 'cat "$src" >"$dst"',
    "two cats in one redirection": '(head -c 500001 "$src"; tail -c +500002 "$src") >"$dst"',
    "two cats, the first of which writes next to nothing": '(head -c 3 "$src"; tail -c +4 "$src") >"$dst"',
    "dd bs=4M": 'dd if="$src" of="$dst" bs=4M status=none',
    "dd bs=512": 'dd if="$src" of="$dst" bs=512 status=none',
    "dd oflag=direct": 'dd if="$src" of="$dst" bs=4M oflag=direct status=none',
    "dd oflag=direct bs=32M": 'dd if="$src" of="$dst" bs=32M oflag=direct status=none',
    "dd oflag=sync": 'dd if="$src" of="$dst" bs=1M oflag=sync status=none',
    "dd conv=sparse": 'dd if="$src" of="$dst" bs=4k conv=sparse status=none',
    "rsync": 'rsync "$src" "$dst"',
    "rsync -a": 'rsync -a "$src" "$dst"',
    "rsync -S": 'rsync -S "$src" "$dst"',
    "rsync --inplace": 'rsync --inplace "$src" "$dst"',
    "rsync --inplace -S": 'rsync --inplace -S "$src" "$dst"',
    "rsync --preallocate": 'rsync --preallocate "$src" "$dst"',
    "rsync --delay-updates": 'rsync --delay-updates "$src" "$dst"',
    "rsync --fsync": 'rsync --fsync "$src" "$dst"',
    "curl": 'curl -sS -o "$dst" "file://$src"',
    "gio copy": 'gio copy "$src" "$dst"',
    "shutil.copyfile": 'python3 -c "import shutil, sys; shutil.copyfile(*sys.argv[1:])" "$src" "$dst"',
    "shutil.copy2": 'python3 -c "import shutil, sys; shutil.copy2(*sys.argv[1:])" "$src" "$dst"',
    "mv": 'cp "$src" copy && mv copy "$dst"',
    "tar": 'cp "$src" "${dst##*/}" && tar -cSf - "${dst##*/}" | tar -xf - -C "${dst%/*}"',
    "ddrescue": 'ddrescue -q --force "$src" "$dst"',
    "by steps of a byte": '(for i in $(seq 20); do dd bs=1 count=1 status=none; done; cat) <"$src" >"$dst"',
}
SHORT_CLIENTS = ["cp", "dd bs=4M", "dd oflag=direct", "rsync", "rsync --inplace", "gio copy", "by steps of a byte"]


def packed(image, kind):
    """@image, as a file beside it."""
    shell({"xz": 'xz -0 -T2 --block-size=2MiB -k "$0"', "gz": 'gzip -1 -k "$0"', "zst": 'zstd -q -1 "$0"',
           "zip": 'zip -q -0 "$0.zip" "$0"'}[kind].replace("$0", image))
    return f"{image}.{kind}"


def is_done(rig, image, dropped, name, serial=FIRST):
    rig.holds(image, serial)
    status = rig.status(serial)
    same("state", status["state"], "done")
    same("name", status["image"]["name"], name)
    same("error", status["error"], None)
    for which, path in ("raw", image), ("dropped", dropped):
        same(f"the sum of the {which}", status["image"]["sha256_" + which], run("sha256sum", path).text.split()[0])
    same("size", os.stat(rig.module(name, serial=serial)).st_size, os.path.getsize(dropped))


def copies(rig, client, image, dropped, name):
    work = os.path.join(rig.base, "work")
    shutil.rmtree(work, ignore_errors=True)
    os.mkdir(work)
    words = CLIENTS[client]
    for word in words.split():
        if word in ("rsync", "gio", "curl", "ddrescue"):
            run("sh", "-c", f"command -v {word}")
    shell(words, cwd=work, env={**os.environ, "src": dropped, "dst": rig.module(name)}, seconds=90)
    is_done(rig, image, dropped, name)


def start_of(rig):
    with open(rig.medium(), "rb") as file:
        return file.read(MIB)


def killed_writer(source, target, size):
    """Writes so much of it, and is killed."""
    script = (f"import os, signal\nwith open({source!r}, 'rb') as a, open({target!r}, 'wb', buffering=0) as b:\n"
              f" b.write(a.read({size}))\n os.kill(os.getpid(), signal.SIGKILL)")
    run(sys.executable, "-c", script, status=-9)


with Rig(QUICK) as rig:
    image = make_image(os.path.join(rig.base, "first.img"), 16)
    other = make_image(os.path.join(rig.base, "second.img"), 20, tail=1536)
    xz, zst, stored = packed(image, "xz"), packed(other, "zst"), packed(other, "zip")

    @case("a module in its boot ROM is booted by it")
    def _():
        same("state", rig.state(), "rom")
        run("cp", xz, rig.module("first.img.xz"))
        is_done(rig, image, xz, "first.img.xz")

    threads, descriptors = rig.threads(), len(rig.descriptors())

    for number, client in enumerate(SHORT_CLIENTS if SHORT else CLIENTS):
        name = f"image{number}.img.x"

        @case(f"{client} onto a new name")
        def _():
            copies(rig, client, image, xz, name)

        if client not in SHORT_CLIENTS and number % 4:
            continue

        @case(f"{client} onto an existing name")
        def _():
            copies(rig, client, other, zst, name)

    for client in ["cp --sparse=always", "rsync -S", "dd conv=sparse"]:

        @case(f"{client} of a zip that has zeros in it as they are")
        def _():
            copies(rig, client, other, stored, "zeros.zip")

    @case("a file that is whole is EOPNOTSUPP to readers, open or not, and no client takes it for empty")
    def _():
        run("cp", xz, rig.module("first.img.xz"))
        for _ in range(2):
            with opened(rig.module("first.img.xz"), os.O_RDONLY) as fd:
                raises(errno.EOPNOTSUPP, os.read, fd, 4096)
                raises(errno.EOPNOTSUPP, os.pread, fd, 4096, 100 * MIB)
            until("its decoder is gone", lambda: rig.threads() <= threads)
        assert run("cp", rig.module("first.img.xz"), os.path.join(rig.base, "back"), status=None).returncode != 0

    @case("what is added to one that is whole is ESTALE; emptied, and written again, it is a new one")
    def _():
        with opened(rig.module("first.img.xz"), os.O_WRONLY | os.O_APPEND) as fd:
            raises(errno.ESTALE, os.write, fd, b"more")
        same("state", rig.state(), "done")
        rig.holds(image)
        os.truncate(rig.module("first.img.xz"), os.path.getsize(xz))
        os.truncate(rig.module("first.img.xz"), 0)
        same("size", os.path.getsize(rig.module("first.img.xz")), 0)
        shell(f"cat {zst} >>{rig.module('first.img.xz')}")
        is_done(rig, other, zst, "first.img.xz")

    @case("a writer that is killed leaves it incomplete, and what is appended goes on where it stopped")
    def _():
        half = os.path.getsize(xz) // 2
        before = start_of(rig)
        killed_writer(xz, rig.module("killed.img.xz"), half)
        rig.wait_for("incomplete", seconds=3)
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: the writer was killed after")
        # Killed before it was known for a disk image, it has changed nothing.
        assert start_of(rig) in (bytes(MIB), before), "there is half a start"
        shell(f"tail -c +{half + 1} {xz} >>{rig.module('killed.img.xz')}")
        is_done(rig, image, xz, "killed.img.xz")
        assert not os.path.exists(rig.module("FAIL.TXT"))

    @case("and so it does after 3 bytes, of which nobody knows what they are")
    def _():
        killed_writer(xz, rig.module("few.img.xz"), 3)
        rig.wait_for("incomplete", seconds=3)
        shell(f"tail -c +4 {xz} >>{rig.module('few.img.xz')}")
        is_done(rig, image, xz, "few.img.xz")

    @case("or it is copied once more onto its name")
    def _():
        killed_writer(xz, rig.module("killed.img.xz"), 2 * MIB)
        rig.wait_for("incomplete", seconds=3)
        run("cp", zst, rig.module("killed.img.xz"))
        is_done(rig, other, zst, "killed.img.xz")

    @case("a file that is cut short is incomplete, and another one takes the disk")
    def _():
        result = shell(f"head -c 2M {xz} >{rig.module('cut.img.xz')}", status=None)
        assert result.returncode != 0
        rig.wait_for("incomplete")
        run("cp", zst, rig.module("other.img.zst"))
        is_done(rig, other, zst, "other.img.zst")

    @case("a size that was set ahead, and never filled: EBADMSG and incomplete")
    def _():
        fd = os.open(rig.module("ahead.img.xz"), os.O_CREAT | os.O_WRONLY)
        os.posix_fallocate(fd, 0, os.path.getsize(xz))
        with open(xz, "rb") as file:
            os.write(fd, file.read(MIB))
        raises(errno.EBADMSG, os.close, fd)
        rig.wait_for("incomplete")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), f"^error: .*{os.path.getsize(xz)}|ends early")

    @case("cancel in the middle: ECANCELED, it sticks, and a fresh cp succeeds")
    def _():
        with open(xz, "rb") as file, opened(rig.module("cancel.img.xz")) as fd:
            os.write(fd, file.read(2 * MIB))
            rig.control("cancel")
            raises(errno.ECANCELED, os.write, fd, b"more")
            raises(errno.ECANCELED, os.fsync, fd)
            raises(errno.ECANCELED, os.close, os.dup(fd))
        same("state", rig.state(), "failed")
        raises(errno.ECANCELED, os.rename, rig.module("cancel.img.xz"), rig.module("other.img.xz"))
        run("cp", xz, rig.module("cancel.img.xz"))
        is_done(rig, image, xz, "cancel.img.xz")

    @case("a second image on a busy disk is EBUSY at its first write, and the first is not disturbed")
    def _():
        with open(xz, "rb") as source, open(rig.module("one.img.xz"), "wb", buffering=0) as one:
            one.write(source.read(2 * MIB))
            for first in (open(zst, "rb").read(100), b"x" * 100):
                with opened(rig.module("two.img.zst")) as two:
                    raises(errno.EBUSY, os.write, two, first)
                os.unlink(rig.module("two.img.zst"))
            one.write(source.read())
        is_done(rig, image, xz, "one.img.xz")

    @case("compressed data that does not come in order is refused, and FAIL.TXT says what to do")
    def _():
        data = open(xz, "rb").read()
        with opened(rig.module("odd.img.xz")) as fd:
            os.write(fd, data[:MIB])
            raises(errno.EINVAL, os.pwrite, fd, data[:5000], 5000)
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: compressed data has to come in order")

    @case("a far leap is taken for zeros, which is corrupt: EBADMSG, and FAIL.TXT says what may be the matter")
    def _():
        data = open(xz, "rb").read()
        with opened(rig.module("leap.img.xz")) as fd:
            os.write(fd, data[:MIB])
            raises(errno.EBADMSG, os.pwrite, fd, data[MIB:], 6 * MIB + 77)
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: .*corrupt; .*did not come in order")

    @case("pieces that come in another order within a few MiB are put in order")
    def _():
        data = open(xz, "rb").read()
        pieces = [(at, data[at:at + 131072]) for at in range(0, len(data), 131072)]
        with open(rig.module("order.img.xz"), "wb", buffering=0) as file:
            for i in range(0, len(pieces), 4):
                for at, piece in [*pieces[i:i + 1], *reversed(pieces[i + 1:i + 4])]:
                    os.pwrite(file.fileno(), piece, at)
        is_done(rig, image, xz, "order.img.xz")

    @case("removing it in the middle, or renaming it, is nothing to it")
    def _():
        data = open(xz, "rb").read()
        with open(rig.module("a.img.xz"), "wb", buffering=0) as file:
            file.write(data[:2 * MIB])
            os.rename(rig.module("a.img.xz"), rig.module("b.img.xz"))
            file.write(data[2 * MIB:4 * MIB])
            os.unlink(rig.module("b.img.xz"))
            file.write(data[4 * MIB:])
        rig.holds(image)
        same("state", rig.state(), "done")

    @case("verify and eject after it")
    def _():
        run("cp", xz, rig.module("first.img.xz"))
        rig.control("verify")
        same("state", rig.state(), "done")
        rig.control("eject")

    @case("after all that no thread and no descriptor is left")
    def _():
        until("the threads have ended", lambda: rig.threads() <= threads)
        until("the descriptors are closed", lambda: len(rig.descriptors()) <= descriptors)

with Rig(f"{QUICK}:fault=unplug@write=4M:fault=replug@300") as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 16)
    xz = packed(image, "xz")

    @case("unplugged in the middle: ENODEV, and a fresh cp succeeds when it is back")
    def _():
        result = run("cp", xz, rig.module("os.img.xz"), status=1)
        contains("what cp says", result.text, "No such device")
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^type: link$")
        same("state", rig.state(), "failed")
        until("it is back", lambda: rig.status()["stage"] != "none")
        run("cp", xz, rig.module("os.img.xz"))
        is_done(rig, image, xz, "os.img.xz")

with Rig(f"{QUICK}:fault=silent@second-stage") as rig:
    xz = packed(make_image(os.path.join(rig.base, "os.img"), 16), "xz")

    @case("a module that does not boot: ETIMEDOUT at the first write", patience=60)
    def _():
        with open(xz, "rb") as file, opened(rig.module("os.img.xz")) as fd:
            raises(errno.ETIMEDOUT, os.write, fd, file.read(MIB))
            raises(errno.ETIMEDOUT, os.close, os.dup(fd))
        contains("FAIL.TXT", rig.text("FAIL.TXT"), "^type: link$")

# A payload that holds the files of one chip only.
with Rig(QUICK) as rig:
    rig.spec = "a payload's directory"
    payload = os.path.join(rig.base, "payload")
    os.mkdir(payload)
    with open(os.path.join(payload, "bootcode4.bin"), "wb") as file:
        file.write(os.urandom(100_000))

    with Rig(f"{QUICK}:model=cm5", f"--payload={payload}") as other:

        @case("no boot files for this module's chip: ENOPKG at the first write")
        def _():
            serial = other.serials()[0]
            with opened(other.module("os.img.xz", serial=serial)) as fd:
                raises(errno.ENOPKG, os.write, fd, b"\xfd7zXZ\0" + bytes(100))

with Rig("emmc=128M:link=4M:medium=0:boot=0") as rig:
    xz = packed(make_image(os.path.join(rig.base, "os.img"), 16), "xz")

    @case("killed while its write waits for a slow disk: incomplete within seconds, and the daemon is well")
    def _():
        rig.control("boot")
        writer = subprocess.Popen(["cp", xz, rig.module("os.img.xz")], stderr=subprocess.DEVNULL)
        until("it waits", lambda: rig.status()["image"] and rig.status()["image"]["bytes_in"] > 9 * MIB)
        began = time.monotonic()
        writer.kill()
        writer.wait(10 * SLOW)
        os.listdir(rig.module())
        rig.wait_for("incomplete", seconds=15)
        assert time.monotonic() - began < 15 * SLOW
        with open(rig.module("mmcblk0.img"), "rb") as file:
            same("the start", file.read(4096), bytes(4096))

for how in ("readback", "off"):

    with Rig(QUICK, f"--verify={how}") as rig:
        image = make_image(os.path.join(rig.base, "os.img"), 16)
        xz = packed(image, "xz")

        @case(f"--verify={how}")
        def _():
            run("cp", xz, rig.module("os.img.xz"))
            is_done(rig, image, xz, "os.img.xz")
            same("how", rig.status()["image"]["verify"], how)

with Rig("count=3:emmc=128M:link=40M:medium=0:boot=0") as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 16)
    files = [packed(image, kind) for kind in ("xz", "zst", "gz")]

    @case("three modules at once")
    def _():
        serials = rig.serials()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for outcome in [pool.submit(run, "cp", file, rig.module("os.img.x", serial=serial))
                            for file, serial in zip(files, serials)]:
                outcome.result()
        for file, serial in zip(files, serials):
            is_done(rig, image, file, "os.img.x", serial)

finish()
