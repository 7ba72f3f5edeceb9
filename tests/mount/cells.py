"""A cell of the client table: one program copies one image to one module in one kind of trouble, and what comes of it.

The columns are the kinds of trouble. Each has a mount of its own, with many modules, and cells wait for one of
them that is free.
"""

import collections
import contextlib
import dataclasses
import functools
import http.server
import os
import queue
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

from clients import NAME, PART, TEMPORARY, Outcome
from rig import HERE, MIB, SHORT, Rig, partition_table, run, same, until
from tap import SLOW

# The image that a module holds before. Smaller than the place where a column's fault strikes.
BEFORE = 3 * MIB
TAIL = 700 * 1024 + 512  # so that the last MiB of it waits for the close(), and no length is a round one


@dataclasses.dataclass
class Column:
    name: str
    title: str
    spec: str
    modules: int
    mib: int  # of the image, plus TAIL


# Under valgrind a hash takes its time.
LEAST = 4 if SHORT else 12

# What is in flight is 17 MiB at the most (core/image/chunk.h): with more than that behind the place of a fault,
# some write() meets it; in the last MiB, no write() does. A client is to be killed while it writes: where it would be
# through at once if the link were not slow.
COLUMNS = {column.name: column for column in [
    Column("good", "nothing happens", "emmc=32M:link=0:medium=0:boot=0", 3, LEAST),
    Column("large", "the image is larger than the disk", "emmc=4M:link=0:medium=0:boot=0", 3, LEAST),
    Column("write", "the medium rejects a write", "emmc=32M:link=0:medium=0:boot=0:fault=write-error@4M", 3, 24),
    Column("proof", "the medium keeps something else",
           f"emmc=32M:link=0:medium=400M:boot=0:fault=corrupt@{LEAST}M", 3, LEAST),
    Column("kill", "it is killed", "emmc=32M:link=3M:medium=0:boot=0", 24, 24),
]}

# Onto which name, which of the images. One after the other on one module: no byte is the same in two of
# them at the same place, so that none that is left of the one before looks like the next one's.
Cell = collections.namedtuple("Cell", "place image")
CELLS = [Cell("new", "dense-a"), Cell("existing", "sparse-a"), Cell("existing", "dense-b"), Cell("new", "sparse-b")]


# Images -----------------------------------------------------------------------------------------------


def block(seed, number):
    """4 KiB that no other place has, and that compress well."""
    return struct.pack("<QQ", seed, number + 1) * 256


def content(size, seed, sparse):
    """Runs of (offset, bytes) of a disk image. Every MiB of a sparse one begins with data; it ends with a hole."""
    for offset in range(0, size, MIB // 2):
        if sparse and offset % MIB:
            continue
        length = min(MIB // 2, size - offset)
        if sparse:
            length = min(length, 480 * 1024 + 4096 * (offset // MIB % 5))
        first = offset // 4096
        data = b"".join(block(seed, first + i) for i in range((length + 4095) // 4096))[:length]
        yield offset, partition_table(size) + data[512:] if offset == 0 else data


def write_image(path, size, seed, sparse=False):
    with open(path, "wb") as file:
        for offset, data in content(size, seed, sparse):
            file.seek(offset)
            file.write(data)
        file.truncate(size)


WRAPPINGS = {".gz": 'gzip -1c image.img >image.img.gz',
             ".xz": 'xz -0c image.img >image.img.xz',
             ".zst": 'zstd -q1 image.img -o image.img.zst',
             ".tar": 'tar -cSf image.img.tar image.img',
             ".zip": 'zip -q1 image.img.zip image.img',
             ".bmap": 'bmaptool -q create -o image.img.bmap image.img'}


class Images:
    """The images of every size there is, on a web server, wrapped in every way that the clients ask for."""

    def __init__(self, base, words):
        self.base = base
        for mib in {column.mib for column in COLUMNS.values()}:
            for seed, cell in enumerate(CELLS, 1):
                directory = os.path.dirname(self.path(mib, cell.image))
                os.makedirs(directory)
                write_image(os.path.join(directory, "image.img"), mib * MIB + TAIL, seed, "sparse" in cell.image)
                for suffix, command in WRAPPINGS.items():
                    if any(suffix in word for word in words) and shutil.which(command.split()[0]):
                        run("sh", "-c", command, cwd=directory)
        handler = functools.partial(Quiet, directory=base)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def path(self, mib, image):
        return os.path.join(self.base, str(mib), image, "image.img")

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}/{os.path.relpath(path, self.base)}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def copyfile(self, source, outputfile):
        with contextlib.suppress(ConnectionError):  # clients that fail hang up
            super().copyfile(source, outputfile)


# A cell -----------------------------------------------------------------------------------------------


OURS = {"DETAILS.TXT", "FAIL.TXT", "status.json", "log", "control", "boot", "mmcblk0.img"}


class Bench:
    """One column's mount, and its free modules."""

    def __init__(self, column, images):
        self.column = column
        self.images = images
        self.modules = min(column.modules, 4) if SHORT else column.modules
        self.rig = Rig(f"count={self.modules}:{column.spec}", proved=column.name == "proof")
        self.rig.spec = f"modules of which {column.title}"

    def __enter__(self):
        self.rig.__enter__()
        self.work = os.path.join(self.rig.base, "work")
        self.base = os.path.join(self.rig.base, "before.img")
        write_image(self.base, BEFORE, 99)
        self.free = queue.Queue()
        for serial in until("all modules are there", self._serials):
            self.free.put(serial)
        return self

    def __exit__(self, *error):
        self.rig.__exit__(*error)

    def _serials(self):
        serials = self.rig.serials()
        return serials if len(serials) == self.modules else None

    def outcomes(self, client, cells):
        """What becomes of a client's cells, one after the other on one module."""
        serial = self.free.get()
        try:
            return {cell: self._outcome(serial, client, cell) for cell in cells}
        finally:
            self.free.put(serial)

    def _outcome(self, serial, client, cell):
        rig = self.rig
        source = self.images.path(self.column.mib, cell.image)
        target = rig.module(NAME, serial=serial)
        size = os.path.getsize(source)

        rig.control("clear", serial)
        self._sweep(serial)
        shutil.copyfile(self.base, target if cell.place == "existing" else rig.module("before.img", serial=serial))
        before = read(rig.medium(serial), size)

        status = self._run(serial, client, source, target)
        until(f"{client.name} has come to an end", lambda: rig.state(serial) not in ("flashing", "verifying"))
        told = rig.status(serial)
        after = read(rig.medium(serial), size)
        medium = ("whole" if after == read(source, size) else "untouched" if after == before else
                  "no start" if not any(after[:512]) else "half an image")
        left = self._left(serial)
        if medium == "whole" and NAME in left:
            self._is_readable(source, target)
            same("the image's name", told["image"]["name"], NAME)
        if medium != "untouched":
            same("whole, says status.json", told["image"]["whole"], medium == "whole")
        return Outcome(status, medium, told["state"], self._type(serial, told), left)

    def _type(self, serial, told):
        """As FAIL.TXT and status.json say it."""
        try:
            text = self.rig.text("FAIL.TXT", serial=serial)
        except FileNotFoundError:
            text = ""
        types = [line[6:] for line in text.splitlines() if line.startswith("type: ")]
        same("status.json's type, beside FAIL.TXT's", [told["error"]["type"]] if told["error"] else [], types)
        return types[0] if types else None

    def _is_readable(self, source, target):
        size = os.path.getsize(source)
        same("the file's size", os.path.getsize(target), size)
        assert read(target, size) == read(source, size), "the file cannot be read back"

    def _dropped(self, serial):
        return set(os.listdir(self.rig.module(serial=serial))) - OURS

    def _sweep(self, serial):
        """What failed stays listed until it is removed."""
        for name in self._dropped(serial):
            path = self.rig.module(name, serial=serial)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)

    def _left(self, serial):
        """Files that were dropped, known names first."""
        names = self._dropped(serial) - {"before.img"}
        known = {NAME, PART, NAME + "~"}
        return tuple(sorted(names & known)) + (TEMPORARY,) * bool(names - known)

    def _run(self, serial, client, source, target):
        """0, "error" or "killed"."""
        work = os.path.join(self.rig.base, f"work-{serial}")
        shutil.rmtree(work, ignore_errors=True)
        os.mkdir(work)
        words = {"src": source, "dst": target, "url": self.images.url(source), "python": sys.executable,
                 "imitate": os.path.join(HERE, "imitate.py")}
        with open(os.path.join(work, "output"), "wb") as output:
            process = subprocess.Popen(["sh", "-c", client.words], cwd=work, env={**os.environ, **words},
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True)
        try:
            if self.column.name == "kill":
                self._kill_midway(serial, process)
            status = process.wait(60 * SLOW)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return {0: 0, -signal.SIGKILL: "killed"}.get(status, "error")

    def _kill_midway(self, serial, process):
        def is_midway():
            image = self.rig.status(serial)["image"]
            return process.poll() is not None or image["bytes_in"] > BEFORE + MIB and image["bytes_written"]

        until("it is midway", is_midway)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def read(path, size):
    with open(path, "rb") as file:
        return file.read(size)
