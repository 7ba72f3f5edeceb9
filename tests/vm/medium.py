"""A module's eMMC: a file in the machine's memory, a loop device on it, and where asked a device-mapper table
between the module and that, which lies, fails or dawdles."""

import os
import subprocess
import tempfile

from rig import MIB, run, until


class Medium:
    """device: what the module has; file: what was really stored, for looking at from outside."""

    count = 0

    def __init__(self, mib=48):
        handle, self.file = tempfile.mkstemp(prefix="medium-")
        os.ftruncate(handle, mib * MIB)
        os.close(handle)
        self.sectors = mib * MIB // 512
        self.loop = run("losetup", "--find", "--show", self.file).text.strip()
        self.device = self.loop
        Medium.count += 1
        self.name = f"medium{Medium.count}"

    def map(self, *table):
        """Lines of device-mapper tables; LOOP stands for the loop device."""
        text = "\n".join(table).replace("LOOP", self.loop) + "\n"
        command = ["dmsetup", "reload" if self.device != self.loop else "create", self.name, "--noudevsync"]
        subprocess.run(command, input=text.encode(), check=True)
        if self.device != self.loop:
            subprocess.run(["dmsetup", "resume", self.name, "--noudevsync"], check=True)
        self.device = f"/dev/mapper/{self.name}"

    def size(self):
        return self.sectors * 512

    def holds(self, image):
        run("cmp", "-n", str(os.path.getsize(image)), image, self.file)

    def free(self):
        if self.device != self.loop:
            until("the mapped device is free",
                  lambda: subprocess.run(["dmsetup", "remove", self.name], stderr=subprocess.DEVNULL).returncode == 0)
        run("losetup", "--detach", self.loop)
        os.unlink(self.file)
