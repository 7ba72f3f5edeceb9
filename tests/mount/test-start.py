#!/usr/bin/env python3
"""Starting and ending: what is refused and how it is said, and that nothing stays behind."""

import os
import shlex
import shutil
import signal
import subprocess
import tempfile

from rig import (CM4FS, FAST, FIRST, SLOW, WRAPPER, Rig, Skip, case, contains, finish, is_mounted, run,
                 same, until)

base = tempfile.mkdtemp(prefix="cm4fs-test-")
mnt = os.path.join(base, "mnt")
os.mkdir(mnt)
NONE = os.path.join(base, "none")


def refused(*arguments, says):
    """It ends by itself, with a status other than 0, one message, and no mount."""
    result = run(*WRAPPER, CM4FS, *arguments, seconds=20, status=None)
    assert 0 < result.returncode < 126, f"exit {result.returncode}: {result.text}"
    contains("the message", result.text, says)
    assert not is_mounted(mnt)
    return result.text


def helps(*arguments, says):
    result = run(*WRAPPER, CM4FS, *arguments, seconds=20)
    contains("the text", result.text, says)


@case("--help explains itself")
def _():
    helps("--help", says="--simulate")


@case("--version says which")
def _():
    helps("--version", says=r"\d+\.\d+\.\d+")


@case("--simulate=help lists the keys and the faults")
def _():
    helps("--simulate=help", says="emmc")


@case("no mount point: usage")
def _():
    refused(says="(?i)mount ?point|usage")


@case("an unknown option is named")
def _():
    refused("--frobnicate", mnt, says="frobnicate")


@case("an unknown -o option is named")
def _():
    refused("-f", "-o", "frobnicate=1", "--simulate", mnt, says="frobnicate")


for spec, word in [("emmc=lots", "emmc|lots"), ("link=fast", "link|fast"), ("model=cm9", "model|cm9"),
                   ("count=0", "count|0"), ("count=-1", "count|-1"), ("colour=red", "colour"),
                   ("fault=cosmic-rays", "cosmic-rays"), ("emmc=", "emmc"), ("dir=" + NONE, "none"),
                   ("emmc=99999999999999999999", "emmc|99999"), ("1:2:3", "1"), ("=", "=")]:

    @case(f"--simulate={os.path.basename(spec)} is refused, and the word at fault named")
    def _():
        refused("-f", f"--simulate={spec}", mnt, says=word)


@case("a mount point that is not there is refused")
def _():
    refused("-f", "--simulate", NONE, says="none")


@case("a mount point that is no directory is refused")
def _():
    refused("-f", "--simulate", os.path.abspath(__file__), says="(?i)directory|test-start")


@case("a mount point in use is refused, and the first mount lives on")
def _():
    with Rig(FAST) as rig:
        result = run(*WRAPPER, CM4FS, "-f", "--simulate", rig.mnt, seconds=20, status=None)
        assert 0 < result.returncode < 126, f"exit {result.returncode}: {result.text}"
        contains("the message", result.text, "(?i)mounted|in use|not empty|busy")
        same("state", rig.state(), "rom")


@case("two SOURCEs are refused")
def _():
    refused("-f", "--simulate", "none", "none", mnt, says="(?i)usage|argument|mnt")


@case("a payload directory that is not there is refused")
def _():
    refused("-f", "--simulate", f"--payload={NONE}", mnt, says="none")


@case("a payload that is a file is refused")
def _():
    refused("-f", "--simulate", f"--payload={os.path.abspath(__file__)}", mnt, says="test-start")


@case("a payload directory without a second stage is refused")
def _():
    empty = os.path.join(base, "empty")
    os.mkdir(empty)
    refused("-f", "--simulate", f"--payload={empty}", mnt, says="empty")


@case("a payload whose second stage is the text of a symlink is refused, and the trap named")
def _():
    trap = os.path.join(base, "trap")
    os.mkdir(trap)
    with open(os.path.join(trap, "bootcode4.bin"), "w") as file:
        file.write("../firmware/2711/bootcode4.bin")
    refused("-f", "--simulate", f"--payload={trap}", mnt, says="(?i)symlink|symbolic link")


@case("without /dev/fuse it says so")
def _():
    if os.geteuid() != 0:
        raise Skip("needs root to hide /dev/fuse")
    command = shlex.join([*WRAPPER, CM4FS, "-f", "--simulate", mnt])
    script = f"""mkdir {base}/dev && mount -t tmpfs none {base}/dev &&
        cp -a /dev/null /dev/zero /dev/random /dev/urandom {base}/dev/ && mkdir {base}/dev/shm &&
        mount --move {base}/dev /dev && exec {command}"""
    result = run("unshare", "-m", "sh", "-c", script, seconds=20, status=None)
    assert 0 < result.returncode < 126, f"exit {result.returncode}: {result.text}"
    contains("the message", result.text, "(?i)/dev/fuse|fuse device")


def daemon_of(mount_point):
    """The process that was started with this mount point, by /proc."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if mount_point.encode() in file.read().split(b"\0"):
                    return int(pid)
        except OSError:
            pass
    return None


@case("without -f it returns 0 once the mount is live, and goes on in the background")
def _():
    result = run(*WRAPPER, CM4FS, f"--simulate={FAST}", mnt)
    try:
        assert is_mounted(mnt), result.text
        assert FIRST in os.listdir(mnt)
    finally:
        daemon = daemon_of(mnt)
        run("fusermount3", "-u", mnt)
    until("the daemon ends", lambda: not os.path.exists(f"/proc/{daemon}"))


@case("mount -t fuse.cm4fs mounts it, options by -o")
def _():
    if os.geteuid() != 0 or WRAPPER:
        raise Skip("needs root, and no valgrind")
    os.makedirs(os.path.join(base, "bin"), exist_ok=True)
    link = os.path.join(base, "bin", "cm4fs")
    os.symlink(CM4FS, link)
    path = os.path.dirname(link) + ":" + os.environ["PATH"]
    run("mount", "-t", f"fuse.{link}", "-o", f"simulate={FAST}", "none", mnt,
        env={**os.environ, "PATH": path})
    try:
        assert FIRST in os.listdir(mnt)
    finally:
        daemon = daemon_of(mnt)
        run("umount", mnt)
    until("the daemon ends", lambda: not daemon or not os.path.exists(f"/proc/{daemon}"))


for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):

    @case(f"{number.name} ends it, also with a writer blocked, and unmounts")
    def _():
        with Rig("emmc=128M:link=200K:medium=0", "--raw") as rig:
            writer = subprocess.Popen(["dd", "if=/dev/urandom", f"of={rig.module('x.img')}", "bs=1M",
                                       "count=64", "status=none"], stderr=subprocess.DEVNULL)
            rig.wait_for("booting", "flashing")
            rig.process.send_signal(number)
            status = rig.process.wait(20 * SLOW)
            assert not is_mounted(rig.mnt), "still mounted"
            assert writer.wait(10 * SLOW) != 0, "dd says it was good"
            assert status >= 0, f"killed by {status}"
            # The rig's own unmount has nothing to do any more.
            rig.unmount = lambda: None


@case("an unmounted directory is an ordinary one again")
def _():
    same("content", os.listdir(mnt), [])


shutil.rmtree(base, ignore_errors=True)
finish()
