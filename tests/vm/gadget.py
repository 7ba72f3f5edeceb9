"""Mass storage as a module has it: the kernel's own gadget, put together in configfs, on one of usbip-vudc's
controllers, whose other end goes to a port of vhci-hcd."""

import errno
import glob
import os
import re
import shutil
import socket
import subprocess
import tempfile

from rig import until

CONFIGFS = "/sys/kernel/config/usb_gadget"
VHCI = "/sys/devices/platform/vhci_hcd.0"
HIGH_SPEED = 3


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read().strip()


def bus_number():
    """Of the controller's high-speed half."""
    roots = [name for name in os.listdir(VHCI) if re.fullmatch(r"usb\d+", name)]
    return min(int(name[3:]) for name in roots)


def port_path(vhci):
    return f"{bus_number()}-{vhci + 1}"


def detach(vhci):
    """The cable is pulled. Nothing, where nothing was in."""
    try:
        write(f"{VHCI}/detach", str(vhci))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise


def is_free(vhci):
    for line in read(f"{VHCI}/status").splitlines()[1:]:
        fields = line.split()
        if int(fields[1]) == vhci:
            return fields[2] == "004"
    return False


def block_device(port, interface=0):
    """The kernel's name for the disk on that interface."""
    pattern = f"/sys/bus/usb/devices/{port}:1.{interface}/host*/target*/*/block/*"
    until(f"{port} has a disk", lambda: glob.glob(pattern))
    return "/dev/" + os.path.basename(glob.glob(pattern)[0])


class Gadget:
    """@disks: pairs of the INQUIRY name and a device (None: no medium in it); @console: None, "shell", or "mute",
    which has nobody at its other end."""

    # Each has a controller of its own: vudc may keep an answer from before its cable was pulled, and give it to the
    # next host, which takes that for a broken device.
    count = 0

    def __init__(self, vendor, product, serial, disks, console):
        self.udc = f"usbip-vudc.{Gadget.count}"
        self.base = f"{CONFIGFS}/gadget{Gadget.count}"
        Gadget.count += 1
        self.shell = None
        config = f"{self.base}/configs/c.1"
        for directory in [self.base, f"{self.base}/strings/0x409", config]:
            os.mkdir(directory)
        write(f"{self.base}/idVendor", f"0x{vendor}")
        write(f"{self.base}/idProduct", f"0x{product}")
        write(f"{self.base}/strings/0x409/manufacturer", "Raspberry Pi")
        write(f"{self.base}/strings/0x409/product", "Raspberry Pi multi-function USB device")
        if serial:
            write(f"{self.base}/strings/0x409/serialnumber", serial)
        self.functions = []
        for i, (name, device) in enumerate(disks):
            self._add(f"mass_storage.{i}")
            lun = f"{self.base}/functions/mass_storage.{i}/lun.0"
            write(f"{lun}/inquiry_string", name)
            write(f"{lun}/removable", "1")
            if device:
                write(f"{lun}/file", device)
        if console:
            self._add("acm.0")
            self.tty = "/dev/ttyGS" + read(f"{self.base}/functions/acm.0/port_num")
            self.disks = disks
        self.console = console

    def _add(self, function):
        os.mkdir(f"{self.base}/functions/{function}")
        os.symlink(f"{self.base}/functions/{function}", f"{self.base}/configs/c.1/{function}")
        self.functions.append(function)

    def attach(self, vhci):
        write(f"{self.base}/UDC", self.udc)
        if self.console == "shell":
            self._start_shell()
        until(f"port {vhci} is free", lambda: is_free(vhci))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            write(f"/sys/devices/platform/{self.udc}/usbip_sockfd", str(ours.fileno()))
            write(f"{VHCI}/attach", f"{vhci} {theirs.fileno()} {vhci + 1} {HIGH_SPEED}")

    def _start_shell(self):
        """A shell that is logged in on the gadget's serial line, with busybox around it and the module's disks."""
        self.root = tempfile.mkdtemp(prefix="module-")
        for directory in ["bin", "dev", "proc", "tmp"]:
            os.mkdir(f"{self.root}/{directory}")
        subprocess.run(["mount", "-t", "proc", "proc", f"{self.root}/proc"], check=True)
        shutil.copy(shutil.which("busybox"), f"{self.root}/bin")
        for node, path in [("null", "/dev/null"), ("tty", "/dev/tty"), *self.disks]:
            if path:
                status = os.stat(path)
                os.mknod(f"{self.root}/dev/{node}", status.st_mode, status.st_rdev)
        command = "/bin/busybox --install -s /bin; exec setsid -c sh -i"
        # To leave the line open here would make its function's end wait for ever.
        with open(os.open(self.tty, os.O_RDWR | os.O_NOCTTY), "r+b", buffering=0) as line:
            self.shell = subprocess.Popen(["/usr/sbin/chroot", self.root, "/bin/busybox", "sh", "-c", command],
                                          stdin=line, stdout=line, stderr=line, env={"PATH": "/bin", "HOME": "/"})

    def _end_shell(self):
        self.shell.kill()
        self.shell.wait()
        subprocess.run(["umount", "-l", f"{self.root}/proc"], check=True)
        shutil.rmtree(self.root)

    def free(self):
        if self.shell:
            self._end_shell()
        if read(f"{self.base}/UDC"):
            write(f"{self.base}/UDC", "\n")
        for function in self.functions:
            os.unlink(f"{self.base}/configs/c.1/{function}")
            os.rmdir(f"{self.base}/functions/{function}")
        for directory in ["configs/c.1", "strings/0x409", "."]:
            os.rmdir(os.path.normpath(f"{self.base}/{directory}"))
