#!/usr/bin/env python3
"""DIAGNOSIS.TXT, the findings of status.json and the doctor: whoever sees nothing is told why."""

import json
import os
import re
import subprocess
import tempfile

from rig import CM4FS, FAST, FIRST, SHORT, Rig, case, contains, finish, run, same, until

LOGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "kernel-logs")
scratch = tempfile.mkdtemp()


def log_lines(name):
    """A log of the tests' data as the kernel says it: without the times."""
    with open(os.path.join(LOGS, name + ".log")) as file:
        return "".join(re.sub(r"^\[[^]]*\] ", "", line) for line in file if not line.startswith("#"))


def say(path, text):
    with open(path, "a") as file:
        file.write(text)


def diagnosis(rig):
    with open(rig.path("DIAGNOSIS.TXT")) as file:
        return file.read()


def ids(rig):
    return [finding["id"] for finding in rig.root_status()["findings"]]


def doctor(*options, **keywords):
    return subprocess.run([CM4FS, "doctor", *options], capture_output=True, text=True, timeout=60, **keywords)


kernel_log = os.path.join(scratch, "kernel")
say(kernel_log, "")

with Rig(f"count=2:fault=2/bad-link:kernel-log={kernel_log}:{FAST}") as rig:

    @case("a module on a bad link has no directory, but DIAGNOSIS.TXT has its port, the evidence, and advice")
    def _():
        until("it is found", lambda: ids(rig) == ["port-garbled"])
        text = diagnosis(rig)
        same("what is wrong comes first", text.split(":")[0], "Port 1-1.2")
        contains("DIAGNOSIS.TXT", text, r"^  20\d\d-.*Z  usb 1-1\.2: device descriptor read/64, error -71  \(2 times")
        contains("DIAGNOSIS.TXT", text, r"^  1\. .*screws")
        same("its size", os.stat(rig.path("DIAGNOSIS.TXT")).st_size, len(text))
        same("directories", [name for name in os.listdir(rig.mnt) if len(name) == 8], [FIRST])

    @case("a finding in status.json has its id, type, port, advice and evidence")
    def _():
        finding = rig.root_status()["findings"][0]
        same("type", finding["type"], "link")
        same("port", finding["port"], "1-1.2")
        assert len(finding["advice"]) > 2 and "screws" in finding["advice"][0], finding
        contains("evidence", "\n".join(each["text"] for each in finding["evidence"]), "unable to enumerate USB device")

    @case("it is got over when something enumerates there, and then all is well")
    def _():
        say(kernel_log, "usb 1-1.2: new high-speed USB device number 9 using xhci_hcd\n"
                        "usb 1-1.2: New USB device found, idVendor=0a5c, idProduct=2711, bcdDevice= 0.00\n")
        until("nothing is found", lambda: ids(rig) == [])
        contains("DIAGNOSIS.TXT", diagnosis(rig), r"\AAll is well: 1 module on the bus")

    @case("what the kernel says is followed as it is said")
    def _():
        say(kernel_log, log_lines("over-current"))
        until("it is found", lambda: ids(rig) == ["over-current"])
        contains("DIAGNOSIS.TXT", diagnosis(rig), r"^Port 1-2: the port was switched off")

    @case("a device's own strings, however they look, are no findings")
    def _():
        say(kernel_log, log_lines("hostile") + log_lines("controller"))
        until("all of it was read", lambda: "controller" in ids(rig))
        same("the findings", sorted(ids(rig)), ["controller", "over-current"])
        assert "\x1b" not in diagnosis(rig)

with Rig(f"fault=slow-write@13000:{FAST}") as rig:

    if not SHORT:  # 13 seconds

        @case("a write that stands still is found while it does")
        def _():
            rig.control("boot")
            writer = subprocess.Popen(["dd", "if=/dev/zero", f"of={rig.module('mmcblk0.img')}", "bs=1M", "count=1",
                                       "conv=notrunc", "status=none"], stderr=subprocess.DEVNULL)
            until("it is found", lambda: ids(rig) == ["write-stall"], 40)
            contains("DIAGNOSIS.TXT", diagnosis(rig), rf"\AModule {FIRST} on port 1-1\.1: writing stood still")
            same("dd", writer.wait(20), 0)

with Rig(f"fault=bad-link:kernel-log=denied:{FAST}", module=False) as rig:

    @case("with nothing on the bus and no log it says how to tell why, and points to the doctor")
    def _():
        text = diagnosis(rig)
        same("findings", ids(rig), ["nothing", "log-denied"])
        contains("DIAGNOSIS.TXT", text, r"\ANo module is on the bus")
        for word in ("jumper", "cable", "own system", "LED", r"sudo dmesg \| cm4fs doctor -"):
            contains("DIAGNOSIS.TXT", text, word)


@case("doctor explains a pasted log, of any form, and its exit status is 1")
def _():
    for name, port in ("article", "1-1.3"), ("mute", "1-2"), ("refuses", "1-2"), ("hub", "1-1"):
        with open(os.path.join(LOGS, name + ".log")) as log:
            result = doctor("-", stdin=log)
        same("exit status", result.returncode, 1)
        assert result.stdout.startswith(f"Port {port}: "), result.stdout


@case("doctor has nothing to say of a healthy attach, and its exit status is 0")
def _():
    for name in ("healthy-cm4", "healthy-cm3", "hostile"):
        with open(os.path.join(LOGS, name + ".log")) as log:
            result = doctor("--json", "-", stdin=log)
        same("exit status", result.returncode, 0)
        same("findings", json.loads(result.stdout)["findings"], [])


@case("doctor has a line for each thing, and a FAIL is exit status 1")
def _():
    result = doctor("--simulate=fault=bad-link")
    same("exit status", result.returncode, 1)
    for line in result.stdout.splitlines():
        contains("a line", line, r"^(ok   |warn |FAIL ) [a-z-]+: .*\.")
        assert line.startswith("ok") or " -> " in line, line
    for name in ("user", "fuse", "usb", "rules", "autosuspend", "modemmanager", "payload", "kernel-log"):
        contains("doctor", result.stdout, rf"^\w+ +{name}: ")
    contains("doctor", result.stdout, r"^FAIL  kernel-usb: port 1-1\.1: .*error -71")


@case("doctor's JSON says the same")
def _():
    result = doctor("--json", "--simulate=kernel-log=denied")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    same("kernel-log", checks["kernel-log"]["level"], "warn")
    contains("its remedy", checks["kernel-log"]["remedy"], r"cm4fs doctor -")
    same("ok", json.loads(result.stdout)["ok"], result.returncode == 0)


@case("a wrong option is exit status 2")
def _():
    same("exit status", doctor("-f").returncode, 2)
    contains("help", run(CM4FS, "doctor", "--help").text, "sudo dmesg")


finish()
