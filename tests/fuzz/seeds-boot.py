#!/usr/bin/env python3
"""Writes the seeds of fuzz-boot into corpus/boot: whole conversations, in the form that fuzz-boot.c describes."""

import os
import struct

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "boot")
SIZE, READ, DONE = 0, 1, 2
CM1, CM3, CM4, CM5 = range(4)

OK = b"\0"
MISSING = b"\0"
STALL, SILENCE, GONE = b"\xf2", b"\xf3", b"\xf0"


def found(size):
    return b"\x03" + struct.pack("<Q", size)


def asks(command, name):
    """The byte that lets the message through, and the message."""
    name = name.encode("latin-1")
    return b"\0" + struct.pack("<I", command) + name + bytes(256 - len(name))


def served(name, size):
    return asks(SIZE, name) + found(size) + OK + asks(READ, name) + OK


def absent(name):
    return asks(SIZE, name) + MISSING + OK


def metadata(key, value):
    return asks(READ, f"*{key}*{value}") + OK


def server(*parts):
    return b"\x04" + b"".join(parts)


def rom(chip, *parts):
    return bytes([chip]) + b"".join(parts)


DONE_EMPTY = asks(DONE, "") + OK
STATUS_GOOD = b"\0" + bytes(4) + b"\0"

SEEDS = {
    "gadget-cm4": server(
        served("mcb.bin", 11696),
        *[served(f"memsys{i:02}.bin", 20492) for i in range(9)],
        served("bootmain", 265712), served("config.txt", 238), absent("boot.sig"), absent("boot.sig"),
        served("boot.img", 31 << 20), asks(DONE, "boot.img"), b"\0"),
    "msd-cm4": server(
        absent("config.txt"), absent("pieeprom.sig"), absent("recover4.elf"), served("start4.elf", 536536),
        absent("fixup4.dat"), DONE_EMPTY, b"\0"),
    "recovery": server(
        served("config.txt", 100), served("pieeprom.bin", 524288), served("pieeprom.sig", 80),
        metadata("USER_SERIAL_NUM", "af04b2da"), metadata("MAC_ADDR", "d8:3a:dd:01:02:03"),
        metadata("EEPROM_UPDATE", "success"), metadata("EEPROM_HASH", "0123456789abcdef" * 4),
        metadata("FACTORY_UUID", "_".join(["1A2B3C4D"] * 4)), DONE_EMPTY, b"\0"),
    "read-without-size": server(asks(READ, "a"), found(7), OK, asks(READ, "b"), MISSING, OK, DONE_EMPTY, b"\0"),
    "empty-file": server(served("config.txt", 0), DONE_EMPTY, b"\0"),
    "huge-file": server(asks(SIZE, "a"), found(1 << 31), OK, DONE_EMPTY, b"\0"),
    "leads-out": server(
        asks(READ, "/etc/shadow"), OK, asks(SIZE, "../x"), OK, asks(READ, "a/../../b"), OK, DONE_EMPTY, b"\0"),
    "unprintable": server(asks(SIZE, "mcb\n\x1b[2J.bin"), OK, asks(READ, "*K\x01*\xff"), OK, DONE_EMPTY, b"\0"),
    "odd-metadata": server(
        asks(READ, "*"), OK, asks(READ, "**"), OK, asks(READ, "*KEY"), OK, asks(READ, "*" + "K" * 64 + "*v"), OK,
        asks(READ, "*k*" + "v" * 200), OK, asks(READ, "*a*b*c"), OK, DONE_EMPTY, b"\0"),
    "unknown-commands": server(asks(3, "a"), asks(0xffffffff, "a"), asks(7, ""), OK, b"\0"),
    "no-nul": server(b"\0" + bytes(4) + b"A" * 256, asks(READ, "a"), found(1), OK, b"\0"),
    "short-messages": server(
        b"\xf8\x0a" + bytes(10), b"\xf9\x00", b"\xfa\xff" + bytes(255), asks(READ, "a"), found(1), OK, b"\0"),
    "four-stalls": server(STALL * 4, b"\0"),
    "silence": server(absent("config.txt"), SILENCE, b"\0"),
    "gone": server(asks(READ, "boot.img"), found(31 << 20), GONE, b"\0"),
    "file-unreadable": server(asks(READ, "boot.img"), found(31 << 20), b"\xff", b"\0"),
    "rom-cm4": rom(CM4, found(73120), OK, OK, STATUS_GOOD),
    "rom-cm5-reset": rom(CM5, found(78332), OK, OK, GONE, b"\0"),
    "rom-cm3-signed": rom(CM3, found(256), OK, found(52624), OK, OK, STATUS_GOOD),
    "rom-cm1-unsigned": rom(CM1, MISSING, found(52624), OK, OK, STATUS_GOOD),
    "rom-refuses": rom(CM4, found(73120), OK, OK, b"\0" + b"\x2a\0\0\0" + b"\0"),
    "rom-short-status": rom(CM4, found(73120), OK, OK, b"\xf8\x02\0\0\0"),
    "rom-missing": rom(CM4, MISSING),
    "rom-stalls": rom(CM4, found(73120), STALL),
}

os.makedirs(CORPUS, exist_ok=True)
for name, seed in SEEDS.items():
    with open(os.path.join(CORPUS, name), "wb") as file:
        file.write(seed)
