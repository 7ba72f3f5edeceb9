"""cm4fs with the machine's real USB and disks, on a mount of its own."""

import errno
import hashlib
import os
import subprocess
import tempfile

import tap
from rig import CM4FS, FIRST, Rig, SLOW, same, until, wait_until_live

# Boot files of rpiboot's layout, of sizes that end in the middle of a packet.
PAYLOAD = {
    "bootcode.bin": 52476, "bootcode4.bin": 103444, "bootcode5.bin": 100356, "config.txt": 64, "boot.img": 1 << 20,
    "2710/start.elf": 409636, "2710/fixup.dat": 7173,
    "2711/mcb.bin": 300, "2711/bootmain": 153612, **{f"2711/memsys{i:02}.bin": 24576 + 8 * i for i in range(9)},
}


def make_payload():
    """A directory of boot files."""
    base = tempfile.mkdtemp(prefix="payload-")
    os.chmod(base, 0o755)
    for name, size in PAYLOAD.items():
        path = os.path.join(base, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"# nothing\n" * (size // 10) if name.endswith("txt") else os.urandom(size))
    return base


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
            else hashlib.sha256(file.read()).hexdigest()


class Host(Rig):
    """with Host() as host: ...; @user: whose, by name."""

    def __init__(self, *options, user=None, payload=None):
        self.base = tempfile.mkdtemp(prefix="host-")
        os.chmod(self.base, 0o755)
        self.mnt = os.path.join(self.base, "mnt")
        self.log = os.path.join(self.base, "stderr")
        self.spec = "real USB"
        self.payload = payload or make_payload()
        os.mkdir(self.mnt)
        if user:
            subprocess.run(["chown", user, self.mnt], check=True)
        self.prefix = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        self.command = [*self.prefix, CM4FS, "-f", "--payload=" + self.payload, *options, self.mnt]

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        tap.witnesses.append(self)
        if not wait_until_live(self.mnt, self.process, 20 * SLOW):
            self._kill()
            raise AssertionError(f"no mount came\n{self.tail()}")
        return self

    def wait_for_module(self, serial=FIRST, seconds=30):
        until(f"{serial} has a directory", lambda: os.path.isdir(self.module(serial=serial)), seconds)

    def name_at(self, port, seconds=30):
        """The name of the directory of whoever sits on that port."""
        link = self.path("by-port", port)
        until(f"a module is on port {port}", lambda: os.path.islink(link), seconds)
        return os.path.basename(os.readlink(link))

    def medium(self, serial=FIRST, disk="mmcblk0"):
        raise NotImplementedError("media stand in medium.py here")

    def tail(self):
        text = Rig.tail(self)
        try:
            for name in os.listdir(self.mnt):
                log = os.path.join(self.mnt, name, "log")
                if os.path.exists(log):
                    with open(log) as file:
                        text += f"\n{name}/log:\n{file.read()}"
        except OSError as error:
            text += f"\n{error}"
        return text


class Flash:
    """A writer, whose errno is looked at. It is a process of its own: a child of the rig that inherited its file
    would have to flush it before it could start, and so wait for the write that it may be needed for. And it is dd,
    which leaves no hole out, and of which many can be started at once on a slow machine."""

    def __init__(self, image, path):
        self.process = subprocess.Popen(["dd", "bs=1M", "status=none", "if=" + image, "of=" + path], text=True,
                                        env={**os.environ, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def ends(self, wanted, seconds=60):
        """@wanted: an errno; 0 for none."""
        said = self.process.communicate(timeout=seconds * SLOW)[1].strip()
        assert said.rpartition(": ")[2] == (os.strerror(wanted) if wanted else ""), \
            f"{said or 'no error'}, instead of {errno.errorcode.get(wanted, 'none')}"
        same("the exit status", self.process.returncode, 1 if said else 0)
