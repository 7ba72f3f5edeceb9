"""docs/clients.md, made of what the suite saw; where a client was not run, of what is expected of it."""

import textwrap

from cells import CELLS, COLUMNS
from clients import CLIENTS, DEFAULT, NAME, PART, TEMPORARY

INTRODUCTION = """\
# What programs make of it

Made by tests/mount/test-clients.py --write, which runs each of these programs on simulated modules, looks at the
medium from outside, and fails where this page would change.

A cell is what a program does that copies an image into a module's directory:

- **flashed**: it exits with 0. The image is on the medium, all of it, and proved; the state is `done`.
- **error**: it exits with another status. The state is `failed`, and FAIL.TXT says why.
- **silent**: it exits with 0 all the same, for it ignores the error. The state is `failed`, and FAIL.TXT says why: ask
  for the state, or for `verify`, where a script uses such a program.
- **incomplete**: it was killed half-way. So says the state; append, and it goes on.

And what happens to it:

| column | what happens | errno | FAIL.TXT's type | the medium after that |
| --- | --- | --- | --- | --- |
| new name, existing name | nothing | | | the image |
| sparse image | nothing; the image has holes, and ends with one | | | the image, zeros where it has holes |
| too large | the image is larger than the disk | ENOSPC | `user` | as it was, not one byte is changed |
| write rejected | the medium rejects a write | EIO | `media` | no start: it neither boots nor mounts |
| proof fails | the medium keeps another byte than was written | EIO | `media` | no start |
| killed | SIGKILL, in the middle | | `user` | no start |

The file keeps its name, whatever becomes of it, but where a cell says something else. A medium never holds the start
of an image without all the rest of it.
"""

NOTES = """\
Programs marked with a * are imitated: their system calls were traced, and are made again. Nautilus, Thunar and PCManFM
copy as `gio copy` does. ddrescue's map and aria2's control file lie elsewhere: a module's directory takes images.

"""

COLUMNS_OF_PAGE = ["program", "new name", "existing name", "sparse image", "too large", "write rejected",
                   "proof fails", "killed", "why"]


def left_words(outcome):
    if outcome.left == (NAME,):
        return ""
    words = {NAME: "old file", TEMPORARY: "temporary file", PART: "`.part` file"}
    return ", " + (" and ".join(words[name] for name in outcome.left) or "no file")


def words_of(column, outcome):
    """One outcome."""
    if column == "good":
        return "flashed" if outcome == DEFAULT["good"] else "**not flashed**"
    if column == "kill":
        word = "incomplete" if outcome.exit == "killed" else "**not killed**"
    else:
        word = "silent" if outcome.exit == 0 else "error"
    old = outcome.medium == "untouched" or outcome.medium == DEFAULT[column].medium
    return word + left_words(outcome) + ("" if old else ", no start")


def text_of(client, column, seen, cells):
    """A cell of the page: several cells of the suite."""
    found = {}
    for cell in cells:
        if client.takes(cell.place):
            outcome = seen.get((client.name, column, cell), client.expected(column, cell.place))
            found.setdefault(words_of(column, outcome), []).append(cell.place)
    if len(found) <= 1:
        return next(iter(found), "")
    return "; ".join(f"{'/'.join(dict.fromkeys(places))}: {words}" for words, places in found.items())


def row(client, seen, notes):
    mark = "*" if "$imitate" in client.words and "never closed" not in client.name else ""
    name = client.name.replace("|", "\\|")
    texts = [f"`{name}`{mark}"]
    texts += [text_of(client, "good", seen, [cell for cell in CELLS if cell.place == place])
              for place in ("new", "existing")]
    texts += [text_of(client, "good", seen, [cell for cell in CELLS if "sparse" in cell.image])]
    texts += [text_of(client, column, seen, CELLS) for column in COLUMNS if column != "good"]
    texts += [", ".join(str(notes.index(habit) + 1) for habit in client.habits)]
    return ("| " + " | ".join(texts) + " |\n").replace("|  |", "| |")


def page(seen):
    """@seen: client's name, column, cell: outcome."""
    notes = list(dict.fromkeys(habit for client in CLIENTS for habit in client.habits))
    text = INTRODUCTION + "\n| " + " | ".join(COLUMNS_OF_PAGE) + " |\n" + "| --- " * len(COLUMNS_OF_PAGE) + "|\n"
    text += "".join(row(client, seen, notes) for client in CLIENTS) + "\n" + NOTES
    text += "Why:\n\n"
    for number, habit in enumerate(notes, 1):
        text += textwrap.fill(f"{number}. It {habit.why}.", 119, subsequent_indent="   ") + "\n"
    return text
