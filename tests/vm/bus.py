"""Simulated modules on the machine's USB: vm-modules plays their ROMs and second stages, gadget.py their mass
storage. A module keeps its port through its whole life."""

import os
import re
import subprocess
import tempfile
import threading

import kmsg
import tap
from gadget import Gadget, detach, port_path
from medium import Medium
from rig import until

MODULES = os.environ["VM_MODULES"]


class Module:
    """@disks: media by the module's names for them, in the order in which it exports them; None: no medium.
    @console: as Gadget has it, if its system has one at all."""

    def __init__(self, console="shell", **disks):
        self.console = console
        self.disks = disks or {"mmcblk0": Medium()}
        self.gadget = None

    @property
    def medium(self):
        return self.disks["mmcblk0"]


class Bus:
    """with Bus("boot=500", Module(), Module()) as bus: ..."""

    def __init__(self, spec="boot=500", *modules, shape="true"):
        self.modules = list(modules) or [Module()]
        self.records = tempfile.mkdtemp(prefix="records-")
        self.log = tempfile.TemporaryFile()
        self.errors = []
        self.seen = []
        for number, module in enumerate(self.modules, 1):
            module.number, module.vhci = number, number - 1
            module.port = port_path(module.vhci)
        self.command = [MODULES, f"{spec}:count={len(self.modules)}:emmc=1M:dir={self.records}", shape]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, bufsize=1)
        tap.witnesses.append(self)
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        tap.witnesses.remove(self)
        self.process.stdin.close()
        self.thread.join(60)
        self.process.wait(60)
        for module in self.modules:
            self._left(module)
            for medium in module.disks.values():
                if medium:
                    medium.free()
        assert not self.errors, "\n".join(self.errors)

    # What the modules do, in their own thread.

    def _follow(self):
        for line in self.process.stdout:
            word, number, *rest = line.split()
            module = self.modules[int(number) - 1]
            try:
                if word == "disk":
                    self._become_disk(module, *rest)
                elif word == "left":
                    self._left(module)
            except (OSError, AssertionError) as error:
                self.errors.append(f"{line.strip()}: {error!r}")
            self.seen.append(line.strip())

    @staticmethod
    def _become_disk(module, vendor, product, serial=""):
        vpu = product == "0001"
        disks = [("RPi-MSD-0001" if vpu else name, medium.device if medium else None)
                 for name, medium in module.disks.items()]
        module.gadget = Gadget(vendor, product, serial, disks, console=None if vpu else module.console)
        module.gadget.attach(module.vhci)

    @staticmethod
    def _left(module):
        if module.gadget:
            detach(module.vhci)
            module.gadget.free()
            module.gadget = None

    # What is done to them.

    def unplug(self, number=1):
        self.seen.clear()
        print(f"unplug {number}", file=self.process.stdin)
        self.wait_for(f"left {number}")

    def plug(self, number=1):
        print(f"plug {number}", file=self.process.stdin)

    def wait_for(self, pattern, seconds=60):
        until(f"the bus says {pattern}", lambda: any(re.match(pattern, line) for line in list(self.seen)), seconds)

    def record(self, number=1):
        """What that module was served, a line each."""
        for name in sorted(os.listdir(self.records)):
            if name.endswith("-record.txt"):
                number -= 1
                if number == 0:
                    with open(os.path.join(self.records, name)) as file:
                        return file.read()
        return ""

    # What tap.py asks of a witness.

    def tail(self):
        self.log.seek(0)
        return "\n".join(["bus: " + ", ".join(self.seen[-8:]), *self.errors, self.log.read().decode(),
                          *["kernel: " + line for line in kmsg.lines[-25:]]])

    def kill(self):
        self.process.kill()
