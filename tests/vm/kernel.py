"""Debian's kernel for the machine: its package, unpacked into a cache, and an initramfs that finds its root.

Everything here is host side. Without a network, or with another distribution's apt, there is no kernel: that is
a reason to skip, not to fail.
"""

import fcntl
import gzip
import lzma
import os
import re
import shutil
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))

# What stands between the bare kernel and the host's root by 9p, with an overlay on it.
FIRST_MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]


class Unavailable(Exception):
    """Why there can be no machine here."""


def output(*command, **keywords):
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=300, **keywords).stdout
    except FileNotFoundError:
        raise Unavailable(f"{command[0]} is not installed") from None
    except subprocess.SubprocessError as error:
        raise Unavailable(f"{' '.join(command)}: {getattr(error, 'stderr', None) or error}") from error


class Kernel:
    """release, image, initramfs; modules: what belongs at /lib/modules/RELEASE."""

    def __init__(self, cache):
        os.makedirs(cache, exist_ok=True)
        with open(os.path.join(cache, "lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            root = os.path.join(cache, "root")
            if not os.path.exists(os.path.join(cache, "complete")):
                self._fetch(cache, root)
                with open(os.path.join(cache, "complete"), "w"):
                    pass
            self.release = os.listdir(os.path.join(root, "lib/modules"))[0]
            self.modules = os.path.join(root, "lib/modules", self.release)
            self.image = self._unpack(os.path.join(root, "boot", "vmlinuz-" + self.release), cache)
            self.initramfs = os.path.join(cache, "initramfs.gz")
            self._make_initramfs(cache)

    @staticmethod
    def _fetch(cache, root):
        depends = output("apt-cache", "depends", "linux-image-amd64")
        package = re.search(r"Depends: (linux-image-[\w.+-]+-amd64)$", depends, re.M)
        if not package:
            raise Unavailable("apt knows no package linux-image-amd64")
        shutil.rmtree(root, ignore_errors=True)
        output("apt-get", "download", "-q", package.group(1), cwd=cache)
        package = next(name for name in os.listdir(cache) if name.endswith(".deb"))
        output("dpkg-deb", "-x", os.path.join(cache, package), root)
        os.unlink(os.path.join(cache, package))
        release = os.listdir(os.path.join(root, "lib/modules"))[0]
        output("depmod", "-b", root, release)

    @staticmethod
    def _unpack(packed, cache):
        """The kernel as it is within its packed form, for the machine would take longer to unpack it than for all the
        rest of its boot; the packed one, where it is packed in another way."""
        image = os.path.join(cache, "vmlinux")
        if os.path.exists(image):
            return image
        with open(packed, "rb") as file:
            data = file.read()
        # Documentation/arch/x86/boot.rst: setup_sects, payload_offset and payload_length.
        offset, length = struct.unpack_from("<II", data, 0x248)
        offset += (data[0x1F1] + 1) * 512
        try:
            # The kernel's own length stands behind it.
            kernel = lzma.LZMADecompressor().decompress(data[offset:offset + length])
        except lzma.LZMAError:
            return packed
        with open(image + ".new", "wb") as file:
            file.write(kernel)
        os.rename(image + ".new", image)
        return image

    def _make_initramfs(self, cache):
        """busybox, init.sh, and the first modules in the order of their dependencies."""
        busybox = shutil.which("busybox")
        if not busybox or "not a dynamic" not in subprocess.run(
                ["ldd", busybox], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout:
            raise Unavailable("busybox-static is not installed")
        tree = os.path.join(cache, "initramfs")
        shutil.rmtree(tree, ignore_errors=True)
        for name in ["bin", "modules"]:
            os.makedirs(os.path.join(tree, name))
        shutil.copy(busybox, os.path.join(tree, "bin/busybox"))
        shutil.copy(os.path.join(HERE, "init.sh"), os.path.join(tree, "init"))
        os.chmod(os.path.join(tree, "init"), 0o755)
        with open(os.path.join(tree, "modules/order"), "w") as order:
            for path in self._in_order(FIRST_MODULES):
                shutil.copy(os.path.join(self.modules, path), os.path.join(tree, "modules"))
                order.write(os.path.basename(path) + "\n")
        names = "\n".join(os.path.relpath(os.path.join(directory, name), tree)
                          for directory, folders, leaves in os.walk(tree) for name in folders + leaves)
        try:
            archive = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=tree, check=True,
                                     input=names.encode(), stdout=subprocess.PIPE).stdout
        except FileNotFoundError:
            raise Unavailable("cpio is not installed") from None
        with gzip.open(self.initramfs, "wb", 1) as file:
            file.write(archive)

    def _in_order(self, names):
        needs = {}
        with open(os.path.join(self.modules, "modules.dep")) as table:
            for line in table:
                path, rest = line.split(":")
                # The dependencies of one stand with the deepest last.
                needs[os.path.basename(path).split(".")[0].replace("-", "_")] = [*reversed(rest.split()), path]
        order = []
        for name in names:
            order += [path for path in needs.get(name, []) if path not in order]
        return order
