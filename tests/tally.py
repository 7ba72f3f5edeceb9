#!/usr/bin/env python3
"""tally.py [--cut=VIEW...] VIEW=LOG.json...: counts what meson's logs hold, by suite; ends with 'N passed, N failed'.

A test that speaks TAP counts by its lines, any other as one. A program that ended badly although all its
lines say ok is one failure more, and so is a view that was cut short. A skipped test is neither passed nor
failed: it is listed with its reason. A log that is not there, or holds no test, is a failure.
"""

import collections
import json
import re
import sys

LINE = re.compile(r"(?P<bad>not )?ok\b *\d* *-? *(?P<name>.*?)(?: # *SKIP\b *(?P<reason>.*))?", re.I)


def count(test):
    """The names that passed, those that failed, and those skipped with their reasons."""
    passed, failed, skipped = [], [], []
    remarks = []
    for line in (test.get("stdout") or "").splitlines():
        match = LINE.fullmatch(line)
        if line.startswith("#"):
            remarks.append("      " + line)
        if not match:
            continue
        # The remarks that follow a line are its own.
        remarks = [match["name"]]
        if match["reason"] is not None:
            skipped.append(f"{match['name']}: {match['reason']}")
        else:
            (failed if match["bad"] else passed).append(remarks)
    failed = ["\n".join(lines) for lines in failed]

    result = test["result"]
    if result == "SKIP" and not skipped:
        skipped.append("the whole test: " + (test.get("stdout") or "no reason given").strip())
    elif result not in ("OK", "SKIP") and not failed:
        failed.append(f"ended with {result}, status {test['returncode']}")
    elif result == "OK" and not passed and not skipped:
        passed.append("")
    return passed, failed, skipped


def main(arguments):
    totals = collections.Counter()
    failures, skips = [], []
    print(f"{'':10}{'suite':12}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")

    for argument in arguments:
        view, path = argument.split("=", 1)
        if view == "--cut":
            totals["failed"] += 1
            failures.append(f"{path}: cut short, for time was over; its tests were not all run")
            continue
        suites = collections.defaultdict(collections.Counter)
        try:
            with open(path) as log:
                tests = [json.loads(line) for line in log]
        except OSError:
            tests = []
        if not tests:
            suites["-"]["failed"] += 1
            failures.append(f"{view}: no test was run")

        for test in tests:
            # "cm4fs:mount / clients", "cm4fs:mount+heavy / judge"
            suites_of, name = test["name"].split(" / ")
            suite = suites_of.split(":")[-1].split("+")[0]
            passed, failed, skipped = count(test)
            suites[suite].update(passed=len(passed), failed=len(failed), skipped=len(skipped),
                                 seconds=round(test["duration"]))
            failures += [f"{view} {suite}/{name}: {what}" for what in failed]
            skips += [f"{view} {suite}/{name}: {what}" for what in skipped]

        for suite, counts in sorted(suites.items()):
            totals.update(counts)
            print(f"{view:10}{suite:12}{counts['passed']:8}{counts['failed']:8}{counts['skipped']:8}"
                  f"{counts['seconds']:9}")

    for title, lines in (("Skipped", skips), ("Failed", failures)):
        if lines:
            print(f"\n{title}:")
            print("\n".join(f"  {line}" for line in lines))

    print(f"\n{totals['passed']} passed, {totals['failed']} failed")
    return 1 if totals["failed"] or not totals["passed"] else 0


sys.exit(main(sys.argv[1:]))
