#!/usr/bin/env python3
"""Compressed images, format by format: what is good arrives, and what is not ends by its errno at the call under way.

Each cell of the matrix is one file that a small writer drops, who notes which call failed. The medium, looked at from
outside, was noise before: it is the raw image then, or has no start, or is byte for byte what it was.
"""

import bz2
import errno
import gzip
import hashlib
import io
import lzma
import os
import random
import struct
import zipfile

from rig import (MIB, SHORT, WRAPPER, Rig, case, comment, contains, finish, opened, partition_table, raises, run, same,
                 until)

EMMC, SIZE = 24, 8  # MiB; the image is smaller
PIECE = 100_000


def content(size=SIZE * MIB, said=None):
    """A disk image with some of everything: what packs well, what does not, and zeros."""
    rng = random.Random(size)
    parts = [partition_table(said or size), bytes(4096 - 512)]
    while sum(map(len, parts)) < size:
        parts += [rng.randbytes(300_000), bytes(500_000), b"raspberry " * 30_000]
    return b"".join(parts)[:size]


def filtered(*command):
    """A program that packs its standard input."""

    def pack(data):
        with open(os.path.join(rig.base, "plain"), "wb") as file:
            file.write(data)
        run("sh", "-c", '"$@" <plain >packed', "sh", *command, cwd=rig.base)
        with open(os.path.join(rig.base, "packed"), "rb") as file:
            return file.read()

    return pack


def zipped(method, *more):
    def pack(data):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
            archive.writestr("os.img", data)
            for name in more:
                archive.writestr(name, b"some more")
        return file.getvalue()

    return pack


def flipped(data, at):
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


def xz_check(data):
    """The last byte of the last block's check: it lies before the index, whose size is in the footer."""
    return len(data) - 12 - (struct.unpack("<I", data[-8:-4])[0] + 1) * 4 - 1


class Format:
    def __init__(self, kind, pack, checksum):
        """@checksum: where a byte of its checksum is."""
        self.kind, self.pack, self.checksum = kind, pack, checksum


FORMATS = {
    "xz": Format("xz", lambda data: lzma.compress(data, preset=0), xz_check),
    "xz of many blocks": Format("xz", filtered("xz", "-0", "-T2", "--block-size=1MiB"), xz_check),
    "gz": Format("gz", lambda data: gzip.compress(data, 1), lambda data: -8),
    "zst": Format("zst", filtered("zstd", "-q", "-1"), lambda data: -1),
    "bz2": Format("bz2", lambda data: bz2.compress(data, 1), lambda data: -2),
    "lz4": Format("lz4", filtered("lz4", "-q", "-1", "-B5"), lambda data: -1),
    "zip": Format("zip", zipped(zipfile.ZIP_DEFLATED), lambda data: 14),
    "zip, stored": Format("zip", zipped(zipfile.ZIP_STORED), lambda data: 14),
}
SHORT_FORMATS = ["xz of many blocks", "zst", "zip"]


class Scratch(Rig):
    def __init__(self, *options):
        super().__init__(f"emmc={EMMC}M:link=0:medium=0:boot=0", *options)
        self.before = random.Random(0).randbytes(EMMC * MIB)
        self.scribble()

    def scribble(self):
        with open(self.medium(), "r+b" if os.path.exists(self.medium()) else "wb") as file:
            file.write(self.before)

    def read(self, size):
        with open(self.medium(), "rb") as file:
            return file.read(size)

    def untouched(self):
        assert self.read(EMMC * MIB) == self.before, "the medium has changed"

    def has_no_start(self):
        """Or it is as it was: what ends early may end before it was known for a disk image."""
        assert self.read(MIB) == bytes(MIB) or self.read(EMMC * MIB) == self.was, "the medium has a start"

    def has_no_start_of_its(self):
        """What shows while it arrives may show before the disk was changed."""
        assert self.read(MIB) in (bytes(MIB), self.before[:MIB]), "the medium has another start"

    def is_image(self, data):
        assert self.read(len(data)) == data, "the medium is not the raw image"


def drop(path, data, piece=PIECE):
    """Writes as programs do, and closes: the call that failed and its errno, by name; or "done" and "0"."""
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
    call = "write"
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view[:piece]):]
        call = "close"
        os.close(os.dup(fd))
    except OSError as error:
        if call == "write":
            raises(error.errno, os.write, fd, b"more")
        return call, errno.errorcode[error.errno]
    finally:
        try:
            os.close(fd)
        except OSError:
            pass
    return "done", "0"


def failed(what, data, wanted, state="failed", says="", call=None):
    """It ends by this errno, and everything that tells of it tells the same. Returns the call that did."""
    rig.was = rig.read(EMMC * MIB)
    seen, number = drop(rig.module("os.img"), data)
    same(f"errno of {what}", number, wanted)
    if call:
        same("the call", seen, call)
    rig.wait_for(state)
    status = rig.status()
    same("status.json's errno", status["error"]["errno"], wanted)
    same("status.json's type", status["error"]["type"], "user")
    same("whole", status["image"]["whole"], False)
    same("a sum", (status["image"]["sha256_raw"], status["image"]["sha256_dropped"]), (None, None))
    if state == "failed":
        raises(getattr(errno, wanted), os.rename, rig.module("os.img"), rig.module("os.img.new"))
    text = rig.text("FAIL.TXT")
    contains("FAIL.TXT", text, f"^error: .*{says}")
    contains("FAIL.TXT", text, "^type: user$")
    contains("FAIL.TXT", text, "^advice: .*[Dd]ownload" if (wanted, state) == ("EBADMSG", "failed") else "^advice: .")
    return seen


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def good(packed, raw, kind, name="os.img"):
    same("outcome", drop(rig.module(name), packed), ("done", "0"))
    rig.is_image(raw)
    status = rig.status()
    same("state", status["state"], "done")
    image = status["image"]
    same("format", image["format"], kind)
    same("the sum of what was dropped", image["sha256_dropped"], sha256(packed))
    same("the sum of the image", image["sha256_raw"], sha256(raw))
    same("bytes", (image["bytes_in"], image["bytes_total"]), (len(raw), len(raw)))
    same("size", os.stat(rig.module(name)).st_size, len(packed))
    contains("DETAILS.TXT", rig.text("DETAILS.TXT"), f"^Image format: {kind}$")
    contains("DETAILS.TXT", rig.text("DETAILS.TXT"), f"^Image SHA-256 of the raw image: {sha256(raw)}$")
    assert not os.path.exists(rig.module("FAIL.TXT")), rig.text("FAIL.TXT")


def peak():
    """The most memory that the program ever had, in MiB."""
    with open(f"/proc/{rig.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) // 1024


raw = content()

with Scratch() as rig:
    same("outcome", drop(rig.module("os.img"), raw), ("done", "0"))
    threads, descriptors = rig.threads(), len(rig.descriptors())

    for title, format in FORMATS.items():
        if SHORT and title not in SHORT_FORMATS:
            continue
        packed = format.pack(raw)

        @case(f"{title}: the medium is the raw image")
        def _():
            good(packed, raw, format.kind)

        @case(f"{title}: what was dropped cannot be read back, and says so")
        def _():
            with opened(rig.module("os.img"), os.O_RDONLY) as fd:
                raises(errno.EOPNOTSUPP, os.read, fd, 4096)

        for what, data in [("in the middle", flipped(packed, len(packed) // 2)),
                           ("in its checksum", flipped(packed, format.checksum(packed)))]:

            @case(f"{title}, corrupt {what}: EBADMSG, and no start")
            def _():
                rig.scribble()
                call = failed(what, data, "EBADMSG", says="corrupt")
                comment(f"{title} | corrupt {what} | {call}")
                if call == "close":
                    rig.has_no_start()
                else:
                    rig.has_no_start_of_its()

        @case(f"{title}, corrupt from its beginning: EBADMSG, and nothing is changed")
        def _():
            rig.scribble()
            data = packed[:6] + bytes(byte ^ 0x5A for byte in packed[6:400]) + packed[400:]
            call, number = drop(rig.module("os.img"), data)
            comment(f"{title} | corrupt from its beginning | {call} {number}")
            assert number in ("EBADMSG", "EINVAL"), number
            same("state", rig.state(), "failed")
            rig.untouched()

        for what, size in [("half", len(packed) // 2), ("its last byte", len(packed) - 1)]:

            @case(f"{title}, cut short by {what}: EBADMSG at close, incomplete, and no start; the rest makes it done")
            def _():
                failed(what, packed[:size], "EBADMSG", "incomplete", "ends early", "close")
                rig.has_no_start()
                with open(rig.module("os.img"), "ab", buffering=0) as file:
                    file.write(packed[size:])
                rig.is_image(raw)
                same("state", rig.state(), "done")

        @case(f"{title}, and garbage behind it: EBADMSG, and no start")
        def _():
            call = failed("garbage", packed + b"\x01and more", "EBADMSG", says="follow|corrupt")
            comment(f"{title} | garbage | {call}")
            rig.has_no_start()

        @case(f"{title}, larger than the disk by its own table: ENOSPC, and nothing is changed")
        def _():
            rig.scribble()
            call = failed("large", format.pack(content(said=EMMC * MIB + MIB)), "ENOSPC", says="ends at byte")
            comment(f"{title} | too large by its table | {call}")
            rig.untouched()

        @case(f"{title}, with more in it than the disk has: ENOSPC, and no start")
        def _():
            data = format.pack(raw + bytes((EMMC - SIZE) * MIB) + b"x")
            call = failed("large", data, "ENOSPC", says=f"the disk has {EMMC * MIB}")
            comment(f"{title} | more than the disk | {call}")
            rig.has_no_start()

        @case(f"{title} of what is no disk image: EINVAL, and nothing is changed")
        def _():
            rig.scribble()
            for what in (b"remember the milk\n" * 10, bytes(2 * MIB), random.Random(1).randbytes(2 * MIB)):
                call = failed("no image", format.pack(what), "EINVAL", says="not a disk image")
                comment(f"{title} | no image, {len(what)} bytes | {call}")
            rig.untouched()

        @case(f"{title} of nothing: EINVAL, and nothing is changed")
        def _():
            rig.scribble()
            failed("empty", format.pack(b""), "EINVAL", says="", call="close")
            rig.untouched()

    frame = lzma.compress(bytes(64 * MIB), preset=0)
    BOMBS = {
        "xz": frame * 1600,
        "gz": gzip.compress(bytes(32 * MIB), 9) * 100,
        "bz2": bz2.compress(bytes(64 * MIB), 9) * 1600,
        "zst": filtered("sh", "-c", "head -c 1G /dev/zero | zstd -q")(b"") * 100,
    }

    for kind, bomb in BOMBS.items():
        if SHORT and kind != "zst":
            continue

        @case(f"{kind}: endless zeros in {len(bomb) >> 10} KiB: EINVAL at once, and nothing is changed", patience=20)
        def _():
            rig.scribble()
            call = failed("a bomb", bomb, "EINVAL", says="not a disk image")
            comment(f"{kind} | bomb of zeros | {call}")
            rig.untouched()

        @case(f"{kind}: the same behind a partition table: ENOSPC, and no start", patience=20)
        def _():
            call = failed("a bomb", FORMATS[kind].pack(raw[:MIB]) + bomb, "ENOSPC", says=f"the disk has {EMMC * MIB}")
            comment(f"{kind} | bomb behind a table | {call}")
            rig.has_no_start()

    @case("members, streams and frames behind each other are one image")
    def _():
        for title in ("xz", "gz", "zst", "bz2", "lz4"):
            format = FORMATS[title]
            good(format.pack(raw[:3 * MIB + 5]) + format.pack(b"") + format.pack(raw[3 * MIB + 5:]), raw, format.kind)

    @case("names that lie: content decides")
    def _():
        good(FORMATS["xz"].pack(raw), raw, "xz", "os.img")
        good(raw, raw, "raw", "os.img.xz")
        good(FORMATS["zip"].pack(raw), raw, "zip", "os.img.gz")

    @case("a zip of two files, and one that is encrypted: EINVAL that says so, and nothing is changed")
    def _():
        rig.scribble()
        failed("two files", zipped(zipfile.ZIP_DEFLATED, "more.txt")(raw[:64]), "EINVAL", says="more than one file")
        rig.untouched()
        with open(rig.path("..", "os.img"), "wb") as file:
            file.write(raw)
        run("zip", "-q", "-P", "secret", "secret.zip", "os.img", cwd=rig.base)
        with open(os.path.join(rig.base, "secret.zip"), "rb") as file:
            failed("encrypted", file.read(), "EINVAL", says="encrypted")
        rig.untouched()

    @case("whatever came, the program's memory stayed within bounds")
    def _():
        comment(f"at most {peak()} MiB")
        assert peak() < 400 or WRAPPER or SHORT, f"{peak()} MiB"

    @case("no thread and no descriptor is left")
    def _():
        until("the threads have ended", lambda: rig.threads() <= threads)
        until("the descriptors are closed", lambda: len(rig.descriptors()) <= descriptors)

finish()
