#!/usr/bin/env python3
"""Writes the seeds of fuzz-layout into corpus/layout: whole images, as the patches that fuzz-layout.c describes."""

import os
import struct
import zlib

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "layout")
LIBBLKID, MBR, EXT, FAT, SEAL, FAIL = 1, 2, 4, 8, 16, 32
KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40


def image(setting, size, *patches):
    return bytes([setting]) + struct.pack("<Q", size) + b"".join(
        struct.pack("<QH", offset, len(data)) + data for offset, data in patches)


def table(*entries):
    """The end of an MBR or EBR, at 446: (type, start, count) in sectors."""
    packed = [struct.pack("<4xB3xII", *entry) for entry in entries]
    return b"".join(packed).ljust(64, b"\0") + b"\x55\xaa"


def mbr(*entries, at=0):
    return at * 512 + 446, table(*entries)


def gpt(size, *partitions, sector=512, entry_size=128, entries=128, lba=2):
    """Protective MBR, header and the entries in use: (first, last)."""
    packed = [b"\x11" * 32 + struct.pack("<QQ", *partition) for partition in partitions]
    used = b"".join(entry.ljust(entry_size, b"\0") for entry in packed)
    last = size // sector - 1

    def header(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, 1, last, 34, last - 33,
                           b"\x22" * 16, lba, entries, entry_size,
                           zlib.crc32(used.ljust(entries * entry_size, b"\0")))

    return [mbr((0xee, 1, 0xffffffff)), (sector, header(zlib.crc32(header(0)))), (lba * sector, used)]


def ext(at, blocks, log=2, compat=0x3c, incompat=0x2c2, ro_compat=0x46b, blocks_high=0):
    sb = bytearray(1024)
    struct.pack_into("<II", sb, 0, 16, blocks)
    struct.pack_into("<III", sb, 0x14, 0 if log else 1, log, log)
    struct.pack_into("<H", sb, 0x38, 0xef53)
    struct.pack_into("<IIHHIII", sb, 0x4c, 1, 0, 11, 256, 0, compat, incompat)
    struct.pack_into("<I", sb, 0x64, ro_compat)
    struct.pack_into("<I", sb, 0x150, blocks_high)
    return at + 1024, bytes(sb)


def fat(at, sectors, length, sector=512, cluster=4, wide=False):
    boot = bytearray(512)
    boot[:11] = b"\xeb\x58\x90mkfs.fat"
    struct.pack_into("<HBHBHHBH", boot, 11, sector, cluster, 32 if wide else 4, 2, 0 if wide else 512,
                     sectors if sectors < 65536 else 0, 0xf8, 0 if wide else length)
    struct.pack_into("<I", boot, 32, sectors if sectors >= 65536 else 0)
    if wide:
        struct.pack_into("<IHHIHH", boot, 36, length, 0, 0, 2, 1, 6)
    at_name = 82 if wide else 54
    boot[at_name:at_name + 8] = b"FAT32   " if wide else b"FAT16   "
    boot[510:] = b"\x55\xaa"
    return at, bytes(boot)


RASPIOS = [mbr((0x0c, 8192, 1048576), (0x83, 1056768, 4 << 20)), fat(8192 * 512, 1048576, 8176, wide=True),
           ext(1056768 * 512, 512 << 10)]
LOGICAL = [mbr((0x0c, 2048, 8192), (0x05, 10240, 89760)),
           mbr((0x83, 2048, 8192), (0x05, 10240, 10240), at=10240), fat(12288 * 512, 8192, 32),
           mbr((0x83, 2048, 8192), (0x05, 20480, 69280), at=20480), ext(22528 * 512, 9000, log=0),
           mbr((0x83, 2048, 67232), at=30720)]
LOOP = [mbr(*[(0x0f, 2048, 6144)] * 4), mbr((0x83, 1, 1), (0x05, 2048, 1), at=2048),
        mbr((0x83, 1, 1), (0x05, 0, 1), at=4096)]
ISO = [mbr((0x17, 0, 8192), (0xef, 100, 200)), (32768, b"\1CD001\1"), (34816, b"\377CD001\1")]

SEEDS = {
    "raspios": image(LIBBLKID, 3 * GIB, *RASPIOS),
    "raspios-told": image(MBR, 3 * GIB, *RASPIOS),
    "raspios-cut": image(MBR, 600 * MIB, *RASPIOS),
    "raspios-fails": image(MBR | FAIL, 3 * GIB, *RASPIOS),
    "logical": image(MBR, 64 * MIB, *LOGICAL),
    "logical-asked": image(LIBBLKID, 64 * MIB, *LOGICAL),
    "loop": image(MBR, 4 * MIB, *LOOP),
    "past-2-tib": image(MBR, GIB, mbr((0x83, 0xffffffff, 0xffffffff))),
    "empty-table": image(LIBBLKID, 8 * MIB, mbr()),
    "gpt": image(LIBBLKID | SEAL, 64 * MIB, *gpt(64 * MIB, (2048, 10239), (10240, 100000)),
                 fat(MIB, 8192, 32), ext(10240 * 512, 11000)),
    "gpt-unsealed": image(0, 64 * MIB, *gpt(64 * MIB, (2048, 10239), (10240, 100000))),
    "gpt-4k": image(SEAL, 64 * MIB, *gpt(64 * MIB, (256, 10239), (10240, 16000), sector=4096)),
    "gpt-far-table": image(SEAL, 64 * MIB, *gpt(64 * MIB, (8192, 10239), lba=4096)),
    "gpt-wide-entries": image(SEAL, 64 * MIB, *gpt(64 * MIB, (2048, 4095), (9, 8), entry_size=512, entries=2048)),
    "gpt-huge": image(SEAL, 1 << 62, *gpt(1 << 62, (1 << 50, 1 << 52), (0, 2**64 - 1))),
    "gpt-many": image(SEAL, 64 * MIB, *gpt(64 * MIB, *[(4096 + 8 * i, 4103 + 8 * i) for i in range(400)],
                                           entries=512)),
    "hybrid": image(SEAL, 64 * MIB, *gpt(64 * MIB, (2048, 10239))[1:], mbr((0xee, 1, 2047), (0x0c, 2048, 8192)),
                    fat(MIB, 8192, 32)),
    "ext4": image(LIBBLKID, 256 * MIB, ext(0, 65536)),
    "ext4-told": image(EXT, 256 * MIB, ext(0, 65536)),
    "ext2-1k": image(EXT, 8 * MIB, ext(0, 8192, log=0, compat=0x38, incompat=2, ro_compat=3)),
    "ext3": image(EXT, 8 * MIB, ext(0, 8192, log=0, compat=0x3c, incompat=2, ro_compat=3)),
    "ext4-past-bounds": image(EXT, 8 * MIB, ext(0, 1, log=6, blocks_high=0xffffffff)),
    "fat12": image(FAT, 2 * MIB, fat(0, 4096, 3)),
    "fat16": image(LIBBLKID, 32 * MIB, fat(0, 65000, 64)),
    "fat16-2k": image(FAT, 128 * MIB, fat(0, 65000, 32, sector=2048)),
    "fat32": image(LIBBLKID, 128 * MIB, fat(0, 262144, 2017, cluster=1, wide=True), (512, b"RRaA"), (996, b"rrAa")),
    "fat-in-front-of-mbr": image(MBR | FAT, 32 * MIB, fat(0, 65000, 64)),
    "iso": image(LIBBLKID, 4 * MIB, *ISO[1:]),
    "iso-hybrid": image(LIBBLKID, 4 * MIB, *ISO),
    "luks": image(LIBBLKID, 64 * MIB, (0, b"LUKS\xba\xbe\0\1")),
    "xfs": image(LIBBLKID, 300 * MIB, (0, b"XFSB" + struct.pack(">IQ", 4096, 76800))),
    "squashfs": image(LIBBLKID, MIB, (0, b"hsqs" + struct.pack("<IIIIHHHHHH", 9, 0, 131072, 1, 1, 17, 0, 1, 4, 0))),
    "btrfs": image(LIBBLKID, 300 * MIB, (65536 + 64, b"_BHRfS_M")),
    "swap": image(LIBBLKID, 8 * MIB, (4086, b"SWAPSPACE2")),
    "zeros": image(LIBBLKID, TIB),
    "text": image(LIBBLKID, 600, (0, b"Dear reader,\n" * 46)),
    "short": image(LIBBLKID, 512, mbr((0x83, 2048, 8))),
}

os.makedirs(CORPUS, exist_ok=True)
for name, seed in SEEDS.items():
    assert len(seed) <= 1 << 16, name
    with open(os.path.join(CORPUS, name), "wb") as file:
        file.write(seed)
