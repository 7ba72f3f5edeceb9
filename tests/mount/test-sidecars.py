#!/usr/bin/env python3
"""The files beside an image: bmaps, which say what is written, and lists of sums, which say what it has to be.

The medium, looked at from outside, was a pattern before: what a bmap leaves out keeps it, but for the first MiB.
"""

import errno
import hashlib
import os
import random
import re

from rig import (MIB, SHORT, WRAPPER, Rig, Skip, case, contains, finish, opened, partition_table, raises, run, same,
                 shell)

EMMC, SIZE = 24, 12  # MiB
BLOCK = 4096


class Scratch(Rig):
    def __init__(self, *options):
        super().__init__(f"emmc={EMMC}M:link=0:medium=0:boot=0", *options)
        self.before = b"\xa5" * (EMMC * MIB)
        self.scribble()

    def scribble(self):
        with open(self.medium(), "r+b" if os.path.exists(self.medium()) else "wb") as file:
            file.write(self.before)

    def read(self, size=EMMC * MIB):
        with open(self.medium(), "rb") as file:
            return file.read(size)

    def file(self, name, content):
        path = os.path.join(self.base, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def put(self, name, content):
        """A small file beside the image, as an editor writes it."""
        with open(self.module(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def refuses(self, number, name, content):
        raises(number, self.put, name, content)

    def has_no_start(self):
        """Or it is as it was: what ends early may end before it was known for a disk image."""
        assert self.read(MIB) == bytes(MIB) or self.read() == self.before, "the medium has a start"


def sparse_image(rig):
    """Data in some places, two of them in the first MiB, and holes that a bmap knows of."""
    rng = random.Random(5)
    path = rig.file("os.img", b"")
    pieces = [(0, partition_table(SIZE * MIB) + rng.randbytes(BLOCK - 512)), (16 * BLOCK, rng.randbytes(BLOCK)),
              (MIB - BLOCK, rng.randbytes(3 * BLOCK)), (3 * MIB, rng.randbytes(2 * MIB + BLOCK)),
              (7 * MIB + BLOCK, bytes(BLOCK) + rng.randbytes(BLOCK)), (11 * MIB, rng.randbytes(BLOCK))]
    with open(path, "wb") as file:
        for at, data in pieces:
            file.seek(at)
            file.write(data)
        file.truncate(SIZE * MIB)
    return path


def bmap_of(image):
    shell(f"bmaptool -q create -o {image}.bmap {image}")
    with open(image + ".bmap") as file:
        return file.read()


def sealed(text):
    """The bmap's own checksum is made anew."""
    none = re.sub(r"(<BmapFileChecksum>\s*)[0-9a-f]{64}", lambda match: match.group(1) + "0" * 64, text)
    return re.sub(r"(<BmapFileChecksum>\s*)0{64}",
                  lambda match: match.group(1) + hashlib.sha256(none.encode()).hexdigest(), none)


def with_wrong_sum(text):
    """Of its fourth range."""
    sums = list(re.finditer(r'chksum="([0-9a-f]{64})"', text))
    at = sums[3].start(1)
    return sealed(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1:])


def mapped(text):
    """The ranges of a bmap, in bytes."""
    for first, last in re.findall(r"<Range[^>]*>\s*(\d+)(?:-(\d+))?\s*</Range>", text):
        yield int(first) * BLOCK, (int(last or first) + 1) * BLOCK


def expected(rig, raw, text):
    """The medium after a flash by a bmap."""
    medium = bytearray(rig.before)
    medium[:MIB] = bytes(MIB)
    for start, end in mapped(text):
        medium[start:end] = raw[start:end]
    return bytes(medium)


def differs(one, other):
    return next((at for at in range(0, len(one), BLOCK) if one[at:at + BLOCK] != other[at:at + BLOCK]), None)


def is_mapped(rig, raw, text, kind="raw"):
    place = differs(rig.read(), expected(rig, raw, text))
    assert place is None, f"the medium is another at byte {place}"
    status = rig.status()
    same("state", status["state"], "done")
    same("format", status["image"]["format"], kind)
    same("error", status["error"], None)


def sha256(path):
    return run("sha256sum", path).text.split()[0]


def failed(rig, says, number="EBADMSG"):
    status = rig.status()
    same("state", status["state"], "failed")
    same("errno", status["error"]["errno"], number)
    contains("FAIL.TXT", rig.text("FAIL.TXT"), f"^error: .*{says}")


def begin(rig, name, data):
    """A writer who has given the first part, and waits: write the rest, and close."""
    fd = os.open(rig.module(name), os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    half = len(data) // 3
    os.write(fd, data[:half])

    def rest():
        left = data[half:]
        try:
            while left:
                left = left[os.write(fd, left[:300_000]):]
        finally:
            os.close(fd)

    return rest


with Scratch() as rig:
    image = sparse_image(rig)
    raw = open(image, "rb").read()
    text = bmap_of(image)
    shell(f"xz -0 -k {image} && gzip -1 -k {image}")
    xz, gz = image + ".xz", image + ".gz"
    packed = open(xz, "rb").read()

    def fresh():
        rig.control("clear")
        rig.scribble()

    for source, name, beside in [(image, "os.img", "os.bmap"), (image, "os.img", "os.img.bmap"),
                                 (xz, "os.img.xz", "os.img.xz.bmap"), (xz, "os.img.xz", "os.img.bmap"),
                                 (xz, "os.img.xz", "os.bmap"), (gz, "os.img.gz", "os.img.bmap")]:

        @case(f"{beside} before {name}: mapped blocks only are written")
        def _():
            fresh()
            rig.put(beside, text)
            run("cp", source, rig.module(name))
            is_mapped(rig, raw, text, {"os.img": "raw"}.get(name, name.rsplit(".")[-1]))

    @case("verify after it, which knows that only a part was written")
    def _():
        if WRAPPER:
            raise Skip("nothing is proved under valgrind")
        rig.control("verify")
        same("state", rig.state(), "done")
        image_ = rig.status()["image"]
        same("proved", image_["bytes_proved"], image_["bytes_written"])

    @case("a bmap of another image does not matter")
    def _():
        fresh()
        rig.put("other.bmap", text)
        run("cp", image, rig.module("os.img"))
        same("the medium", rig.read(SIZE * MIB), raw)

    @case("one that is removed before the image comes does not matter any more")
    def _():
        fresh()
        rig.put("os.bmap", text)
        os.unlink(rig.module("os.bmap"))
        run("cp", image, rig.module("os.img"))
        same("the medium", rig.read(SIZE * MIB), raw)

    for name, data in [("os.img", raw), ("os.img.xz", packed)]:

        @case(f"a bmap that comes in the middle of {name} serves for what follows, and its sums for all")
        def _():
            fresh()
            rest = begin(rig, name, data)
            rig.put("os.bmap", text)
            rest()
            same("state", rig.state(), "done")
            medium, wanted = rig.read(), expected(rig, raw, text)
            for start, end in mapped(text):
                same(f"the medium at byte {start}", medium[start:end], wanted[start:end])
            if name == "os.img":
                same("what came after the bmap", medium[5 * MIB:], wanted[5 * MIB:])

        @case(f"and one with a wrong sum: EBADMSG, and no start")
        def _():
            fresh()
            rest = begin(rig, name, data)
            rig.put("os.bmap", with_wrong_sum(text))
            raises(errno.EBADMSG, rest)
            failed(rig, "bmap")
            rig.has_no_start()

    for command in ['rsync -a "$src" "$src.bmap" "$dst/"', 'cp -a "$src.bmap" "$src" "$dst/"',
                    'gio copy "$src.bmap" "$dst/" && gio copy "$src" "$dst/"',
                    'cp "$src.bmap" "$dst/os.img.bmap.part" && mv "$dst/os.img.bmap.part" "$dst/os.img.bmap" &&'
                    'cp "$src" "$dst/os.img.part" && mv "$dst/os.img.part" "$dst/os.img"']:
        if SHORT and not command.startswith("rsync"):
            continue

        @case(f"both by {command.split()[0]}" + (" and .part names" if ".part" in command else ""))
        def _():
            fresh()
            if command.startswith("rsync"):  # which sorts them: the bmap comes second
                rig.put("os.bmap", text)
            shell(command, env={**os.environ, "src": image, "dst": rig.module()})
            is_mapped(rig, raw, text)
            assert os.path.exists(rig.module("os.img.bmap"))

    @case("a wrong sum in it: EBADMSG, failed, and no start; a fresh copy with a right one succeeds")
    def _():
        for source, name in [(image, "os.img"), (xz, "os.img.xz")]:
            fresh()
            rig.put("os.bmap", with_wrong_sum(text))
            result = run("cp", source, rig.module(name), status=1)
            contains("what cp says", result.text, os.strerror(errno.EBADMSG))
            failed(rig, "not what the bmap's checksum is of")
            rig.has_no_start()
            rig.put("os.bmap", text)
            run("cp", source, rig.module(name))
            same("state", rig.state(), "done")

    @case("a damaged bmap is EBADMSG at its own close, what is no bmap EINVAL, and the flash is not concerned")
    def _():
        fresh()
        damaged = text.replace("<MappedBlocksCount>", "<MappedBlocksCount> ", 1)
        assert damaged != text
        rest = begin(rig, "os.img", raw)
        rig.refuses(errno.EBADMSG, "os.bmap", damaged)
        for nonsense in ("remember the milk", "<bmap", "", "<html></html>", bytes(5000)):
            rig.refuses(errno.EINVAL, "os.bmap", nonsense)
        rest()
        same("the medium", rig.read(SIZE * MIB), raw)
        same("state", rig.state(), "done")
        contains("the log", rig.text("log"), "os.bmap cannot be used: ")

    @case("a bmap of an image of another size: EBADMSG, and no start")
    def _():
        larger = rig.file("larger.img", raw + bytes(MIB))
        for source, name in ((larger, "os.img"), (image, "larger.img")):
            fresh()
            rig.put(os.path.splitext(name)[0] + ".bmap", bmap_of(larger) if name == "larger.img" else text)
            run("cp", source, rig.module(name), status=1)
            rig.wait_for("failed", "incomplete")
            same("errno", rig.status()["error"]["errno"], "EBADMSG")
            contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: .*bmap")
            rig.has_no_start()

    for title, command in [("dd, its pieces from the last to the first",
                            'for i in $(seq 11 -1 0); do dd if="$src" of="$dst/os.img" bs=1M count=1 skip=$i seek=$i '
                            'conv=notrunc status=none 2>/dev/null || :; done 3<>"$dst/os.img"'),
                           ("bmaptool", 'bmaptool -q copy --no-verify --bmap "$src.bmap" "$src" "$dst/os.img"'),
                           ("cp --sparse=always", 'cp --sparse=always "$src" "$dst/os.img"'),
                           ("dd conv=sparse", 'dd if="$src" of="$dst/os.img" bs=4k conv=sparse status=none'),
                           ("dd oflag=direct", 'dd if="$src" of="$dst/os.img" bs=8M oflag=direct status=none'),
                           ("dd of odd blocks", 'dd if="$src" of="$dst/os.img" bs=33333 status=none'),
                           ("rsync -S", 'rsync -S "$src" "$dst/os.img"')]:

        @case(f"{title}: whole, and its sums are looked at")
        def _():
            fresh()
            rig.put("os.img.bmap", text)
            shell(command, env={**os.environ, "src": image, "dst": rig.module()})
            same("state", rig.state(), "done")
            is_mapped(rig, raw, text)
            if command.startswith("rsync"):  # its receiver lives on for a moment when it has failed
                return

            fresh()
            rig.put("os.img.bmap", with_wrong_sum(text))
            shell(command, status=None, env={**os.environ, "src": image, "dst": rig.module()})
            failed(rig, "bmap")
            assert rig.read(MIB) in (bytes(MIB), rig.before[:MIB]), "the medium has a start"

    @case("the dropped image reads back: what was mapped")
    def _():
        fresh()
        rig.put("os.bmap", text)
        run("cp", image, rig.module("os.img"))
        with open(rig.module("os.img"), "rb") as file:
            back = file.read()
        same("its size", len(back), len(raw))
        for start, end in mapped(text):
            same(f"at byte {start}", back[start:end], raw[start:end])

    right, packed_right = sha256(image), sha256(xz)
    wrong = "0" * 64

    LISTS = [("os.img", "os.img.sha256", "{raw}  os.img\n"), ("os.img", "os.img.sha256", "{raw}\n"),
             ("os.img", "SHA256SUMS", "# sums\n{wrong}  other.img\n{raw} *os.img\n"),
             ("os.img", "SHA256SUMS.txt", "SHA256 (os.img) = {raw}\r\n"),
             ("os.img.xz", "os.img.xz.sha256", "{packed}  ./os.img.xz\n"),
             ("os.img.xz", "SHA256SUMS", "{packed}  os.img.xz\n{raw}  os.img\n"),
             ("os.img.xz", "os.img.sha256", "{raw}  os.img\n")]

    for number, (name, beside, words) in enumerate(LISTS, 1):
        source = xz if name.endswith("xz") else image
        good = words.format(raw=right, packed=packed_right, wrong=wrong)
        bad = words.format(raw=wrong, packed=wrong, wrong=wrong)

        @case(f"{beside} of {name}, list {number}: before, during and after")
        def _():
            fresh()
            rig.put(beside, good)
            run("cp", source, rig.module(name))
            same("state", rig.state(), "done")
            rig.put(beside, good)
            same("state after it came once more", rig.state(), "done")

            fresh()
            rig.put(beside, bad)
            result = run("cp", source, rig.module(name), status=1)
            contains("what cp says", result.text, os.strerror(errno.EBADMSG))
            failed(rig, "SHA-256")
            rig.has_no_start()

            fresh()
            rest = begin(rig, name, open(source, "rb").read())
            rig.put(beside, bad)
            raises(errno.EBADMSG, rest)
            failed(rig, "SHA-256")
            rig.has_no_start()

            fresh()
            run("cp", source, rig.module(name))
            rig.put(beside, good)
            same("state", rig.state(), "done")
            rig.refuses(errno.EBADMSG, beside, bad)
            failed(rig, "SHA-256")
            same("the medium", rig.read(SIZE * MIB), raw)

    @case("a wrong sum of the raw image beside a right one of what was dropped: EBADMSG")
    def _():
        fresh()
        rig.put("SHA256SUMS", f"{packed_right}  os.img.xz\n{wrong}  os.img\n")
        run("cp", xz, rig.module("os.img.xz"), status=1)
        failed(rig, "SHA-256")

    @case("lists that do not name it are ignored, before and after")
    def _():
        fresh()
        rig.put("SHA256SUMS", f"{wrong}  other.img\n{wrong}  os.img.xz\n")
        rig.put("other.sha256", f"{wrong}\n")
        run("cp", image, rig.module("os.img"))
        rig.put("SHA256SUMS", f"{wrong}  another.img\n")
        same("state", rig.state(), "done")

    @case("what is no list of SHA-256 sums is EINVAL at its close")
    def _():
        for nonsense in ("remember the milk\n", "", f"{wrong[:40]}  os.img\n"):
            rig.refuses(errno.EINVAL, "SHA256SUMS", nonsense)

    @case("a list that is written anew counts as it is then, and one that is removed not at all")
    def _():
        fresh()
        rig.put("SHA256SUMS", f"{wrong}  os.img\n")
        rig.put("SHA256SUMS", f"{right}  os.img\n")
        run("cp", image, rig.module("os.img"))
        rig.put("SHA256SUMS", f"{right}  other.img\n")
        fresh()
        rig.put("SHA256SUMS", f"{wrong}  os.img\n")
        os.unlink(rig.module("SHA256SUMS"))
        run("cp", image, rig.module("os.img"))
        same("state", rig.state(), "done")

    @case("a wrong list is compared with the image on the disk, also after a drop that was refused")
    def _():
        fresh()
        run("cp", image, rig.module("kept.img"))
        fd = os.open(rig.module("refused.img"), os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"no image" * 100)
        raises(errno.EINVAL, os.close, fd)
        rig.refuses(errno.EBADMSG, "kept.img.sha256", f"{wrong}  kept.img\n")

    @case("clear forgets and removes it")
    def _():
        fresh()
        rig.put("SHA256SUMS", f"{wrong}  os.img\n")
        rig.put("os.bmap", with_wrong_sum(text))
        rig.control("clear")
        same("what is there", {"SHA256SUMS", "os.bmap"} & set(os.listdir(rig.module())), set())
        assert not os.path.exists(rig.module("SHA256SUMS"))
        run("cp", image, rig.module("os.img"))
        same("the medium", rig.read(SIZE * MIB), raw)

    @case("under an unknown temporary name the sums are compared at the rename: EBADMSG, and nothing is changed")
    def _():
        for source, name in ((image, "os.img"), (xz, "os.img.xz")):
            fresh()
            rig.put("SHA256SUMS", f"{wrong}  {name}\n")
            run("cp", source, rig.module("download.tmp"))
            same("state", rig.state(), "done")
            raises(errno.EBADMSG, os.rename, rig.module("download.tmp"), rig.module(name))
            failed(rig, "SHA-256")
            same("the medium", rig.read(SIZE * MIB), raw)

            fresh()
            rig.put("SHA256SUMS", f"{sha256(source)}  {name}\n")
            run("cp", source, rig.module("download.tmp"))
            os.rename(rig.module("download.tmp"), rig.module(name))
            same("state", rig.state(), "done")
            same("name", rig.status()["image"]["name"], name)

    @case("a list that gets its name by a rename is compared then, and one that loses it is forgotten")
    def _():
        fresh()
        run("cp", image, rig.module("os.img"))
        rig.put("list.sha256", f"{wrong}  other.img\n")
        os.rename(rig.module("list.sha256"), rig.module("SHA256SUMS"))
        rig.put("os.img.sha256", f"{right}\n")
        same("state", rig.state(), "done")
        fresh()
        rig.put("os.img.sha256", f"{wrong}\n")
        os.rename(rig.module("os.img.sha256"), rig.module("other.img.sha256"))
        run("cp", image, rig.module("os.img"))
        raises(errno.EBADMSG, os.rename, rig.module("other.img.sha256"), rig.module("os.img.sha256"))
        failed(rig, "SHA-256")

    @case("an image may not become a list by its name, nor a list a disk")
    def _():
        fresh()
        run("cp", image, rig.module("os.img"))
        rig.put("SHA256SUMS", f"{right}  os.img\n")
        raises(errno.EINVAL, os.rename, rig.module("os.img"), rig.module("os.bmap"))
        raises(errno.EINVAL, os.rename, rig.module("SHA256SUMS"), rig.module("mmcblk0.img"))

    @case("ls, stat and cat of it; it is written in pieces, cut, appended to, and copied with its times")
    def _():
        fresh()
        words = f"{right}  os.img\n"
        path = rig.file("SHA256SUMS", words.encode())
        os.utime(path, (1_000_000_000, 1_000_000_000))
        for command in ('cp -a "$src" "$dst/"', 'cp "$src" "$dst/"', 'rsync -a "$src" "$dst/"',
                        'gio copy "$src" "$dst/SHA256SUMS"', 'dd if="$src" of="$dst/SHA256SUMS" bs=7 status=none',
                        'rm "$dst/SHA256SUMS"; gio copy "$src" "$dst/SHA256SUMS"', 'cat "$src" >"$dst/SHA256SUMS"',
                        'curl -s -o "$dst/SHA256SUMS" "file://$src"', 'rsync --inplace "$src" "$dst/"',
                        'cp "$src" "$dst/SHA256SUMS.part"; mv "$dst/SHA256SUMS.part" "$dst/SHA256SUMS"',
                        'head -c 9 "$src" >"$dst/SHA256SUMS"; tail -c +10 "$src" >>"$dst/SHA256SUMS"'):
            shell(command, status=None, env={**os.environ, "src": path, "dst": rig.module()})
            with open(rig.module("SHA256SUMS")) as file:
                same(f"the text after {command}", file.read(), words)
            same("names", [name for name in os.listdir(rig.module()) if "SUMS" in name], ["SHA256SUMS"])
            attr = os.stat(rig.module("SHA256SUMS"))
            same("size", attr.st_size, len(words))
            same("mode", attr.st_mode & 0o777, 0o660)
            if command.startswith(("cp -a", "rsync -a")):
                same("time", attr.st_mtime, 1_000_000_000)
        run("cp", image, rig.module("os.img"))
        same("state", rig.state(), "done")

    @case("one that is too large is EFBIG, and too many of them ENOSPC")
    def _():
        fresh()
        with opened(rig.module("os.bmap")) as fd:
            raises(errno.EFBIG, os.pwrite, fd, b"x", 16 * MIB)
            raises(errno.EFBIG, os.ftruncate, fd, 16 * MIB + 1)
        rig.control("clear")
        for number in range(32):
            rig.put(f"{number}.sha256", right)
        raises(errno.ENOSPC, rig.put, "more.sha256", right)
        run("cp", image, rig.module("os.img"))
        same("state", rig.state(), "done")
        rig.control("clear")

    @case("with none of it in its way a flash is what it was")
    def _():
        fresh()
        run("cp", xz, rig.module("os.img.xz"))
        same("the medium", rig.read(), raw + rig.before[SIZE * MIB:])

finish()
