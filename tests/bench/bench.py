#!/usr/bin/env python3
"""What cm4fs costs, each number beside its target, as ratios within one run where speed is concerned.

Run by `meson test --benchmark -C build`. Exit status 0 says that everything was measured, not that every
target was met: the words MET and MISSED say that.
"""

import concurrent.futures
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path += [TESTS, os.path.join(TESTS, "mount")]

import tap
from rig import FIRST, MIB, Rig, partition_table, run, same, wait_until_live

tap.quiet()

MINIMAL_FUSE = os.environ.get("MINIMAL_FUSE", "minimal-fuse")
SHM = "/dev/shm"
ROUNDS = 7


def report(what, value, target, unit="", at_least=True):
    met = value >= target if at_least else value <= target
    print(f"{'MET   ' if met else 'MISSED'} {what}: {value:.3g}{unit} "
          f"(target: at {'least' if at_least else 'most'} {target:g}{unit})", flush=True)


def note(text):
    print(f"       {text}", flush=True)


def timed(*command):
    begun = time.monotonic()
    run(*command, seconds=300)
    return time.monotonic() - begun


@contextlib.contextmanager
def noise(mib):
    """A disk image in memory without a hole in it, so that no program takes a short cut."""
    with tempfile.NamedTemporaryFile(dir=SHM) as file:
        for _ in range(mib // 16):
            file.write(os.urandom(16 * MIB))
        file.seek(0)
        file.write(partition_table(mib * MIB))
        file.flush()
        yield file.name


@contextlib.contextmanager
def loop_device(mib):
    """A block device in memory."""
    with tempfile.NamedTemporaryFile(dir=SHM) as file:
        file.write(bytes(mib * MIB))  # allocated here, not within what is timed
        file.flush()
        device = run("losetup", "--show", "-f", file.name).text.strip()
        try:
            yield device
        finally:
            run("losetup", "-d", device)


def link_rate():
    """A disk image at the pace of a real link: what of it is lost?"""
    rate, mib = 40_000_000, 400
    with noise(mib) as image, Rig(f"emmc=512M:link={rate}:medium=0", "--verify=off") as rig:
        rig.control("boot")
        took = timed("cp", image, rig.module("os.img"))
        note(f"{mib} MiB over a link of 40 MB/s in {took:.2f} s")
        report("cp / configured rate of the link", mib * MIB / took / rate, 0.98)


def proof():
    """A disk image at the pace of a real link and a real eMMC, proved in each way."""
    rate, mib = 40_000_000, 400
    size = mib * MIB
    with noise(mib) as image:
        for how, bytes_moved, extra in (("off", size, 0), ("medium", size, 2), ("readback", 2 * size, 0)):
            with Rig(f"emmc=512M:link={rate}:medium=150M", f"--verify={how}") as rig:
                rig.control("boot")
                before = memory_of(rig, "VmRSS")
                took, left, closing = watched_copy(rig, image)
                same("how it was proved", rig.status()["image"]["verify"], how)
                rig.holds(image)
                note(f"--verify={how}: {mib} MiB over a link of 40 MB/s in {took:.2f} s; close() took {closing:.2f} s")
                report(f"time / (1.05 x bytes / link + {extra} s), --verify={how}",
                       took / (1.05 * bytes_moved / rate + extra), 1, at_least=False)
                if how == "off":
                    continue
                report(f"not yet proved when close() came, --verify={how}", left / MIB, 32, " MiB", at_least=False)
                report(f"memory for one flash, --verify={how}", (memory_of(rig, "VmHWM") - before) / 1024, 32, " MiB",
                       at_least=False)


def watched_copy(rig, image):
    """Seconds for all of it, bytes that were not proved when close() came, and seconds for close()."""
    begun = time.monotonic()
    with open(image, "rb") as source:
        fd = os.open(rig.module("os.img"), os.O_CREAT | os.O_WRONLY)
        while piece := source.read(MIB):
            os.write(fd, piece)
    status = rig.status()["image"]
    closed = time.monotonic()
    os.close(fd)
    ended = time.monotonic()
    return ended - begun, status["bytes_in"] - status["bytes_proved"], ended - closed


def memory_of(rig, what):
    with open(f"/proc/{rig.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what))


@contextlib.contextmanager
def minimal(device):
    """The other server, on the same device."""
    with tempfile.TemporaryDirectory() as mount_point:
        process = subprocess.Popen([MINIMAL_FUSE, device, mount_point])
        try:
            if not wait_until_live(mount_point, process, 10):
                raise RuntimeError("minimal-fuse did not mount")
            yield os.path.join(mount_point, "disk.img")
        finally:
            run("fusermount3", "-u", mount_point)
            process.wait(10)


def memory_speed():
    """The same copy with nothing slow behind it: cm4fs beside the least that a FUSE server can do."""
    mib = 256
    times = {"cm4fs": [], "minimal": [], "dd": []}
    with noise(mib) as one, noise(mib) as two, loop_device(mib + 64) as device:
        images = itertools.cycle((one, two))

        def copy(name, *command):
            """Images take turns, so that one left from the copy before would be noticed."""
            image = next(images)
            times[name].append(timed(*(word.format(image=image) for word in command)))
            run("cmp", "-n", str(mib * MIB), image, device)

        with Rig(f"emmc={mib + 64}M:link=0:medium=0", "--verify=off",
                 media={f"{FIRST}-mmcblk0.img": device}) as rig:
            rig.control("boot")
            with minimal(device) as other:
                for _ in range(ROUNDS):
                    copy("cm4fs", "cp", "{image}", rig.module("os.img"))
                    copy("minimal", "cp", "{image}", other)
                    copy("dd", "dd", "if={image}", f"of={device}", "bs=4M", "oflag=direct", "conv=fsync",
                         "status=none")
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        note(f"{name}: {mib * MIB / value / 1e6:.0f} MB/s, median of {ROUNDS} "
             f"({mib * MIB / max(times[name]) / 1e6:.0f} to {mib * MIB / min(times[name]) / 1e6:.0f})")
    report("cp through cm4fs / cp through a minimal FUSE server", median["minimal"] / median["cm4fs"], 0.9)
    note(f"cp through cm4fs / dd oflag=direct: {median['dd'] / median['cm4fs']:.3g}")


def boot_time():
    """From the verb to the disk, less what the simulated module takes for itself."""
    own = 1.0
    added = []
    for _ in range(5):
        with Rig(f"emmc=64M:link=0:medium=0:boot={own * 1000:.0f}") as rig:
            begun = time.monotonic()
            rig.control("boot")
            added.append(time.monotonic() - begun - own)
    report("added to the module's own boot time", max(added), 0.2, " s", at_least=False)


def memory():
    """Two flashes at once, on links that keep every buffer full."""
    with noise(256) as image, Rig("count=2:emmc=300M:link=80M:medium=150M") as rig:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            copies = [pool.submit(run, "cp", image, rig.module("os.img", serial=serial))
                      for serial in rig.serials()]
            for copy in copies:
                copy.result()
        peak = memory_of(rig, "VmHWM")
    report("memory with 2 flashes at once", peak / 1024, 64, " MiB", at_least=False)


def kernel_log():
    """A kernel that has a lot to say, none of it of USB: what does it cost to listen?"""
    rate, seconds, step = 10_000, 5, 0.05
    lines = [f"audit: type=1400 audit(1700000000.{i}:7): apparmor=\"ALLOWED\" operation=\"open\" pid={i}\n"
             f"usb 1-9: unrelated words of a driver that talks too much, number {i}\n" for i in range(rate // 2)]

    def used(process):
        with open(f"/proc/{process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    with tempfile.NamedTemporaryFile("w", buffering=1 << 20) as log, Rig(f"emmc=64M:kernel-log={log.name}") as rig:
        before, begun = used(rig.process), time.monotonic()
        for number in range(round(seconds / step)):
            part = round(rate * step / 2)
            at = number * part % len(lines)
            log.write("".join(lines[at:at + part]))
            log.flush()
            time.sleep(max(0, begun + (number + 1) * step - time.monotonic()))
        log.write("usb usb1-port2: over-current condition\n")
        log.flush()
        while not rig.root_status()["findings"]:
            time.sleep(0.01)
        took = time.monotonic() - begun
        cost = (used(rig.process) - before) / took
    note(f"{rate} lines a second for {seconds} s, the last of them found {took - seconds:.2f} s after")
    report("a core, with 10000 lines a second in the kernel's log", cost * 100, 5, " %", at_least=False)


def latency():
    """What others wait for while 64 writers are blocked."""
    with Rig("count=2:emmc=256M:link=200K:medium=0", "--raw") as rig:
        other = rig.serials()[1]
        asks = {
            "ls of the root": lambda: os.listdir(rig.mnt),
            "ls of another module": lambda: os.listdir(rig.module(serial=other)),
            "stat of every name of it": lambda: [os.stat(entry) for entry in os.scandir(rig.module(serial=other))],
            "status.json": lambda: rig.text("status.json"),
            "the root's status.json": lambda: rig.root_status(),
            "another module's control": lambda: rig.control("clear", serial=other),
        }
        writers = [subprocess.Popen(["dd", "if=/dev/zero", f"of={rig.module('slow.img')}", "bs=1M", "count=64",
                                     "conv=notrunc", f"seek={number}", "status=none"],
                                    stderr=subprocess.DEVNULL) for number in range(64)]
        rig.wait_for("flashing")
        slowest = dict.fromkeys(asks, 0)
        for _ in range(200):
            for name, ask in asks.items():
                begun = time.monotonic()
                ask()
                slowest[name] = max(slowest[name], time.monotonic() - begun)
        for name, value in slowest.items():
            note(f"{name}: {value * 1000:.1f} ms at most, of 200")
        report("slowest answer with 64 writers blocked", max(slowest.values()) * 1000, 50, " ms", at_least=False)
        begun = time.monotonic()
        rig.control("cancel")
        for writer in writers:
            writer.wait(20)
        note(f"cancel ended all 64 in {(time.monotonic() - begun) * 1000:.0f} ms")


def patchwork(path, mib, mapped):
    """A disk image of which one part in every ten parts of a MiB each is data, the rest zeros that were never written;
    data is half noise, half text."""
    noise_of, text = os.urandom(MIB // 2), (b"and so the text goes on and on, " * (MIB // 64))
    with open(path, "wb") as file:
        file.truncate(mib * MIB)
        for number in range(mib):
            if number % 10 < mapped * 10:
                file.seek(number * MIB)
                file.write(noise_of[number:] + text + noise_of[:number])
        file.seek(0)
        file.write(partition_table(mib * MIB))


def cpu_of(rig):
    with open(f"/proc/{rig.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mapped():
    """An image of which a bmap says that 30 % matter, over all of it by dd, on the same link."""
    mib, spec = 400, "emmc=512M:link=40M:medium=150M"
    targets = {"off": 2.5, "medium": 2.3, "readback": 1.5}
    with tempfile.TemporaryDirectory(dir=SHM) as base:
        image, bmap = os.path.join(base, "os.img"), os.path.join(base, "os.bmap")
        patchwork(image, mib, 0.3)
        run("bmaptool", "-q", "create", "-o", bmap, image)
        with Rig(spec, "--verify=off") as rig:
            rig.control("boot")
            whole = timed("dd", f"if={image}", f"of={rig.module('os.img')}", "bs=4M", "status=none")
            note(f"dd of all {mib} MiB, unproved: {whole:.2f} s")
        for how, target in targets.items():
            with Rig(spec, f"--verify={how}") as rig:
                rig.control("boot")
                run("cp", bmap, rig.module())
                took = timed("cp", "--sparse=never", image, rig.module())
                rig.holds(image)
                note(f"with the bmap, --verify={how}: {took:.2f} s")
                report(f"dd of the whole / cp with a bmap, --verify={how}", whole / took, target)


def compressed():
    """The same image raw and compressed: does a decoder keep a link busy, and what does each form cost?"""
    mib, rate = 400, 40_000_000
    packers = {"img": None, "img.xz": ["xz", "-1", "-T2", "--block-size=16MiB"], "img.zst": ["zstd", "-q"]}
    with tempfile.TemporaryDirectory(dir=SHM) as base:
        image = os.path.join(base, "os.img")
        patchwork(image, mib, 1)
        for form, packer in packers.items():
            path = os.path.join(base, "os." + form)
            if packer:
                with open(path, "wb") as file:
                    subprocess.run([*packer, "-c", image], stdout=file, check=True)
            for how in ("off", "medium"):
                with Rig(f"emmc=512M:link={rate}:medium=150M", f"--verify={how}") as rig:
                    rig.control("boot")
                    before = cpu_of(rig)
                    took = timed("cp", path, rig.module())
                    cpu = (cpu_of(rig) - before) / (mib / 1024)
                    rig.holds(image)
                note(f"{form}, --verify={how}: {took:.2f} s, {cpu:.2f} CPU seconds per GiB (the simulated module's own "
                     "work among them)")
                if form == "img.xz" and how == "off":
                    report("xz / configured rate of the link, unproved", mib * MIB / took / rate, 0.95)


for measure in (link_rate, proof, mapped, compressed, memory_speed, boot_time, memory, kernel_log, latency):
    print(f"{measure.__doc__}", flush=True)
    measure()
