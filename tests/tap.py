"""Tests as sentences, in TAP: each is run where it stands.

    @case("cp onto a new name")
    def _():
        assert ...

    finish()
"""

import os
import sys
import threading
import traceback

# By how much a sanitizer or valgrind makes all patience longer.
SLOW = float(os.environ.get("CM4FS_SLOW", "1"))

# Whoever can tell more of a failure, by tail(), and can be kill()ed when a test hangs on it.
witnesses = []

_count = 0
_failed = 0
_inside = False


class Skip(Exception):
    """The test cannot be run here, and why."""


def case(name, patience=120):
    def run(function):
        global _count, _failed, _inside
        if _inside:  # a part of the case around it
            function()
            return function
        _count += 1
        _inside = True
        timer = threading.Timer(patience * SLOW, _give_up, [name])
        timer.daemon = True
        timer.start()
        try:
            function()
            print(f"ok {_count} - {name}")
        except Skip as reason:
            print(f"ok {_count} - {name} # SKIP {reason}")
        except Exception as error:
            _failed += 1
            print(f"not ok {_count} - {name}")
            comment(f"{type(error).__name__}: {error}")
            comment("".join(traceback.format_tb(error.__traceback__)[1:]))
            for witness in witnesses:
                comment(witness.tail())
        finally:
            timer.cancel()
            _inside = False
            sys.stdout.flush()
        return function

    return run


def quiet():
    """For programs that are no tests: cases become ordinary calls, and raise."""
    global _inside
    _inside = True


def comment(text):
    for line in str(text).splitlines():
        print(f"# {line}")
    sys.stdout.flush()


def _outside(kind, error, trace):
    """What goes wrong between the cases is told as one of them."""
    print(f"not ok {_count + 1} - what stands between the cases")
    comment(f"{kind.__name__}: {error}")
    comment("".join(traceback.format_tb(trace)))
    for witness in witnesses:
        comment(witness.tail())
    sys.__excepthook__(kind, error, trace)


def finish():
    print(f"1..{_count}")
    sys.exit(1 if _failed else 0)


def _give_up(name):
    """A hang: the daemons are killed, so that every system call that waits for them comes back."""
    comment(f"gave up waiting in: {name}")
    for witness in witnesses:
        witness.kill()


sys.excepthook = _outside
