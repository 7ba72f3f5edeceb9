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
        self.maps = []  # the lowest first

    def map(self, *table):
        """Lines of device-mapper tables; LOOP stands for the loop device."""
        self._load(self.name, *table)
        self.device = f"/dev/mapper/{self.name}"

    def map_copies(self, *table):
        """The same for a table that changes what is written, of which the writer's page cache is to see nothing.
        dm-flakey changes the very page that it is given; a cipher that does nothing gives it one of its own."""
        run("modprobe", "-a", "dm-crypt", "crypto_null", "ecb")
        self._load(f"{self.name}-below", *table)
        self.map(f"0 {self.sectors} crypt cipher_null-ecb - 0 /dev/mapper/{self.name}-below 0")

    def _load(self, name, *table):
        text = "\n".join(table).replace("LOOP", self.loop) + "\n"
        command = ["dmsetup", "reload" if name in self.maps else "create", name, "--noudevsync"]
        subprocess.run(command, input=text.encode(), check=True)
        if name in self.maps:
            subprocess.run(["dmsetup", "resume", name, "--noudevsync"], check=True)
        else:
            self.maps.append(name)
            # udev gives it its name, in its own time.
            until(f"{name} has a name", lambda: os.path.exists(f"/dev/mapper/{name}"))

    def size(self):
        return self.sectors * 512

    def holds(self, image):
        run("cmp", "-n", str(os.path.getsize(image)), image, self.file)

    def bytes_read(self):
        """By the module, past its cache or because they were not in it."""
        with open(f"/sys/block/{os.path.basename(self.loop)}/stat") as stat:
            return int(stat.read().split()[2]) * 512

    def free(self):
        for name in reversed(self.maps):
            until("the mapped device is free",
                  lambda: subprocess.run(["dmsetup", "remove", name], stderr=subprocess.DEVNULL).returncode == 0)
        run("losetup", "--detach", self.loop)
        os.unlink(self.file)
