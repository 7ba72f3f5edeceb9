#!/usr/bin/env python3
"""Rights and oddities: an ordinary user with the udev rules, the console, descriptors that are not as they should be,
and the oldest modules."""

import errno
import grp
import json
import os
import re
import stat
import tempfile
import time

from bus import Bus, Module
from gadget import block_device, read
from host import Host, make_payload
from kmsg import finish, lines
from medium import Medium
from rig import CM4FS, case, contains, make_image, run, same, shell, until

SEAM = os.environ["VM_SEAM"]
scratch = tempfile.mkdtemp()
os.chmod(scratch, 0o755)
image = make_image(os.path.join(scratch, "system.img"), 16)
os.chmod(image, 0o644)
payload = make_payload()

run("useradd", "--no-create-home", "stranger")
run("useradd", "--no-create-home", "--groups", "plugdev", "tester")


def as_user(user, *command, status=0):
    return run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "env", "LC_ALL=C", *command,
               status=status)


def node_of(port):
    bus, device = (int(read(f"/sys/bus/usb/devices/{port}/{name}")) for name in ("busnum", "devnum"))
    return f"/dev/bus/usb/{bus:03}/{device:03}"


def is_for_plugdev(path):
    status = os.stat(path)
    same(f"{path}'s group", grp.getgrgid(status.st_gid).gr_name, "plugdev")
    same(f"{path}'s mode", oct(stat.S_IMODE(status.st_mode)), oct(0o660))
    contains("udev", run("udevadm", "info", path).text, r"TAGS=.*uaccess")


def property_is(path, name, value):
    contains("udev", run("udevadm", "info", path).text, rf"^E: {name}={value}$")


def console_of(port):
    for line in os.listdir("/sys/class/tty"):
        if line.startswith("ttyACM") and f"/{port}/" in os.path.realpath(f"/sys/class/tty/{line}"):
            return "/dev/" + line
    return None


with Bus("boot=300", Module(mmcblk0=Medium(24))) as bus:
    module = bus.modules[0]

    with Host(user="stranger", payload=payload) as host:

        @case("a user without rights is refused with EACCES, and told why")
        def _():
            run("udevadm", "settle")
            is_for_plugdev(node_of(module.port))
            until("the module is there", lambda: as_user("stranger", "ls", host.module(), status=None).returncode == 0)
            said = as_user("stranger", "cp", image, host.module(), status=1).text
            contains("cp", said, "Permission denied")
            contains("FAIL.TXT", as_user("stranger", "cat", host.module("FAIL.TXT")).text, "type: user")

    with Host(user="tester", payload=payload) as host:

        @case("an ordinary user of the group plugdev boots and flashes a module")
        def _():
            until("the module is there", lambda: as_user("tester", "ls", host.module(), status=None).returncode == 0)
            as_user("tester", "cp", image, host.module())
            module.medium.holds(image)

        @case("that user may use the module's console, too: the medium has proved it")
        def _():
            status = json.loads(as_user("tester", "cat", host.module("status.json")).text)
            same("what proved it", (status["image"]["verify"], status["image"]["verify_reason"]), ("medium", ""))

        @case("the partitions are read when an ordinary user's copy is over")
        def _():
            until("there is a partition", lambda: os.path.exists(block_device(module.port) + "1"))

        @case("the rules give the disk to plugdev, keep it from being mounted unasked, and raise its requests' size")
        def _():
            device = block_device(module.port)
            is_for_plugdev(device)
            property_is(device, "UDISKS_AUTO", "0")
            until("udev has done with the partition",
                  lambda: "UDISKS_AUTO=0" in run("udevadm", "info", device + "1").text)
            same("max_sectors_kb", read(f"/sys/block/{os.path.basename(device)}/queue/max_sectors_kb"), "1024")

        @case("the rules give the console to plugdev, and keep ModemManager off")
        def _():
            is_for_plugdev(console_of(module.port))
            property_is(console_of(module.port), "ID_MM_DEVICE_IGNORE", "1")

    @case("the console seam reaches the module's shell, which has the medium as /dev/mmcblk0")
    def _():
        said = as_user("tester", SEAM, "console", module.port, "dd if=/dev/mmcblk0 bs=1M count=1 | md5sum").text
        sum_ = shell(f"head -c 1048576 {module.medium.file} | md5sum").text.split()[0]
        contains("the console", said, sum_)

for shape in ["no-bulk-out", "wrong-endpoint", "three-interfaces"]:
    with Bus("boot=300", Module(mmcblk0=None), shape=shape) as bus, Host(payload=payload) as host:

        @case(f"a boot ROM with odd descriptors, {shape}, is not written to: EPROTO")
        def _():
            name = host.name_at(bus.modules[0].port)
            contains("the seam", run(SEAM, "usb", bus.modules[0].port, status=1).text, "EPROTO")
            contains("cp", run("env", "LC_ALL=C", "cp", image, host.module(serial=name), status=1).text,
                     os.strerror(errno.EPROTO))

# A device that cannot say what it is: nothing of it is to be seen but the kernel's complaint.

EXPLAINED_S = 10
RESTRICT = "/proc/sys/kernel/dmesg_restrict"


def restrict(value):
    with open(RESTRICT, "w") as file:
        file.write(value)


def diagnosis(host, user=None):
    path = host.path("DIAGNOSIS.TXT")
    return as_user(user, "cat", path).text if user else run("cat", path).text


restrict("0")
with Host(payload=payload) as host, Host(user="tester", payload=payload) as theirs, \
        Bus("boot=300", Module(mmcblk0=None), shape="garbled") as bus:
    complaint = rf"usb {re.escape(bus.modules[0].port)}: device descriptor read/64, error -71"

    @case("a device that fails its descriptors is explained in DIAGNOSIS.TXT within 10 s")
    def _():
        until("the kernel complains", lambda: any(re.fullmatch(complaint, line) for line in list(lines)))
        begun = time.monotonic()
        until("it is explained", lambda: "arrives garbled" in diagnosis(host))
        took = time.monotonic() - begun
        assert took < EXPLAINED_S, f"{took:.1f} s"
        text = diagnosis(host)
        contains("DIAGNOSIS.TXT", text, rf"\APort {re.escape(bus.modules[0].port)}: .* arrives garbled")
        contains("DIAGNOSIS.TXT", text, complaint)
        contains("DIAGNOSIS.TXT", text, "seat it again, without its screws")
        same("directories", [name for name in os.listdir(host.mnt) if os.path.isdir(host.path(name, "boot"))], [])
        # The cases before took modules in and out of this port: that it flaps may be told, too, but comes behind.
        same("the gravest", host.root_status()["findings"][0]["id"], "port-garbled")

    @case("the kernel gives it up, and the finding stays")
    def _():
        until("the kernel gives up", lambda: any("unable to enumerate USB device" in line for line in list(lines)))
        until("that is evidence, too", lambda: "unable to enumerate" in diagnosis(host))

    @case("doctor sees the same, and fails")
    def _():
        said = run(CM4FS, "doctor", "--payload=" + payload, status=1).text
        contains("doctor", said, rf"^FAIL +kernel-usb: port {re.escape(bus.modules[0].port)}: ")
        contains("doctor", said, r"^ok +usb: ")

    @case("an ordinary user who may read the kernel's log is told as much")
    def _():
        contains("DIAGNOSIS.TXT", diagnosis(theirs, "tester"), "arrives garbled")

    restrict("1")
    with Host(user="stranger", payload=payload) as denied:

        @case("under dmesg_restrict an ordinary user is pointed to the doctor, who explains what root hands him")
        def _():
            text = diagnosis(denied, "stranger")
            assert "arrives garbled" not in text, text
            contains("DIAGNOSIS.TXT", text, r"sudo dmesg \| cm4fs doctor -")
            doctor = as_user("stranger", CM4FS, "doctor", "--payload=" + payload, status=1).text
            contains("doctor", doctor, r"^warn +kernel-log: .*cm4fs doctor -")
            contains("doctor", doctor, r"^ok +rules: /run/udev")
            contains("doctor", doctor, r"^FAIL +rights: .*stranger")
            contains("doctor -", shell(f"dmesg | {CM4FS} doctor -", status=1).text, "arrives garbled")

old = Module(mmcblk0=Medium(24))
with Bus("model=cm3:boot=300", old, shape="two-interfaces") as bus, Host(payload=payload) as host:

    @case("a Compute Module 3, its ROM with a mass-storage interface of its own, is booted and flashed")
    def _():
        name = host.name_at(old.port)
        same("its name", name, "port-" + old.port)
        run("cp", image, host.module(serial=name))
        old.medium.holds(image)

    @case("its disk is the VPU firmware's, known as mmcblk0; there is no console")
    def _():
        same("the disks", [disk["name"] for disk in host.status("port-" + old.port)["disks"]], ["mmcblk0"])
        contains("the seam", run(SEAM, "console", old.port, "true", status=1).text, "ENXIO")
        same("why it was read back", host.status("port-" + old.port)["image"]["verify_reason"], "it has no console")

    @case("the kernel's driver was kept off the ROM's own disk")
    def _():
        assert not [line for line in lines if re.search(r"scsi .* Direct-Access(?!.*(mmcblk0|RPi-MSD))", line)]

finish()
