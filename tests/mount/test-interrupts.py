#!/usr/bin/env python3
"""Signals: a writer that is killed is gone at once, one that survives loses nothing."""

import os
import signal
import subprocess
import time

from rig import MIB, SLOW, Rig, case, contains, disk_image, finish, make_image, run, same, shell, until

# A link on which a few MiB fill what is buffered, and the writer waits; and one that is slow to close.
SLOW_LINK = "emmc=128M:link=2M:medium=0"
CALM_LINK = "emmc=128M:link=8M:medium=0"


def start(*command, **keywords):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, **keywords)


def gone_within(process, seconds):
    """Waits for a killed process, and returns how long it took."""
    begun = time.monotonic()
    process.wait(20 * SLOW)
    took = time.monotonic() - begun
    assert took < seconds * SLOW, f"gone after {took:.1f} s"


def is_blocked(process):
    """Sleeping within a request to cm4fs: twice the same count of bytes written, and not running."""
    with open(f"/proc/{process.pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] in "SD"


def wait_until_blocked(rig, process):
    """The writer goes no further: what it has given to cm4fs stays the same while it sleeps."""

    def stands():
        with open(f"/proc/{process.pid}/io") as file:
            before = file.read()
        time.sleep(0.3)
        with open(f"/proc/{process.pid}/io") as file:
            return file.read() == before and is_blocked(process)

    until("the writer is blocked", stands)


def taken(rig):
    """Bytes of the image under way."""
    status = rig.status()
    return status["image"]["bytes_in"] if status["state"] == "flashing" else 0


with Rig(SLOW_LINK) as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 64)

    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):

        @case(f"a writer blocked in write is gone after {number.name}, and the image is incomplete")
        def _():
            writer = start("cp", image, rig.module(f"{number.name}.img"))
            rig.wait_for("flashing")
            wait_until_blocked(rig, writer)
            writer.send_signal(number)
            gone_within(writer, 3)
            rig.wait_for("incomplete", seconds=60)
            contains("FAIL.TXT", rig.text("FAIL.TXT"), "^error: ")
            same("whole", rig.status()["image"]["whole"], False)

    @case("the module answers to others meanwhile, and takes another image afterwards")
    def _():
        with open(rig.module("next.img"), "wb") as file:
            file.write(disk_image(8192))
        same("state", rig.state(), "done")


with Rig("emmc=128M:link=0:medium=0:boot=5000") as rig:

    @case("a boot that was asked for by control is cancelled by control, which does not wait behind it")
    def _():
        asker = start("sh", "-c", f"echo boot >{rig.module('control')}", stderr=subprocess.DEVNULL)
        rig.wait_for("booting")
        rig.control("cancel")
        assert asker.wait(20 * SLOW) != 0, "cancel came when the boot was over"
        same("errno", rig.status()["error"]["errno"], "ECANCELED")


with Rig("emmc=128M:link=0:medium=0:boot=3000") as rig:

    @case("a writer killed while the module boots is gone at once")
    def _():
        writer = start("dd", "if=/dev/zero", f"of={rig.module('x.img')}", "bs=4M", "count=4",
                       "status=none")
        rig.wait_for("booting")
        writer.kill()
        gone_within(writer, 3)


with Rig(CALM_LINK) as rig:
    image = make_image(os.path.join(rig.base, "os.img"), 40)

    @case("SIGUSR1 makes dd tell its progress, and costs nothing")
    def _():
        writer = start("dd", f"if={image}", f"of={rig.module('usr1.img')}", "bs=1M",
                       stderr=subprocess.PIPE)
        rig.wait_for("flashing")
        for _ in range(10):
            writer.send_signal(signal.SIGUSR1)
            time.sleep(0.1)
        said = writer.communicate(timeout=60 * SLOW)[1].decode()
        same("exit status", writer.returncode, 0)
        assert said.count("records in") > 1, said
        rig.holds(image)
        same("state", rig.state(), "done")

    @case("Ctrl-Z and fg cost nothing")
    def _():
        writer = start("cp", image, rig.module("stop.img"))
        rig.wait_for("flashing")
        for _ in range(5):
            writer.send_signal(signal.SIGTSTP)
            time.sleep(0.1)
            writer.send_signal(signal.SIGCONT)
            time.sleep(0.1)
        same("exit status", writer.wait(60 * SLOW), 0)
        rig.holds(image)
        same("state", rig.state(), "done")

    @case("a copy that was killed is resumed by appending, and becomes done")
    def _():
        writer = start("cp", image, rig.module("resume.img"))
        until("some of it is there", lambda: taken(rig) > 4 * MIB)
        writer.kill()
        writer.wait()
        rig.wait_for("incomplete")
        size = os.stat(rig.module("resume.img")).st_size
        assert 0 < size < os.path.getsize(image), size
        shell(f'tail -c +{size + 1} "{image}" >>"{rig.module("resume.img")}"')
        rig.holds(image)
        same("state", rig.state(), "done")
        assert not os.path.exists(rig.module("FAIL.TXT"))

    @case("a copy that was killed is finished by writing all of it again in place")
    def _():
        writer = start("cp", image, rig.module("again.img"))
        until("some of it is there", lambda: taken(rig) > 4 * MIB)
        writer.kill()
        writer.wait()
        rig.wait_for("incomplete")
        run("dd", f"if={image}", f"of={rig.module('again.img')}", "bs=1M", "conv=notrunc", "status=none")
        rig.holds(image)
        same("state", rig.state(), "done")

    @case("a child that closes its inherited descriptor ends nothing")
    def _():
        with open(image, "rb") as source, open(rig.module("child.img"), "wb", buffering=0) as file:
            half = os.path.getsize(image) // 2
            file.write(source.read(half))
            subprocess.run(["true"], stdout=file, check=True)
            file.write(source.read())
        rig.holds(image)
        same("state", rig.state(), "done")

    @case("a killed process among several that write ends nothing for the others")
    def _():
        with open(image, "rb") as source, open(rig.module("pair.img"), "wb", buffering=0) as file:
            file.write(source.read(8 * MIB))
            child = start("sleep", "60", stdout=file)
            child.kill()
            child.wait()
            file.write(source.read())
        rig.holds(image)
        same("state", rig.state(), "done")

finish()
