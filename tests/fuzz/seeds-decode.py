#!/usr/bin/env python3
"""Writes the seeds of fuzz-decode into corpus/decode: small files of every format. Needs xz, zstd and lz4."""

import bz2
import gzip
import io
import lzma
import os
import struct
import subprocess
import zipfile
import zlib

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "decode")
CONTENT = b"".join(b"cm4fs %d, " % number for number in range(60)) + bytes(300) + bytes(range(256))
SKIPPABLE = bytes.fromhex("532a4d18 04000000") + b"skip"


def tool(*command):
    return subprocess.run(command, input=CONTENT, stdout=subprocess.PIPE, check=True).stdout


def zipped(file, method, *names, wide=False):
    with zipfile.ZipFile(file, "w", method) as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with archive.open(info, "w", force_zip64=wide) as member:
                member.write(b"" if name.endswith("/") else CONTENT)
    return file.getvalue()


def described(wide, signed):
    """A zip of a pipe's kind, in each of the forms that there are."""
    packed = zlib_raw()
    crc = struct.pack("<I", zlib.crc32(CONTENT))
    sizes = struct.pack("<QQ" if wide else "<II", len(packed), len(CONTENT))
    local = struct.pack("<IHHHHHIIIHH", 0x04034b50, 20, 8, 8, 0, 0, 0, 0, 0, 1, 0) + b"i"
    central = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 20, 20, 8, 8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"i"
    end64 = struct.pack("<IQ", 0x06064b50, 44) + bytes(44) + struct.pack("<I", 0x07064b50) + bytes(16)
    end = struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 1, 1, len(central), len(local), 2) + b"ok"
    return local + packed + (b"PK\7\x08" if signed else b"") + crc + sizes + central + (end64 if wide else b"") + end


def zlib_raw():
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(CONTENT) + packer.flush()


GZ, BZ2 = gzip.compress(CONTENT, mtime=0), bz2.compress(CONTENT)
XZ, XZ_BLOCKS = lzma.compress(CONTENT), tool("xz", "-T2", "--block-size=500")
ZST, LZ4 = tool("zstd", "-c", "--check"), tool("lz4", "-c", "-BD", "--content-size")

SEEDS = {
    "gz": GZ, "gz-two": GZ + GZ + bytes(20),
    "bz2": BZ2, "bz2-two": BZ2 + BZ2,
    "xz": XZ, "xz-sha256": lzma.compress(CONTENT, check=lzma.CHECK_SHA256),
    "xz-blocks": XZ_BLOCKS, "xz-two": XZ_BLOCKS + bytes(4) + XZ,
    "xz-large": lzma.compress(CONTENT, filters=[{"id": lzma.FILTER_X86},
                                                {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4 << 20}]),
    "zst": ZST, "zst-two": SKIPPABLE + ZST + SKIPPABLE + ZST,
    "lz4": LZ4, "lz4-two": LZ4 + SKIPPABLE + LZ4,
    "zip": zipped(io.BytesIO(), zipfile.ZIP_DEFLATED, "image.img"),
    "zip-stored": zipped(io.BytesIO(), zipfile.ZIP_STORED, "a/", "image.img"),
    "zip-wide": zipped(io.BytesIO(), zipfile.ZIP_DEFLATED, "image.img", wide=True),
    "zip-two": zipped(io.BytesIO(), zipfile.ZIP_STORED, "a.img", "b.img"),
    **{f"zip-described-{wide:d}{signed:d}": described(wide, signed) for wide in (False, True)
       for signed in (False, True)},
}

os.makedirs(CORPUS, exist_ok=True)
for name, seed in SEEDS.items():
    with open(os.path.join(CORPUS, name), "wb") as file:
        file.write(seed)
