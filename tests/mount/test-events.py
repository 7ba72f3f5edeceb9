#!/usr/bin/env python3
"""The file `events`: what is told, to how many, and that nobody waits for it who does not mean to."""

import errno
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time

from rig import (FAST, FIRST, MIB, SLOW, Rig, case, disk_image, finish, make_image, opened, raises, run, same,
                 until)

SECOND = "4d3c2c8b"


class Reader:
    """Reads events as they come: by poll and without blocking, so that no test waits without an end."""

    def __init__(self, rig, flags=os.O_NONBLOCK):
        self.fd = os.open(rig.path("events"), os.O_RDONLY | flags)
        self.rest = b""
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def take(self, seconds):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        if not poll.poll(max(seconds, 0) * 1000):
            return False
        data = os.read(self.fd, MIB)
        if not data:
            return False
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        self.seen += [json.loads(line) for line in lines]
        return True

    def until(self, what, condition, seconds=20):
        """Every event up to the first that condition() is true of."""
        deadline = time.monotonic() + seconds * SLOW
        checked = 0
        while True:
            for index in range(checked, len(self.seen)):
                if condition(self.seen[index]):
                    taken, self.seen = self.seen[:index + 1], self.seen[index + 1:]
                    return taken
            checked = len(self.seen)
            left = deadline - time.monotonic()
            if left < 0 or not self.take(left):
                raise AssertionError(f"no event within {seconds * SLOW:g} s: {what}; seen: {self.seen}")

    def until_state(self, state, serial=FIRST):
        return self.until(state, lambda event: event["event"] == "state" and event["serial"] == serial
                          and event["state"] == state)


def of(events, word, serial=None):
    return [event for event in events if event["event"] == word and serial in (None, event.get("serial"))]


def blocked(path, count=1):
    """Programs that read events, each of which has seen all that there is."""
    programs = [subprocess.Popen(["cat", path], stdout=subprocess.PIPE) for _ in range(count)]
    for program in programs:
        same("the first event", json.loads(program.stdout.readline())["event"], "hello")
    return programs


def is_asleep(program):
    with open(f"/proc/{program.pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] in "SD"


kernel_log = tempfile.NamedTemporaryFile("w", prefix="cm4fs-events-", suffix=".log")

with Rig(f"count=2:emmc=128M:boot=100:link=16M:medium=0:kernel-log={kernel_log.name}", proved=True) as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 48)
    events = rig.path("events")

    @case("it begins with a hello, and the state of every module")
    def _():
        with Reader(rig) as reader:
            reader.take(10)
            seen = reader.seen[:3]
        same("words", [event["event"] for event in seen], ["hello", "state", "state"])
        same("version", seen[0]["version"], 1)
        same("serials", [event["serial"] for event in seen[1:]], [FIRST, SECOND])
        same("the state", seen[1]["state"], "rom")
        same("port", seen[1]["port"], rig.status()["port"])
        for event in seen:
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"]), event

    @case("a boot and a flash are told state by state, with the files that were served, and once a second how far")
    def _():
        with Reader(rig) as reader:
            run("cp", image, rig.module())
            told = reader.until_state("done")
            until("the last progress comes", lambda: of(told + reader.seen, "progress")[-1]["state"] == "done"
                  or reader.take(2))
            told += reader.seen
        states = [event["state"] for event in of(told, "state", FIRST)]
        same("states", states, ["rom", "booting", "ready", "flashing", "verifying", "done"])
        done = of(told, "state", FIRST)[-1]
        same("the image", (done["image"]["name"], done["image"]["whole"]), ("os.img", True))
        same("the error", done["error"], None)
        progress = of(told, "progress")
        same("the last one", (progress[-1]["bytes_written"], progress[-1]["bytes_proved"]), (48 * MIB, 48 * MIB))
        assert len(progress) >= 2, progress
        times = [time.strptime(event["time"][:19], "%Y-%m-%dT%H:%M:%S") and
                 int(event["time"][17:19]) * 1000 + int(event["time"][20:23]) for event in progress]
        for before, after in zip(times, times[1:]):
            assert (after - before) % 60000 >= 1000, times
        logged = [line.split(": ")[-1] if "File read" in line else line.split(" ")[-1]
                  for line in rig.text("log").splitlines() if re.search(r"(File read: |Sending )", line)]
        same("files", [event["file"] for event in of(told, "file", FIRST)], logged)

    @case("ten readers at once each get every line")
    def _():
        readers = [Reader(rig) for _ in range(10)]
        rig.control("boot", serial=SECOND)
        told = [[{**event, "time": ""} for event in reader.until_state("ready", SECOND)
                 if event["event"] not in ("hello", "finding")] for reader in readers]
        for each in told:
            same("what it was told", each, told[0])
        for reader in readers:
            os.close(reader.fd)

    @case("without anything new a read blocks, O_NONBLOCK gives EAGAIN, and poll and epoll wait")
    def _():
        with Reader(rig) as reader:
            while reader.take(1.2):  # a finding may still be looked for
                pass
            raises(errno.EAGAIN, os.read, reader.fd, 4096)
            epoll = select.epoll()
            epoll.register(reader.fd, select.EPOLLIN | select.EPOLLET)
            same("epoll", epoll.poll(0), [])
            rig.control("clear", serial=FIRST)
            same("epoll", epoll.poll(10 * SLOW), [(reader.fd, select.EPOLLIN)])
            reader.until_state("ready")
            rig.control("eject", serial=FIRST)
            epoll.close()
            same("select", select.select([reader.fd], [], [], 0)[0], [])

    @case("a line is split only where the buffer is too short for it")
    def _():
        fd = os.open(events, os.O_RDONLY | os.O_NONBLOCK)
        whole = os.read(fd, MIB)
        os.close(fd)
        fd = os.open(events, os.O_RDONLY | os.O_NONBLOCK)
        parts = []
        try:
            while True:
                parts.append(os.read(fd, 40))
        except BlockingIOError:
            pass
        os.close(fd)
        assert all(len(part) <= 40 for part in parts)
        without_times = re.compile(rb'"time":"[^"]*"')
        same("in parts", without_times.sub(b"", b"".join(parts)).splitlines()[:3],
             without_times.sub(b"", whole).splitlines()[:3])
        assert all(part.endswith(b"\n") or len(part) == 40 for part in parts), parts

    @case("it can be neither written nor truncated nor sought in, and has no size")
    def _():
        raises(errno.EPERM, os.open, events, os.O_WRONLY)
        raises(errno.EPERM, os.truncate, events, 0)
        same("size", os.stat(events).st_size, 0)
        with opened(events, os.O_RDONLY) as fd:
            raises(errno.ESPIPE, os.lseek, fd, 0, os.SEEK_SET)

    @case("who copies or searches the whole tree is not kept by it")
    def _():
        copy = os.path.join(rig.base, "copy")
        os.mkdir(copy)
        run("cp", "-r", rig.path("events"), rig.path("README.TXT"), copy, seconds=20)
        with open(os.path.join(copy, "events")) as file:
            same("the first event", json.loads(file.readline())["event"], "hello")
        run("grep", "-r", "--exclude=*.img", "hello", rig.mnt, seconds=20)
        run("file", events, seconds=20)

    @case("a reader that is killed or interrupted is gone at once, and others are not")
    def _():
        killed, interrupted, other = blocked(events, 3)
        for program in killed, interrupted, other:
            until("it waits", lambda: is_asleep(program))
        began = time.monotonic()
        killed.kill()
        same("killed", killed.wait(10), -signal.SIGKILL)
        interrupted.send_signal(signal.SIGINT)
        same("interrupted", interrupted.wait(10), -signal.SIGINT)
        took = time.monotonic() - began
        assert took < 1 * SLOW, f"{took:.2f} s"
        same("the other", other.poll(), None)
        other.kill()
        other.wait()

    @case("a finding is told when the kernel speaks of it, and when it is over")
    def _():
        with Reader(rig) as reader:
            kernel_log.write("usb 1-7: device descriptor read/64, error -71\n" * 3 +
                             "usb usb1-port7: unable to enumerate USB device\n")
            kernel_log.flush()
            finding = reader.until("a finding", lambda event: event["event"] == "finding")[-1]
            same("it", (finding["id"], finding["port"], finding["over"]), ("port-garbled", "1-7", False))
            assert len(finding["advice"]) > 1 and finding["text"], finding
            with Reader(rig) as late:
                late.until("the same", lambda event: event["event"] == "finding" and event["port"] == "1-7")
            kernel_log.write("usb 1-7: new high-speed USB device number 9 using xhci_hcd\n"
                             "usb 1-7: New USB device found, idVendor=0a5c, idProduct=2711, bcdDevice= 0.00\n")
            kernel_log.flush()
            over = reader.until("its end", lambda event: event["event"] == "finding")[-1]
            same("its end", (over["id"], over["port"], over["over"]), ("port-garbled", "1-7", True))

    @case("a reader that does not read for long is told how many lines it missed, and goes on")
    def _():
        rig.control("boot")
        with Reader(rig) as slow:
            for _ in range(400):
                fd = os.open(rig.module("no.img"), os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
                os.write(fd, b"x" * MIB)
                raises(errno.EINVAL, os.close, fd)
                rig.control("clear")
            lost = slow.until("lost", lambda event: event["event"] == "lost")[-1]
            assert lost["lines"] > 0, lost
            same("the last", slow.until("the rest", lambda event: event["event"] == "state")[-1]["serial"], FIRST)

with Rig(f"fault=unplug@write=8M:fault=replug@300:boot=100:{FAST}") as rig:

    @case("a module that leaves is told to be gone, and one that comes in its place to be there")
    def _():
        with Reader(rig) as reader:
            image = os.path.join(rig.base, "os.img")
            with open(image, "wb") as file:
                file.write(disk_image(32 * MIB))
            run("cp", image, rig.module(), status=1)
            gone = reader.until("detach", lambda event: event["event"] == "detach")
            failed = of(gone, "state", FIRST)[-1]
            same("the state", (failed["state"], failed["error"]["errno"]), ("failed", "ENODEV"))
            same("its directory", gone[-1]["kept"], True)
            back = reader.until("attach", lambda event: event["event"] == "attach")
            same("the old directory", of(back, "detach")[-1]["kept"], False)
            same("who is back", (back[-1]["serial"], back[-1]["port"]), (FIRST, failed["port"]))
            reader.until_state("rom")

    @case("when cm4fs ends, whoever waits has the file's end")
    def _():
        readers = blocked(rig.path("events"), 4)
        for reader in readers:
            until("it waits", lambda reader=reader: is_asleep(reader))
        rig.process.send_signal(signal.SIGTERM)
        same("exit status", rig.process.wait(20 * SLOW), 0)
        for reader in readers:
            same("a reader", reader.wait(20), 0)
        rig.unmount = lambda: None

with Rig(FAST) as rig:

    @case("a lazy unmount lets a reader be, and cm4fs ends when he does")
    def _():
        reader, = blocked(rig.path("events"))
        run("fusermount3", "-u", "-z", rig.mnt)
        same("the reader", reader.poll(), None)
        reader.kill()
        reader.wait()
        same("exit status", rig.process.wait(20 * SLOW), 0)
        rig.unmount = lambda: None

finish()
