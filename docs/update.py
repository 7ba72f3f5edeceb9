#!/usr/bin/env python3
"""update.py PROGRAM [--check]: puts what PROGRAM (docs/troubleshooting.c) writes into troubleshooting.md and, between
its two marks, into cm4fs.1. With --check it changes nothing, and fails where something would change."""

import os
import subprocess
import sys

DOCS = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = '.\\" The table begins: docs/update.py\n', '.\\" The table ends\n'


def written_by(program, form):
    return subprocess.run([program, form], stdout=subprocess.PIPE, text=True, check=True).stdout


def wanted(program):
    """Path and text of each file."""
    manual = os.path.join(DOCS, "cm4fs.1")
    with open(manual) as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return {
        os.path.join(DOCS, "troubleshooting.md"): written_by(program, "md"),
        manual: before + BEGIN + written_by(program, "mdoc") + END + after,
    }


def stale(program):
    """The files that are not as the table has them."""
    names = []
    for path, text in wanted(program).items():
        try:
            with open(path) as file:
                if file.read() != text:
                    names.append(path)
        except FileNotFoundError:
            names.append(path)
    return names


def main(program, *options):
    names = stale(program)
    if "--check" in options:
        if names:
            print("not as the table has them, run docs/update.py:", *map(os.path.basename, names))
        return 1 if names else 0
    texts = wanted(program)
    for path in names:
        with open(path, "w") as file:
            file.write(texts[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
