"""The kernel's log: kept outside of the machine as it is said, and looked at when a test is over."""

import os
import re
import threading

import tap
from tap import case

# What has no business in the log of a kernel in good health.
SICK = re.compile(r"Oops|BUG:|WARNING: |general protection|Call Trace|blocked for more than|Kernel panic|"
                  r"refcount_t|use-after-free|usb \S+: reset |soft lockup|rcu: INFO")

lines = []
_pardoned = []


def follow(path):
    threading.Thread(target=_follow, args=[path], daemon=True).start()


def _follow(path):
    with open(path, "w", buffering=1) as copy:
        log = os.open("/dev/kmsg", os.O_RDONLY)
        while True:
            try:
                record = os.read(log, 8192).decode(errors="replace")
            except BrokenPipeError:  # overwritten before it was read
                continue
            head, text = record.split(";", 1)
            text = text.split("\n")[0]
            copy.write(f"[{int(head.split(',')[2]) / 1e6:12.6f}] {text}\n")
            lines.append(text)


def ordered(pattern):
    """What the test itself brings about."""
    _pardoned.append(re.compile(pattern))


def finish():
    @case("the kernel's log has no oops, no hung task, and no reset that was not ordered")
    def _():
        sick = [line for line in lines if SICK.search(line) and not any(p.search(line) for p in _pardoned)]
        assert not sick, "\n".join(sick)

    tap.finish()
