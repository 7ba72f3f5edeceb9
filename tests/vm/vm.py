#!/usr/bin/env python3
"""vm.py CASE.py: runs one test in a virtual machine with Debian's kernel, and passes its TAP on.

No hardware virtualisation is asked for: the machine is the same wherever it runs, only slow. It sees this host's
root read-only, and what it writes is gone with it. Its kernel's log stays in CM4FS_VM_DIR/NAME/, with what the
console said.

Environment: CM4FS_VM_DIR a directory of the build; what else the test itself needs (CM4FS, VM_MODULES, ...), which
is handed on.
"""

import os
import shlex
import shutil
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(HERE)

from kernel import Kernel, Unavailable

PATIENCE = 400  # seconds for one machine, boot and all
SLOW = 3  # as against the host itself
HANDED_ON = ["CM4FS", "VM_MODULES", "VM_SEAM", "UDEV_RULES"]

# Without what is dear where it is emulated: a fifth level of page tables, copies a byte at a time, wide registers.
CPU = "max,la57=off,erms=off,avx=off,avx2=off"
# Its log on a console, an end where it panics; and nothing of what hardens a kernel: emulated, that is the dearest.
KERNEL_OPTIONS = ["console=ttyS0", "loglevel=4", "panic=-1", "mitigations=off", "init_on_alloc=0", "apparmor=0",
                  "hardened_usercopy=off", "rcupdate.rcu_expedited=1"]


def skip(reason):
    """meson reads this line where a program of another kind would end with 77."""
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def command(kernel, out):
    def share(path, tag, *options):
        path = path.replace(",", ",,")
        return ["-virtfs", ",".join([f"local,path={path}", "multidevs=remap", f"mount_tag={tag}",
                                     "security_model=none", *options])]

    return [
        "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", "2", "-m", "3G",
        "-display", "none", "-no-reboot", "-monitor", "none", "-nodefaults",
        "-kernel", kernel.image, "-initrd", kernel.initramfs,
        "-append", " ".join(KERNEL_OPTIONS),
        *share("/", "host", "readonly=on"), *share(kernel.modules, "modules", "readonly=on"),
        *share(out, "out"),
        "-serial", "file:" + os.path.join(out, "console.log"), "-serial", "stdio",
    ]


def run(kernel, out, case):
    """The test's own exit status; None: the machine did not come so far."""
    with open(os.path.join(out, "environment"), "w") as file:
        file.write(f"CM4FS_SLOW={SLOW}\n")
        file.writelines(f"{name}={os.environ[name]}\n" for name in HANDED_ON if name in os.environ)
    # A file each, for the kernel's command line parts at blanks.
    for name, path in ("dir", HERE), ("case", case):
        with open(os.path.join(out, name), "w") as file:
            file.write(path)
    with subprocess.Popen(command(kernel, out), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as machine:
        timer = threading.Timer(PATIENCE, machine.kill)
        timer.start()
        for line in machine.stdout:
            print(line.decode(errors="replace").rstrip("\r\n"), flush=True)
        timer.cancel()
    try:
        with open(os.path.join(out, "status")) as status:
            return int(status.read())
    except (OSError, ValueError):
        return None


def main(case):
    case = os.path.abspath(case)
    base = os.path.abspath(os.environ.get("CM4FS_VM_DIR", "build/tests/vm"))
    name = os.path.splitext(os.path.basename(case))[0].removeprefix("test-")
    out = os.path.join(base, name)
    if not shutil.which("qemu-system-x86_64"):
        skip("qemu-system-x86 is not installed")
    try:
        kernel = Kernel(os.path.join(base, "kernel"))
    except Unavailable as reason:
        skip(" ".join(str(reason).split()))
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)

    status = run(kernel, out, case)
    if status is None:
        print(f"Bail out! The machine ended early; see {shlex.quote(out)}")
        with open(os.path.join(out, "console.log"), errors="replace") as console:
            print("".join("# " + line for line in console.readlines()[-40:]))
        status = 1
    sys.exit(status)


main(sys.argv[1])
