"""The rig under every mount test: cm4fs with simulated modules on a mount of its own, and TAP.

A test looks at a medium from outside, by the file behind the simulated eMMC, never through the program
that is tested alone. Nothing here sleeps to let something happen: it waits for what should happen, and
every wait has an end.

Environment: CM4FS the program; CM4FS_WRAPPER what to run it under (valgrind); CM4FS_SHORT=1 leaves out
what only repeats itself. For CM4FS_SLOW see tap.py.
"""

import contextlib
import errno
import json
import os
import random
import re
import select
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))

import tap
from tap import SLOW, Skip, case, comment, finish  # for those who import this

CM4FS = os.path.abspath(os.environ.get("CM4FS", "build/fs/cm4fs"))
WRAPPER = shlex.split(os.environ.get("CM4FS_WRAPPER", ""))
SHORT = os.environ.get("CM4FS_SHORT") == "1"

FIRST = "af04b2da"  # the serial of the first simulated module, on every run
MIB = 1024 * 1024

# A medium and a link that cost no time, for tests that are not about time.
FAST = "emmc=128M:link=0:medium=0"


# Waiting ----------------------------------------------------------------------------------------------


def until(what, condition, seconds=20):
    """Waits for condition() to be true, and returns what it returned."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds * SLOW:g} s: {what}")
        time.sleep(0.01)


def is_mounted(path):
    with open("/proc/self/mountinfo") as table:
        return any(line.split()[4] == path for line in table)


def wait_until_live(path, process, seconds):
    """The kernel says when its mount table changes, and a pidfd when the process ends before that."""
    deadline = time.monotonic() + seconds
    with open("/proc/self/mountinfo") as table:
        end = os.pidfd_open(process.pid)
        try:
            poll = select.poll()
            poll.register(table, select.POLLPRI | select.POLLERR)
            poll.register(end, select.POLLIN)
            while not is_mounted(path):
                left = deadline - time.monotonic()
                if left <= 0 or process.poll() is not None:
                    return False
                poll.poll(left * 1000)
                table.seek(0)
                table.read()
            return True
        finally:
            os.close(end)


# The rig ----------------------------------------------------------------------------------------------


class Rig:
    """with Rig("count=2", "--port=1-1") as rig: ..."""

    def __init__(self, spec=FAST, *options, media={}, module=True, proved=False):
        """@media: what lies in the media's directory beforehand, names and where each links to. @module: one is
        waited for. @proved: it is about proof. Under valgrind a hash takes as long as ten links: there no other is."""
        self.base = tempfile.mkdtemp(prefix="cm4fs-test-")
        self.mnt = os.path.join(self.base, "mnt")
        self.media = os.path.join(self.base, "media")
        self.log = os.path.join(self.base, "stderr")
        self.spec = spec
        self.awaits_module = module
        os.mkdir(self.mnt)
        os.mkdir(self.media)
        for name, target in media.items():
            os.symlink(target, os.path.join(self.media, name))
        if WRAPPER and not proved and not any(option.startswith("--verify") for option in options):
            options = ["--verify=off", *options]
        self.command = [*WRAPPER, CM4FS, "-f", f"--simulate={spec}:dir={self.media}", *options, self.mnt]

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        tap.witnesses.append(self)
        if not wait_until_live(self.mnt, self.process, 20 * SLOW):
            self._kill()
            raise AssertionError(f"no mount came of {shlex.join(self.command)}\n{self.tail()}")
        if self.awaits_module:
            until("a module appears", lambda: os.path.isdir(self.module()))
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            case(f"cm4fs with {self.spec} unmounts, and ends with 0")(self.unmount)
        self._kill()
        shutil.rmtree(self.base, ignore_errors=True)

    def unmount(self):
        run("fusermount3", "-u", self.mnt)
        status = self.process.wait(30 * SLOW)
        assert status == 0, f"exit status {status}"

        leaked = [line for line in self.stderr().split("Open file descriptor ")[1:]
                  if "<inherited from parent>" not in line.split("\n\n")[0]]
        assert not leaked, "valgrind saw left open: " + "".join(leaked)

    def _kill(self):
        if self in tap.witnesses:
            tap.witnesses.remove(self)
        self.process.kill()
        self.process.wait()
        subprocess.run(["umount", "-l", self.mnt], stderr=subprocess.DEVNULL)

    def stderr(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    # What tap.py asks of a witness.

    def tail(self):
        return "\n".join(self.stderr().splitlines()[-60:])

    def kill(self):
        self.process.kill()

    # Inside the mount.

    def path(self, *parts):
        return os.path.join(self.mnt, *parts)

    def module(self, *parts, serial=FIRST):
        return os.path.join(self.mnt, serial, *parts)

    def text(self, *parts, serial=FIRST):
        with open(self.module(*parts, serial=serial)) as file:
            return file.read()

    def status(self, serial=FIRST):
        return json.loads(self.text("status.json", serial=serial))

    def root_status(self):
        with open(self.path("status.json")) as file:
            return json.load(file)

    def serials(self):
        return [module["serial"] for module in self.root_status()["modules"]]

    def state(self, serial=FIRST):
        return self.status(serial)["state"]

    def wait_for(self, *states, serial=FIRST, seconds=30):
        until(f"{serial} is {' or '.join(states)}", lambda: self.state(serial) in states, seconds)

    def control(self, verb, serial=FIRST):
        fd = os.open(self.module("control", serial=serial), os.O_WRONLY)
        try:
            os.write(fd, verb.encode() + b"\n")
        finally:
            os.close(fd)

    # Outside of it.

    def medium(self, serial=FIRST, disk="mmcblk0"):
        return os.path.join(self.media, f"{serial}-{disk}.img")

    def holds(self, image, serial=FIRST):
        """Asserts that the medium is the image, for the image's length."""
        run("cmp", "-n", str(os.path.getsize(image)), image, self.medium(serial))

    def descriptors(self):
        return sorted(os.readlink(f"/proc/{self.process.pid}/fd/{fd}")
                      for fd in os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))


# Programs ---------------------------------------------------------------------------------------------


def run(*command, seconds=60, status=0, **keywords):
    """Runs a program to its end, and asserts its exit status (None: any)."""
    if "/" not in command[0] and not shutil.which(command[0]):
        raise Skip(f"{command[0]} is not installed")
    # Into a file: what goes on in the background would keep a pipe open.
    with tempfile.TemporaryFile() as output:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                timeout=seconds * SLOW, **keywords)
        output.seek(0)
        result.text = output.read().decode(errors="replace")
    if status is not None and result.returncode != status:
        raise AssertionError(f"{shlex.join(command)}: exit {result.returncode}: {result.text}")
    return result


def shell(script, **keywords):
    return run("sh", "-c", script, **keywords)


def raises(number, function, *arguments):
    """Asserts that a call fails with this errno, and returns the error."""
    try:
        function(*arguments)
    except OSError as error:
        if error.errno != number:
            raise AssertionError(f"{errno.errorcode.get(error.errno, error.errno)} "
                                 f"instead of {errno.errorcode[number]}") from error
        return error
    raise AssertionError(f"no error, instead of {errno.errorcode[number]}")


@contextlib.contextmanager
def opened(path, flags=os.O_CREAT | os.O_TRUNC | os.O_WRONLY):
    """A descriptor whose close may fail: for tests that look at what comes before it."""
    fd = os.open(path, flags, 0o644)
    try:
        yield fd
    finally:
        with contextlib.suppress(OSError):
            os.close(fd)


def same(what, value, wanted):
    assert value == wanted, f"{what} is {value!r}, not {wanted!r}"


def contains(what, text, pattern):
    assert re.search(pattern, text, re.M), f"{what} has no {pattern!r}:\n{text}"


# Images -----------------------------------------------------------------------------------------------


def partition_table(size):
    """The first sector of the least that is a disk image of so many bytes: one partition, to its end."""
    entry = struct.pack("<B3sB3sII", 0, b"", 0x83, b"", 1, size // 512 - 1)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def disk_image(size, seed=0):
    return partition_table(size) + random.Random(seed).randbytes(size - 512)


def make_image(path, mib, tail=0):
    """A disk image with two filesystems, holes in it, and @tail more bytes at its end."""
    run(os.path.join(HERE, "..", "image.sh"), path, str(mib))
    with open(path, "ab") as file:
        file.write(os.urandom(tail))
    return path
