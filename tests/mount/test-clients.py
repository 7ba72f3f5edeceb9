#!/usr/bin/env python3
"""What people copy images with: each onto a new name and onto an existing one.

Two images alternate, so that one left from the copy before would be noticed; the second is sparse, larger
than the first, and no multiple of 4096 bytes long.
"""

import ctypes
import os
import shutil

from rig import FAST, HERE, MIB, SHORT, Rig, Skip, case, finish, make_image, run, same, shell

# Shell, with $src the image and $dst its place; in a temporary directory of its own.
CLIENTS = {
    "cp": 'cp "$src" "$dst"',
    "cp --sparse=always": 'cp --sparse=always "$src" "$dst"',
    "cp --sparse=never": 'cp --sparse=never "$src" "$dst"',
    "cp -a": 'cp -a "$src" "$dst"',
    "cp --remove-destination": 'cp --remove-destination "$src" "$dst"',
    "cat": 'cat "$src" >"$dst"',
    "two cats in one redirection": '(head -c 5000001 "$src"; tail -c +5000002 "$src") >"$dst"',
    "tee": 'tee "$dst" <"$src" >copy',
    "dd bs=4M": 'dd if="$src" of="$dst" bs=4M status=none',
    "dd oflag=direct": 'dd if="$src" of="$dst" bs=4M oflag=direct status=none',
    "dd oflag=sync": 'dd if="$src" of="$dst" bs=4M oflag=sync status=none',
    "dd conv=sparse": 'dd if="$src" of="$dst" bs=1M conv=sparse status=none',
    "dd conv=fsync": 'dd if="$src" of="$dst" bs=1M conv=fsync status=none',
    "dd with an odd block size": 'dd if="$src" of="$dst" bs=33333 status=none',
    "rsync": 'rsync "$src" "$dst"',
    "rsync -a": 'rsync -a "$src" "$dst"',
    "rsync -S": 'rsync -S "$src" "$dst"',
    "rsync --inplace": 'rsync --inplace "$src" "$dst"',
    "rsync --inplace -S": 'rsync --inplace -S "$src" "$dst"',
    "rsync --inplace --no-whole-file": 'rsync --inplace --no-whole-file "$src" "$dst"',
    "rsync --preallocate": 'rsync --preallocate "$src" "$dst"',
    "rsync --delay-updates": 'rsync --delay-updates "$src" "$dst"',
    "rsync --fsync": 'rsync --fsync "$src" "$dst"',
    "gio copy": 'gio copy "$src" "$dst"',
    "qemu-img convert": 'qemu-img convert -f raw -O raw "$src" "$dst"',
    "bmaptool with a bmap": 'bmaptool -q create -o map "$src" && bmaptool -q copy --bmap map "$src" "$dst"',
    "bmaptool --nobmap": 'bmaptool -q copy --nobmap "$src" "$dst"',
    "shutil.copyfile": 'python3 -c "import shutil, sys; shutil.copyfile(*sys.argv[1:])" "$src" "$dst"',
    "shutil.copy2": 'python3 -c "import shutil, sys; shutil.copy2(*sys.argv[1:])" "$src" "$dst"',
    "mv": 'cp "$src" copy && mv copy "$dst"',
    "install": 'install -m 0644 "$src" "$dst"',
    "tar": 'cp "$src" "${dst##*/}" && tar -cSf - "${dst##*/}" | tar -xf - -C "${dst%/*}"',
    "unzip": 'cp "$src" "${dst##*/}" && zip -q1 z.zip "${dst##*/}" && unzip -qo z.zip -d "${dst%/*}"',
    "xzcat": 'xz -0 <"$src" >z.xz && xzcat z.xz >"$dst"',
    "zstd -o": 'zstd -q1 "$src" -o z.zst && zstd -dqf z.zst -o "$dst"',
    "curl": 'curl -sS -o "$dst" "file://$src"',
    "wget": '"$tests/serve.py" "$src" wget -q -O "$dst"',
    "busybox cp": 'busybox cp "$src" "$dst"',
    "busybox dd": 'busybox dd if="$src" of="$dst" bs=1M 2>/dev/null',
    "ddrescue": 'ddrescue -q --force "$src" "$dst"',
}

# One of each way to write: order, holes, unaligned, direct, fsync, rename, reopening.
SHORT_CLIENTS = ["cp", "cp --sparse=always", "cat", "dd oflag=direct", "dd oflag=sync", "rsync",
                 "rsync --inplace", "gio copy", "qemu-img convert", "bmaptool with a bmap"]


def punch(fd, offset, length):
    """fallocate(2), which Python has in POSIX's form only."""
    keep_size, punch_hole = 1, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, keep_size | punch_hole, ctypes.c_long(offset), ctypes.c_long(length)) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def copies(rig, client, image, name):
    """The client says yes, the medium is the image, and so is the file read back."""
    work = os.path.join(rig.base, "work")
    shutil.rmtree(work, ignore_errors=True)
    os.mkdir(work)
    dst = rig.module(name)

    words = CLIENTS[client]
    for word in words.replace("|", " ").replace("&&", " ").split():
        if word in ("rsync", "gio", "qemu-img", "bmaptool", "unzip", "zstd", "curl", "wget", "busybox",
                    "ddrescue") and not shutil.which(word):
            raise Skip(f"{word} is not installed")
    shell(words, cwd=work, env={**os.environ, "src": image, "dst": dst, "tests": HERE}, seconds=90)

    rig.holds(image)
    same("size", os.stat(dst).st_size, os.path.getsize(image))
    run("cmp", image, dst)
    status = rig.status()
    same("state", status["state"], "done")
    same("name", status["image"]["name"], name)
    same("whole", status["image"]["whole"], True)
    same("error", status["error"], None)
    assert not os.path.exists(rig.module("FAIL.TXT")), rig.text("FAIL.TXT")


with Rig(FAST) as rig:
    first = make_image(os.path.join(rig.base, "first.img"), 24)
    second = make_image(os.path.join(rig.base, "second.img"), 40, tail=1536)

    for number, client in enumerate(SHORT_CLIENTS if SHORT else CLIENTS):
        name = f"image{number}.img"

        @case(f"{client} onto a new name")
        def _():
            copies(rig, client, first, name)

        @case(f"{client} onto an existing name")
        def _():
            copies(rig, client, second, name)

    @case("an image of an odd number of bytes")
    def _():
        odd = make_image(os.path.join(rig.base, "odd.img"), 24, tail=777)
        run("cp", odd, rig.module("odd.img"))
        rig.holds(odd)
        run("cmp", odd, rig.module("odd.img"))

    @case("an image as large as the disk")
    def _():
        full = make_image(os.path.join(rig.base, "full.img"), 128)
        run("cp", full, rig.module("full.img"))
        rig.holds(full)

    @case("a copy that only a rename finishes is known by its last name")
    def _():
        run("cp", first, rig.module(".tmp-a83k"))
        os.rename(rig.module(".tmp-a83k"), rig.module("os.img"))
        run("cmp", first, rig.module("os.img"))
        same("name", rig.status()["image"]["name"], "os.img")

    @case("removing or renaming the dropped file erases nothing")
    def _():
        run("cp", first, rig.module("first.img"))
        os.rename(rig.module("first.img"), rig.module("second.img"))
        rig.holds(first)
        os.unlink(rig.module("second.img"))
        assert not os.path.exists(rig.module("second.img"))
        rig.holds(first)

    @case("the medium's filesystems hold the files that were put into the image")
    def _():
        run("cp", second, rig.module("os.img"))
        config = run("mtype", "-i", rig.medium() + "@@1M", "::config.txt").text
        same("config.txt", config, "arm_64bit=1\n")
        run("e2fsck", "-fn", f"{rig.medium()}?offset={11 * MIB}")

with Rig(FAST, "--raw") as rig:

    @case("holes punched behind the end, a size set, and the last hole punched again, as cp --sparse=always ends")
    def _():
        fd = os.open(rig.module("holes.img"), os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"\x55" * 8192)
        punch(fd, 8192, MIB)
        punch(fd, 8192 + MIB, 4096)
        os.ftruncate(fd, 24 * MIB)
        punch(fd, 12288 + MIB, 23 * MIB - 12288)
        os.close(fd)
        same("state", rig.state(), "done")
        same("the hole", open(rig.medium(), "rb").read(24 * MIB), b"\x55" * 8192 + bytes(24 * MIB - 8192))

finish()
