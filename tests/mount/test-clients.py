#!/usr/bin/env python3
"""What people copy images with, in every kind of trouble: the table of clients.py, and docs/clients.md made of it.

Usage: test-clients.py [--write]: docs/clients.md anew, instead of comparing it.
"""

import concurrent.futures
import contextlib
import os
import shutil
import sys
import tempfile

import clients
import clients_page
from cells import CELLS, COLUMNS, Bench, Images
from rig import HERE, SHORT, Skip, case, comment, finish, same

# One of each way to write: in order, aside, in parallel and at once, from a desktop.
SHORT_CLIENTS = ["cp", "rsync", "dd oflag=direct", "gio copy"]
PAGE = os.path.join(HERE, "..", "..", "docs", "clients.md")

chosen = [client for client in clients.CLIENTS if not SHORT or client.name in SHORT_CLIENTS]
cells = CELLS[:2] if SHORT else CELLS


def cells_of(client):
    return [cell for cell in cells if client.takes(cell.place)]


def is_installed(client):
    return all(shutil.which(word) for word in clients.PROGRAMS if word in client.words.split())


def told(client, column, outcomes):
    """Asserts that these are the expected ones, all at once."""
    wrong = [f"{cell.image} onto the {cell.place} name: {tuple(outcome)}, "
             f"not {tuple(client.expected(column, cell.place))}"
             for cell, outcome in outcomes.items() if outcome != client.expected(column, cell.place)]
    assert not wrong, "\n".join(wrong)


seen = {}  # client, column, cell: outcome

with contextlib.ExitStack() as stack:
    base = stack.enter_context(tempfile.TemporaryDirectory(prefix="cm4fs-clients-"))
    images = stack.enter_context(contextlib.closing(Images(base, [client.words for client in chosen])))
    benches = {column: stack.enter_context(Bench(COLUMNS[column], images)) for column in COLUMNS}
    pools = {column: stack.enter_context(concurrent.futures.ThreadPoolExecutor(bench.modules))
             for column, bench in benches.items()}
    futures = {(client.name, column): pools[column].submit(bench.outcomes, client, cells_of(client))
               for client in chosen if is_installed(client) for column, bench in benches.items()}

    for client in chosen:
        for column, bench in benches.items():

            @case(f"{client.name}: {bench.column.title}", patience=300)
            def _():
                if not is_installed(client):
                    raise Skip("not installed")
                outcomes = futures[client.name, column].result()
                seen.update({(client.name, column, cell): outcome for cell, outcome in outcomes.items()})
                told(client, column, outcomes)


@case("whatever happened, no medium holds half an image with a start, and who was told it was good has it")
def _():
    wrong = []
    for (name, column, cell), outcome in seen.items():
        client = next(client for client in chosen if client.name == name)
        if outcome.medium not in ("whole", "no start", "untouched"):
            wrong.append(f"{name}, {column}, {cell}: the medium is {outcome.medium}")
        if outcome.exit == 0 and outcome.medium != "whole" and not client.ignores_errors():
            wrong.append(f"{name}, {column}, {cell}: exit status 0, and the medium is {outcome.medium}")
        if (outcome.state == "done") != (outcome.medium == "whole"):
            wrong.append(f"{name}, {column}, {cell}: {outcome.state}, and the medium is {outcome.medium}")
    assert not wrong, "\n".join(wrong)


@case("docs/clients.md says what was seen")
def _():
    text = clients_page.page(seen)
    if "--write" in sys.argv:
        with open(PAGE, "w") as file:
            file.write(text)
        comment("written")
    with open(PAGE) as file:
        same("docs/clients.md (test-clients.py --write makes it)", file.read(), text)


finish()
