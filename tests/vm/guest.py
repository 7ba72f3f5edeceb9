"""The machine's inside, from init.sh to the test: drivers, udev, the kernel's log kept.

    python3 guest.py CASE.py
"""

import os
import runpy
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = "/mnt/out"
sys.path[:0] = [HERE, os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "mount")]

DRIVERS = ["configfs", "fuse", "loop", "vhci-hcd", "libcomposite", "usb_f_mass_storage", "usb_f_acm", "cdc-acm",
           "usb-storage", "sd_mod", "dm-mod", "dm-flakey", "dm-delay", "vfat", "nls_cp437",
           "nls_ascii", "ext4"]
GADGETS = 32  # in one test, one after another


def prepare():
    # The machine's root is a chroot, which udevadm takes for a reason to do nothing.
    os.environ["SYSTEMD_IGNORE_CHROOT"] = "1"
    subprocess.run(["modprobe", "-a", *DRIVERS], check=True)
    subprocess.run(["modprobe", "usbip-vudc", f"num={GADGETS}"], check=True)
    if not os.path.isdir("/sys/kernel/config/usb_gadget"):
        subprocess.run(["mount", "-t", "configfs", "configfs", "/sys/kernel/config"], check=True)
    # A task that waits for a disk in vain is to be heard of while the machine is there.
    with open("/proc/sys/kernel/hung_task_timeout_secs", "w") as file:
        file.write("30")
    # Not all there is: a machine without a sound card boots faster.
    subsystems = "--subsystem-match=" + " --subsystem-match=".join(["misc", "mem", "block"])
    os.makedirs("/run/udev/rules.d")
    shutil.copy(os.environ["UDEV_RULES"], "/run/udev/rules.d")
    subprocess.run(["/lib/systemd/systemd-udevd", "--daemon"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    subprocess.run(f"udevadm trigger --action=add {subsystems} && udevadm settle", shell=True, check=True)


def main(case):
    with open(os.path.join(OUT, "environment")) as environment:
        os.environ.update(line.rstrip("\n").split("=", 1) for line in environment)
    import kmsg
    import tap

    kmsg.follow(os.path.join(OUT, "kernel.log"))
    prepare()
    tap.comment(f"the machine is up after {open('/proc/uptime').read().split()[0]} s")
    sys.argv = [case]
    runpy.run_path(case, run_name="__main__")


main(sys.argv[1])
