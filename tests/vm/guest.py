"""The machine's inside, from init.sh to the test: drivers, udev, the kernel's log kept and looked at.

    python3 guest.py CASE.py
"""

import os
import re
import runpy
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = "/mnt/out"
sys.path[:0] = [HERE, os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "mount")]

DRIVERS = ["configfs", "fuse", "loop", "vhci-hcd", "libcomposite", "usb_f_mass_storage", "usb_f_acm", "cdc-acm",
           "usb-storage", "sd_mod", "dm-mod", "dm-flakey", "dm-delay", "vfat", "ext4"]
GADGETS = 4

# What has no business in the log of a kernel in good health.
SICK = re.compile(r"Oops|BUG:|WARNING: |general protection|Call Trace|blocked for more than|Kernel panic|"
                  r"refcount_t|use-after-free|usb \S+: reset |soft lockup|rcu: INFO")


def prepare():
    # The machine's root is a chroot, which udevadm takes for a reason to do nothing.
    os.environ["SYSTEMD_IGNORE_CHROOT"] = "1"
    for driver in DRIVERS:
        subprocess.run(["modprobe", driver], check=True)
    subprocess.run(["modprobe", "usbip-vudc", f"num={GADGETS}"], check=True)
    if not os.path.isdir("/sys/kernel/config/usb_gadget"):
        subprocess.run(["mount", "-t", "configfs", "configfs", "/sys/kernel/config"], check=True)
    # A task that waits for a disk in vain is to be heard of while the machine is there.
    with open("/proc/sys/kernel/hung_task_timeout_secs", "w") as file:
        file.write("30")
    # Not all there is: a machine without a sound card boots faster.
    subsystems = "--subsystem-match=" + " --subsystem-match=".join(["misc", "mem", "tty", "usb", "block"])
    os.makedirs("/run/udev/rules.d")
    shutil.copy(os.environ["UDEV_RULES"], "/run/udev/rules.d")
    subprocess.run(["/lib/systemd/systemd-udevd", "--daemon"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    subprocess.run(f"udevadm trigger --action=add {subsystems} && udevadm settle", shell=True, check=True)


class KernelLog:
    """Everything the kernel says, kept outside of the machine as it is said."""

    def __init__(self):
        self.lines = []
        self.pardoned = []  # patterns
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        with open(os.path.join(OUT, "kernel.log"), "w", buffering=1) as copy:
            log = os.open("/dev/kmsg", os.O_RDONLY)
            while True:
                record = os.read(log, 8192).decode(errors="replace")
                head, text = record.split(";", 1)
                text = text.split("\n")[0]
                seconds = int(head.split(",")[2]) / 1e6
                copy.write(f"[{seconds:12.6f}] {text}\n")
                self.lines.append(text)

    def sickness(self):
        return [line for line in self.lines if SICK.search(line)
                and not any(re.search(pattern, line) for pattern in self.pardoned)]


def main(case):
    with open(os.path.join(OUT, "environment")) as environment:
        os.environ.update(line.rstrip("\n").split("=", 1) for line in environment)
    import tap

    log = KernelLog()
    tap.kernel = log
    prepare()
    tap.comment(f"the machine is up after {open('/proc/uptime').read().split()[0]} s")
    sys.argv = [case]
    runpy.run_path(case, run_name="__main__")


main(sys.argv[1])
