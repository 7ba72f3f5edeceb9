#!/usr/bin/env python3
"""What the compiler does not hold: the layers, and the manners of the house.

Usage: test-lint.py SOURCE_DIR BUILD_DIR
"""

import os
import re
import shutil
import subprocess
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from tap import Skip, case, finish

SOURCE, BUILD = (os.path.abspath(path) for path in sys.argv[1:3])
COMPOSITION = "fs/main.c"

# Who may look into whose headers, room by room. Arrows run one way: policy -> pure parts and seams.
ROOMS = {
    "util": set(),
    "seam": set(),
    "boot": {"seam", "payload", "util"},
    "payload": {"boot", "proof", "util"},  # of boot: the table of chips; of proof: SHA-256
    "decode": {"util"},
    "diagnosis": {"seam", "util"},
    "doctor": {"boot", "diagnosis", "payload", "seam", "util"},  # of boot: the table of chips
    "layout": {"util"},
    "image": {"decode", "layout", "proof", "seam", "sidecar", "util"},
    "linux": {"seam", "util"},
    "proof": {"seam", "util"},
    "sidecar": {"util"},
    "sim": {"boot", "payload", "seam", "util"},  # of boot: the table of chips, the sizes on the wire
    "module": {"boot", "diagnosis", "image", "payload", "seam", "sidecar", "util"},
}

# Libraries that are not libc, and who may know of them.
FOREIGN = {
    r"fuse": {"fs"},
    r"jansson": {"fs"},
    r"archive": {"core/payload"},
    r"blkid/": {"core/layout"},
    r"expat": {"core/sidecar"},
    r"openssl/": {"core/proof", "core/sidecar", "core/sim"},
    r"libusb": {"core/linux"},
    r"(lzma|zlib|bzlib|zstd|zstd_errors|lz4\w*)\.h": {"core/decode"},
    r"cmocka": set(),
}

# The kernel's disks are named by one file; texts for people may speak of /dev/fuse.
DEVICE = re.compile(r'"[^"\n]*/dev/(?!fuse\b|null\b|zero\b)')
DEVICE_ROOMS = ("core/linux/", "core/proof/medium", "core/sim/console", "tests/")


def files(*suffixes):
    for directory, names, leaves in os.walk(SOURCE):
        names[:] = [name for name in names if not name.startswith((".git", "build", "__pycache__", ".cache"))]
        for leaf in sorted(leaves):
            if leaf.endswith(suffixes):
                yield os.path.relpath(os.path.join(directory, leaf), SOURCE)


def lines(path):
    with open(os.path.join(SOURCE, path), errors="replace") as file:
        return file.read().splitlines()


def sources(*under):
    return [path for path in files(".c", ".h") if path.startswith(under)]


def includes(path):
    for line in lines(path):
        match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if match:
            yield match.group(1)


def room(path):
    """core/boot/wire.c -> boot"""
    return path.split("/")[1]


def room_of(header):
    """boot/wire.h -> boot; None: it is none of core's (linux/falloc.h is the kernel's)."""
    return header.split("/")[0] if os.path.exists(os.path.join(SOURCE, "core", header)) else None


def none(offences):
    assert not offences, "\n" + "\n".join(offences)


@case("fs/ includes the public headers and its own, of core/ its helpers only, save the composition")
def _():
    none([f"{path}: {header}" for path in sources("fs/") if path != COMPOSITION
          for header in includes(path) if room_of(header) not in (None, "util")])


@case("core/ includes nothing of fs/")
def _():
    none([f"{path}: {header}" for path in sources("core/", "include/") for header in includes(path)
          if header.startswith("fs/") or os.path.exists(os.path.join(SOURCE, "fs", header))])


@case("the rooms of core/ look only where they may")
def _():
    none([f"{path}: {header}" for path in sources("core/") for header in includes(path)
          if room_of(header) and room_of(header) not in ROOMS[room(path)] | {room(path)}])


@case("every room of core/ is on the map of this test")
def _():
    none([path for path in sources("core/") if room(path) not in ROOMS])


@case("the public headers include each other and libc, nothing else")
def _():
    none([f"{path}: {header}" for path in sources("include/") for header in includes(path)
          if "/" in header and not header.startswith(("cm4fs/", "sys/"))])


@case("a foreign library is known to one layer only")
def _():
    none([f"{path}: {header}" for path in sources("core/", "fs/", "include/")
          for header in includes(path) for pattern, allowed in FOREIGN.items()
          if re.match(pattern, header) and not path.startswith(tuple(allowed))])


@case("the libraries of a layer ask the linker for nothing of another")
def _():
    if not shutil.which("nm"):
        raise Skip("nm is not installed")
    archives = [os.path.join(directory, leaf) for directory, _, leaves in os.walk(BUILD)
                for leaf in leaves if leaf.endswith(".a")]
    assert archives, f"no static library in {BUILD}"
    offences = []
    for archive in archives:
        layer = os.path.relpath(archive, BUILD).split("/")[0]
        undefined = subprocess.run(["nm", "-u", archive], capture_output=True, text=True, check=True).stdout
        foreign = r"\b(fuse_|json_|fs_)\w+" if layer == "core" else r"\b(libusb_|sim_|archive_|boot_)\w+"
        offences += [f"{os.path.basename(archive)}: {match.group(0)}"
                     for match in re.finditer(foreign, undefined)]
    none(offences)


@case("nobody but the composition names a backend")
def _():
    none([f"{path}: {match.group(0)}" for path in sources("core/", "fs/", "include/")
          if path != COMPOSITION and not path.startswith("core/sim/")
          for match in re.finditer(r"\bsim_\w+", "\n".join(lines(path)))])


@case("no device node is named outside of the rooms that know them")
def _():
    none([f"{path}:{number}: {line.strip()}" for path in sources("core/", "fs/", "include/")
          if not path.startswith(DEVICE_ROOMS)
          for number, line in enumerate(lines(path), 1) if DEVICE.search(line)])


@case("nobody but core/linux/usb.c names libusb")
def _():
    none([f"{path}:{number}: {line.strip()}" for path in sources("core/", "fs/", "include/", "tests/")
          if path != "core/linux/usb.c"
          for number, line in enumerate(lines(path), 1) if re.search(r"\blibusb_\w", line)])


@case("udev understands the rules")
def _():
    if not shutil.which("udevadm"):
        raise Skip("udevadm is not installed")
    rules = [os.path.join(SOURCE, path) for path in files(".rules")]
    verified = subprocess.run(["udevadm", "verify", *rules], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
    if "Unknown command verb" in verified.stdout:
        raise Skip("this udevadm cannot verify rules; that needs systemd 254")
    assert rules and verified.returncode == 0, verified.stdout


@case("nothing sleeps to let something happen; the simulated module alone takes its time")
def _():
    none([f"{path}:{number}: {line.strip()}" for path in sources("core/", "fs/", "tests/unit", "tests/sim")
          if not path.startswith("core/sim/")
          for number, line in enumerate(lines(path), 1) if re.search(r"\b(u|nano|clock_nano)?sleep\(", line)])


@case("nobody but main ends the process")
def _():
    ends = re.compile(r"\b(_?exit|_Exit|abort|err|errx)\(\s*(EXIT|[0-9]|\))")
    none([f"{path}:{number}: {line.strip()}" for path in sources("core/", "fs/") if path != COMPOSITION
          for number, line in enumerate(lines(path), 1) if ends.search(line)])


@case("no file is longer than 500 lines")
def _():
    none([f"{path}: {len(lines(path))}" for path in files(".c", ".h", ".py", ".sh", ".build")
          if len(lines(path)) > 500])


@case("headers are guarded by #pragma once")
def _():
    none([path for path in sources("core/", "fs/", "include/", "tests/") if path.endswith(".h")
          and "#pragma once" not in lines(path)[:3]])


@case("no line is longer than 120 columns")
def _():
    none([f"{path}:{number}" for path in files(".c", ".h", ".py", ".sh", ".build")
          for number, line in enumerate(lines(path), 1) if len(line.expandtabs(8)) > 120])


@case("nothing is left for later, and nothing names the machine it was made on")
def _():
    # Spelt apart, so that this file does not find itself.
    words = ["TO" + "DO", "FIX" + "ME", "X" + "XX:", "/wo" + "rk/", "/ho" + "me/", "for n" + "ow\\b"]
    pattern = re.compile(r"(?<![\w%])(" + "|".join(words) + ")")
    none([f"{path}:{number}: {line.strip()}" for path in files("") if os.path.basename(path) != "LICENSE"
          for number, line in enumerate(lines(path), 1) if pattern.search(line)])


@case("the code is as clang-format makes it")
def _():
    if not shutil.which("clang-format"):
        raise Skip("clang-format is not installed")
    offences = []
    for path in sources("core/", "fs/", "include/", "tests/"):
        made = subprocess.run(["clang-format", path], cwd=SOURCE, stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        if made.splitlines() != lines(path):
            offences.append(path)
    none(offences)


@case("shell scripts are understood by a plain sh")
def _():
    for path in [*files(".sh"), ".ci/run"]:
        subprocess.run(["sh", "-n", path], cwd=SOURCE, check=True)


@case("every test file is entered in its meson.build")
def _():
    offences = []
    for path in files(".c", ".py"):
        directory, leaf = os.path.split(path)
        if directory.startswith("tests/") and leaf.startswith("test-"):
            name = os.path.splitext(leaf)[0].removeprefix("test-")
            with open(os.path.join(SOURCE, directory, "meson.build")) as file:
                if not re.search(rf"['-]{re.escape(name)}\b", file.read()):
                    offences.append(path)
    none(offences)


finish()
