#!/usr/bin/env python3
"""Writes the seeds of fuzz-proof into corpus/proof: what consoles say, in the form that fuzz-proof.c describes."""

import os

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "proof")
NONCE = b"Q0123456789abcdef:"
SAMPLE = b"edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb"
HASH = b"00112233445566778899aabbccddeeff" * 2
HELLO_TIME, ANSWER_TIME, ASK, TAKE, SEND, BYE = (bytes([code]) for code in (0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa))


def status(number, value=0):
    return NONCE + b"%d:%d.\r\n# " % (number, value)


def hashed(number, value=HASH, code=0):
    answer = NONCE + b"%d:%d:%s -" % (number, code, value)
    return answer + b" " + answer + b"\r\n# "


def none(number, code):
    return (NONCE + b"%d:%d: " % (number, code)) * 2 + b"\r\n"


READY = status(0) + status(1) + hashed(3, SAMPLE)
NOISE = b"\r\n[    7.919000] usb0: HOST MAC 32:70:05:18:ff:01\r\n"
BANNER = b"\r\nWelcome\r\nttyGS0 login: root (automatic login)\r\n# \x1b[6n"

SEEDS = {
    "good": SEND + READY + ASK * 4 + SEND + hashed(7) + hashed(9) + hashed(6) + TAKE * 3 + hashed(8) + TAKE + BYE,
    "echo": BANNER + b"stty echo;echo Q''0123456789abcdef:0:$?.\r\n" + status(0) + b"set +m\r\n\x1b[6n" + status(1)
            + hashed(3, SAMPLE) + ASK + b"(h=\"$(dd if=/dev/mmcblk0 bs=1048576\r\r\n" + hashed(6) + TAKE,
    "drop-caches": status(0) + status(1, 1) + status(2) + hashed(3, SAMPLE) + ASK + hashed(6) + TAKE,
    "no-way": status(0) + status(1, 1) + status(2, 1),
    "no-sha256sum": status(0) + status(1) + b"sh: sha256sum: not found\r\n" + none(3, 127),
    "wrong-sample": status(0) + status(1) + hashed(3),
    "noise": READY + ASK * 2 + hashed(6).replace(b"8899", b"88" + NOISE + b"99", 1) + TAKE + NOISE.join(
        bytes([byte]) for byte in hashed(7)[:90]) + hashed(7) + TAKE,
    "wrapped": READY + ASK + b"\r\n".join(bytes([byte]) for byte in hashed(6)) + TAKE,
    "escapes": b"\x1b]0;title\x07" + b"\x1b[1;32m".join([READY, ASK, hashed(6), TAKE])
               + b"\x1bP no end " + b"\x1b[" * 9,
    "lost": READY + ASK * 4 + ANSWER_TIME + hashed(6) + TAKE + ANSWER_TIME * 2 + hashed(8) + TAKE + ANSWER_TIME * 3,
    "no-hash": READY + ASK + none(6, 2) + none(7, 2) + none(8, 1) + TAKE,
    "mute": HELLO_TIME * 3,
    "busy": b"^U\r\n" + HELLO_TIME * 2 + b"^C\r\n# " + READY + ASK + hashed(6) + TAKE,
    "login": b"gadget login: " + HELLO_TIME + b"root\r\n# " + HELLO_TIME + READY,
    "password": b"gadget login: \r\nPassword: " + HELLO_TIME + b"\r\nLogin incorrect\r\ngadget login: " + HELLO_TIME
                + b"Password: " + HELLO_TIME * 5,
    "strangers": READY + ASK + b"Qfedcba9876543210:6:0:" + HASH + b" -" + hashed(5) + hashed(7) + hashed(1000000006)
                 + none(6, 0) + status(6) + hashed(6)[:-70] + b"  " + hashed(6, HASH + b"0") + hashed(6) * 3 + TAKE * 3,
}

os.makedirs(CORPUS, exist_ok=True)
for name, seed in SEEDS.items():
    with open(os.path.join(CORPUS, name), "wb") as file:
        file.write(seed)
