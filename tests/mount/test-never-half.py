#!/usr/bin/env python3
"""Never half an image: a disaster at a random point of a flash leaves all of it, or no start.

Three disasters (kill -9 of the writer, kill -9 of cm4fs, the module unplugged), each under writers of every kind.
Afterwards the medium is looked at from outside when cm4fs is dead too, and the cache with it: it is what it was, or
it has no first block, or it is the image. Who said that he succeeded has the image on the medium; who failed was told
why. Every medium holds another system beforehand.

25 points a disaster; CM4FS_LONG=1: 200; CM4FS_SHORT=1: 5. The points are random: CM4FS_TEST_SEED replays them, as far
as they are bytes; those that are moments come at the same fractions of a flash's length.
"""

import collections
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

from rig import HERE, MIB, SHORT, SLOW, Rig, case, comment, contains, disk_image, finish, same, tap, until

LONG = os.environ.get("CM4FS_LONG") == "1"
POINTS = 200 if LONG else 5 if SHORT else 25
SIDE_BY_SIDE = 13  # so many modules of one cm4fs, each with a point of its own
SEED = int(os.environ.get("CM4FS_TEST_SEED") or random.SystemRandom().randrange(1 << 32))

# Slow enough for a kill to hit each part of a flash; more than a cache holds back without writing it out.
SPEED = "link=32M:medium=24M:boot=100"
RATE = 24 * MIB
EMMC = 14 * MIB
SIZE = 12 * MIB + 1536
BLOCK = 4096
HEAD = MIB  # what is wiped first and written last
END = (SIZE + BLOCK - 1) // BLOCK * BLOCK

rng = random.Random(SEED)
old = disk_image(SIZE, seed=1)
new = bytearray(disk_image(SIZE, seed=2))
for hole, end in ((3 * MIB, 5 * MIB), (11 * MIB, SIZE)):
    new[hole:end] = bytes(end - hole)
BEFORE = old + bytes(END - SIZE) + random.Random(3).randbytes(EMMC - END)
AFTER = bytes(new) + bytes(END - SIZE)


# Writers ----------------------------------------------------------------------------------------------


def slowly(how):
    return lambda source, target, seed: [sys.executable, "-IS", os.path.join(HERE, "write.py"), how, str(RATE),
                                         str(seed), source, target]


# before: the system on the medium was dropped under the name that is written to now. deaf: exits with 0 whatever
# close() says.
Kind = collections.namedtuple("Kind", "name command before disk deaf", defaults=(False, False, False))

KINDS = [
    Kind("cp", lambda source, target, seed: ["cp", source, target]),
    Kind("dd oflag=direct", lambda source, target, seed: [
        "dd", f"if={source}", f"of={target}", "bs=4M", "oflag=direct", "status=none"]),
    Kind("pieces in random order, the size first", slowly("pieces")),
    Kind("cp --sparse=always", lambda source, target, seed: ["cp", "--sparse=always", source, target]),
    Kind("in order from a slow source", slowly("order")),
    Kind("cp over the image before", lambda source, target, seed: ["cp", source, target], before=True),
    Kind("in place over the image before", slowly("place"), before=True),
    Kind("cp onto mmcblk0.img", lambda source, target, seed: ["cp", source, target], disk=True),
]
if shutil.which("qemu-img"):
    KINDS.append(Kind("qemu-img convert", lambda source, target, seed: [
        "qemu-img", "convert", "-f", "raw", "-O", "raw", source, target], deaf=True))


class Flash:
    """One writer on one module, and the point at which its disaster comes."""

    def __init__(self, kind, share=None):
        self.kind, self.share, self.seed = kind, share, rng.randrange(1 << 32)
        self.fault = self.point = None
        self.serial = self.writer = self.begun = self.took = self.status = None

    def target(self, rig):
        return rig.module("mmcblk0.img" if self.kind.disk else "os.img", serial=self.serial)

    def start(self, rig):
        command = self.kind.command(rig.image, self.target(rig), self.seed)
        self.begun = time.monotonic()
        self.writer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})

    def ended(self):
        if self.took is None and self.writer.poll() is not None:
            self.took = time.monotonic() - self.begun
        return self.took is not None

    def said(self):
        """The exit status, and the words on the way out."""
        words = self.writer.communicate(timeout=30 * SLOW)[1].decode(errors="replace")
        return self.writer.returncode, words


# The medium -------------------------------------------------------------------------------------------


def kind_of_block(now, at):
    block = now[at:at + BLOCK]
    if block == AFTER[at:at + BLOCK]:
        return "new"
    if block == BEFORE[at:at + BLOCK]:
        return "old"
    if all(byte in (0, wanted) for byte, wanted in zip(block, AFTER[at:at + BLOCK])):
        return "cleared"  # and perhaps a part of the new one in it
    return "strange"


def look(now):
    """What is left of the flash, seen from outside: the assertion that all of this is about."""
    assert now[END:] == BEFORE[END:], "the medium was changed behind the image"
    if now[:END] == AFTER:
        return "whole"
    if now == BEFORE:
        return "untouched"

    kinds = [kind_of_block(now, at) for at in range(0, END, BLOCK)]
    head, rest = kinds[:HEAD // BLOCK], kinds[HEAD // BLOCK:]
    if any(now[:BLOCK]):
        raise AssertionError(f"a start that is {head[0]}, and not all of it: "
                             f"head {collections.Counter(head)}, behind it {collections.Counter(rest)}")
    assert "strange" not in kinds, f"block {kinds.index('strange')} is neither old nor new nor zeros"
    if set(rest) == {"old"}:
        return "start gone"
    assert "old" not in head, "behind the head it has changed, before the old start was gone"
    return "all but the start" if set(rest) == {"new"} else "some of it"


# The bench --------------------------------------------------------------------------------------------


class Bench(Rig):
    """cm4fs that comes to a bad end; a module for each flash, on whose medium there is the system before."""

    def __init__(self, flashes, verify):
        faults = "".join(f":fault={number}/{flash.fault}" for number, flash in enumerate(flashes, 1) if flash.fault)
        super().__init__(f"count={len(flashes)}:emmc={EMMC}:{SPEED}{faults}", f"--verify={verify}", "--reconnect=0")
        self.flashes = flashes
        self.image, self.older = os.path.join(self.base, "new.img"), os.path.join(self.base, "old.img")
        for path, content in ((self.image, new), (self.older, old)):
            with open(path, "wb") as file:
                file.write(content)

    def __enter__(self):
        super().__enter__()
        until("all modules are there", lambda: len(self.serials()) == len(self.flashes))
        return self

    def __exit__(self, kind, error, trace):
        for flash in self.flashes:
            if flash.writer:
                flash.writer.kill()
                flash.writer.communicate()
        self._kill()
        shutil.rmtree(self.base, ignore_errors=True)

    def crash(self):
        """Its last words are still there, and for its writers the mount."""
        self.process.kill()
        self.process.wait()
        self.wait_for_writers()
        self._kill()
        tap.witnesses.append(self)

    def again(self):
        tap.witnesses.remove(self)
        self.__enter__()

    def prepare(self):
        """The system before, on every medium; for some by a flash of its own."""
        for flash, serial in zip(self.flashes, self.serials()):
            flash.serial = serial
            with open(self.medium(serial), "r+b") as file:
                file.write(BEFORE)
        flashed = [flash for flash in self.flashes if flash.kind.before]
        copies = [subprocess.Popen(["cp", self.older, flash.target(self)]) for flash in flashed]
        for flash in self.flashes:
            if flash.kind.disk:
                self.control("boot", flash.serial)
        for copy in copies:
            same("exit status of the copy before", copy.wait(30 * SLOW), 0)
        for flash in flashed:
            same("the medium beforehand", look(self.now(flash)), "untouched")

    def stir(self, flash, at):
        """Writes a block as it is: the module's cache goes on from there when it is written out."""
        with open(self.module("mmcblk0.img", serial=flash.serial), "r+b", buffering=0) as disk:
            os.pwrite(disk.fileno(), BEFORE[at:at + BLOCK], at)
            os.fsync(disk.fileno())

    def now(self, flash):
        with open(self.medium(flash.serial), "rb") as file:
            return file.read()

    def wait_for_writers(self):
        until("all writers have ended", lambda: all([flash.ended() for flash in self.flashes if flash.writer]), 60)

    def wait_for_rest(self):
        """Nothing is under way any more."""
        for flash in self.flashes:
            until(f"{flash.serial} has come to rest",
                  lambda: self.state(flash.serial) not in ("booting", "flashing", "verifying", "waiting"), 60)
            flash.status = self.status(flash.serial)

    def told(self, flash, state, name, type_):
        """The failure is told alike by all that tells of it."""
        same("state", flash.status["state"], state)
        same("status.json's errno", flash.status["error"]["errno"], name)
        same("status.json's type", flash.status["error"]["type"], type_)
        same("whole", flash.status["image"]["whole"], False)
        for line in ("error: .+", f"type: {type_}$", "advice: .+"):
            contains("FAIL.TXT", flash.fail_text, "^" + line)


# No disaster: what a success is worth, and how long it takes ------------------------------------------

took, bytes_in, bytes_out = {}, {}, {}


def calm(verify):
    """A success is a success when cm4fs is killed at that moment: with the file still open, nothing closes the disk."""
    flashes = [Flash(kind) for kind in KINDS]
    with Bench(flashes, verify) as bench:

        @case(f"--verify={verify}: every writer succeeds, and cm4fs is killed at that moment")
        def _():
            bench.prepare()
            held = [os.open(flash.target(bench), os.O_CREAT | os.O_RDONLY) for flash in flashes]
            for flash in flashes:
                flash.start(bench)
            bench.wait_for_writers()
            for flash in flashes:
                flash.status = bench.status(flash.serial)
            bench.crash()
            for fd in held:
                with contextlib.suppress(OSError):
                    os.close(fd)

        for flash in flashes:

            @case(f"--verify={verify}: {flash.kind.name}: the image is on the medium, not in a cache")
            def _():
                same("what it said", flash.said(), (0, ""))
                same("the medium", look(bench.now(flash)), "whole")
                same("state", flash.status["state"], "done")
                took[verify, flash.kind] = flash.took
                bytes_in[verify, flash.kind] = flash.status["image"]["bytes_in"]
                # The wipe of the old start is none of the image's.
                bytes_out[verify, flash.kind] = HEAD + flash.status["image"]["bytes_written"]


def watched():
    """Whatever a kill could find, every moment of a flash: as long as there is a first block, it is that of a whole."""
    flash = Flash(Kind("pieces in random order, and no fsync after them", slowly("loose")))
    flash.seed = 2  # what is synced on the way ends near the disk's end: the cache goes on with the start
    with Bench([flash], "off") as bench:

        @case("watched from outside, the old start's first block goes first, and the new one's comes last")
        def _():
            bench.prepare()
            bench.control("boot", flash.serial)
            bench.stir(flash, HEAD * 3 // 4)
            seen = collections.Counter()
            flash.start(bench)
            with open(bench.medium(flash.serial), "rb", buffering=0) as medium:
                while not flash.ended():
                    head = os.pread(medium.fileno(), HEAD, 0)
                    first = head[:BLOCK]
                    left = "start gone" if not any(first) else "untouched"
                    if left == "untouched" and head != BEFORE[:HEAD]:
                        now = head + bench.now(flash)[HEAD:]
                        left = look(now) if os.pread(medium.fileno(), BLOCK, 0) == first else "in between"
                    seen[left] += 1
            same("what it said", flash.said(), (0, ""))
            comment("seen: " + ", ".join(f"{n} times {left}" for left, n in seen.items()))
            assert seen["untouched"] and seen["start gone"], seen


# Disasters --------------------------------------------------------------------------------------------


def shares(n):
    """Parts of a flash's length, from before its first byte to a little after its end; its ends have more of them."""
    points = []
    for number in range(n):
        share = (number + rng.random()) / n
        points.append(share * 0.6 if share < 0.25 else
                      0.15 + (share - 0.25) * 1.4 if share < 0.7 else 0.78 + (share - 0.7) * 0.8)
    rng.shuffle(points)
    points[0] = 0.02  # while the module boots: one at least comes before anything has changed
    return points


def moment(flash, verify):
    return flash.share * took[verify, flash.kind]


def kill_writers(bench, verify):
    """Each at its moment, by the clock or by the bytes that cm4fs has taken from it."""
    by_bytes = bench.flashes[2::3]
    for flash in bench.flashes:
        flash.point = f"{flash.share:.3f} of its {'bytes' if flash in by_bytes else 'time'}"
        flash.start(bench)

    def is_due(flash, status):
        if flash not in by_bytes:
            return time.monotonic() >= flash.begun + moment(flash, verify)
        taken = status["image"]["bytes_in"] if status["state"] in ("flashing", "verifying") else -1
        return taken >= flash.share * bytes_in[verify, flash.kind]

    left = list(bench.flashes)

    def all_killed():
        for flash in list(left):
            status = bench.status(flash.serial)
            if not flash.ended() and not is_due(flash, status):
                continue
            flash.writer.kill()
            flash.status = status
            left.remove(flash)
        return not left

    until("all writers are killed", all_killed, 60)
    for flash in bench.flashes:
        state, image = flash.status["state"], flash.status["image"]
        if flash.ended() and flash.writer.returncode == 0:
            flash.where = "after it"
        elif state not in ("flashing", "verifying"):
            flash.where = "before it"
        elif state == "flashing" and image["bytes_in"] < bytes_in[verify, flash.kind]:
            flash.where = "while writing"
        else:
            flash.where = "in close"


def killed_writer(bench, flash, left):
    status, words = flash.said()
    state = flash.status["state"]
    assert status in (0, -signal.SIGKILL), f"exit status {status}: {words}"
    if status == 0 or state == "done" and left == "whole":
        same("the medium", left, "whole")
        same("state", state, "done")
        same("error", flash.status["error"], None)
    elif state in ("rom", "ready", "done"):
        same("the medium", left, "untouched")
        same("error", flash.status["error"], None)
    else:
        bench.told(flash, "incomplete", "EBADMSG", "user")
        assert left != "whole", "the medium is whole, and it is said that it is not"


def kill_daemon(bench, verify):
    """All at once: so the writers begin each by its share earlier."""
    flashes = sorted(bench.flashes, key=lambda flash: moment(flash, verify), reverse=True)
    for flash in flashes:
        if flash.kind.disk:
            bench.stir(flash, rng.randrange(HEAD // BLOCK) * BLOCK)
    end = time.monotonic() + moment(flashes[0], verify) + 0.05
    for flash in flashes:
        flash.point = f"{flash.share:.3f} of its time"
        time.sleep(max(0, end - moment(flash, verify) - time.monotonic()))
        flash.start(bench)
    time.sleep(max(0, end - time.monotonic()))
    bench.crash()


def killed_daemon(bench, flash, left):
    status, words = flash.said()
    flash.where = left
    if status == 0 and not flash.kind.deaf:
        same("the medium", left, "whole")
    elif status:
        contains("what the writer said", words, "not connected|connection abort|Input/output error")


def place_faults(flashes, verify):
    """Where each is pulled out: at a byte on its way to the disk or back, or in a sync."""
    for number, flash in enumerate(flashes):
        total = bytes_out[verify, flash.kind]
        at = min(int(flash.share * total), total)
        if number % 8 == 1:
            at = total - 1 - rng.randrange(BLOCK)  # the first block itself
        elif number % 8 == 5:
            at = total - 1 - rng.randrange(HEAD)
        flash.fault = f"unplug@write={at}"
        if flash.kind.before:
            flash.fault = f"unplug@write={bytes_out[verify, KINDS[0]] + at}"
        elif number % 12 == 4:
            flash.fault = "unplug@sync"
        elif number % 12 == 10:
            flash.fault = f"unplug@read={rng.randrange(SIZE) if verify == 'readback' else 0}"
        flash.point = flash.fault


def unplug(bench, verify):
    for flash in bench.flashes:
        flash.start(bench)


def unplugged(bench, flash, left):
    status, words = flash.said()
    flash.where = left
    if flash.status["state"] == "done":
        same("exit status", status, 0)
        same("the medium", left, "whole")
    else:
        if not flash.kind.deaf or status:
            contains("what the writer said", words, "No such device")
            same("exit status", status, 1)
        bench.told(flash, "failed", "ENODEV", "link")
        same("gone", flash.status["gone"], True)


# what happens, what is looked at afterwards, and where some must have hit
DISASTERS = {
    "the writer is killed": (kill_writers, killed_writer, {"before it", "while writing", "in close"}),
    "cm4fs is killed": (kill_daemon, killed_daemon, {"untouched", "some of it", "all but the start"}),
    "the module is unplugged": (unplug, unplugged, {"untouched", "start gone", "all but the start"}),
}


def one_round(name, number, flashes, verify):
    happens, look_at, _ = DISASTERS[name]
    title = f"{name}, round {number}, --verify={verify}"
    if happens is unplug:
        place_faults(flashes, verify)
    with Bench(flashes, verify) as bench:

        @case(f"{title}: it comes to rest")
        def _():
            bench.prepare()
            happens(bench, verify)
            bench.wait_for_writers()
            if happens is not kill_daemon:
                bench.wait_for_rest()
                for flash in flashes:
                    flash.fail_text = ""
                    with contextlib.suppress(FileNotFoundError):
                        flash.fail_text = bench.text("FAIL.TXT", serial=flash.serial)
                bench.crash()

        for point, flash in enumerate(flashes):

            @case(f"{title}, module {point}: {flash.kind.name}: all of it, or no start")
            def _():
                try:
                    left = look(bench.now(flash))
                    look_at(bench, flash, left)
                except BaseException:
                    comment(f"CM4FS_TEST_SEED={SEED}; the point: {flash.point}")
                    raise
                counts[name][flash.where] += 1

        if happens is kill_daemon and number == 0:

            @case(f"{title}: another cm4fs on the same media flashes each of them")
            def _():
                bench.again()
                copies = [subprocess.Popen(["cp", bench.image, bench.module(serial=flash.serial)])
                          for flash in flashes]
                for copy in copies:
                    same("exit status", copy.wait(60 * SLOW), 0)
                bench.crash()
                for flash in flashes:
                    same("the medium", look(bench.now(flash)), "whole")


comment(f"CM4FS_TEST_SEED={SEED}")
MODES = ["medium", "off"] if SHORT else ["medium", "off", "readback"]
for mode in MODES:
    calm(mode)
watched()

counts = {name: collections.Counter() for name in DISASTERS}
for offset, name in enumerate(DISASTERS):
    todo = [Flash(KINDS[number % len(KINDS)], share) for number, share in enumerate(shares(POINTS))]
    for number in range(0, POINTS, SIDE_BY_SIDE):
        round_ = number // SIDE_BY_SIDE
        mode = "medium" if round_ % 2 == 0 else MODES[1 + (offset + round_ // 2) % (len(MODES) - 1)]
        one_round(name, round_, todo[number:number + SIDE_BY_SIDE], mode)
    comment(f"{name}: " + ", ".join(f"{n} {where}" for where, n in sorted(counts[name].items())))

    if not SHORT:

        @case(f"{name}: the points lay all over a flash")
        def _():
            missing = DISASTERS[name][2] - set(counts[name])
            assert not missing, f"none {' or '.join(missing)}: {dict(counts[name])}"

finish()
