"""`ledgerpress views snapshot` and `restore`: start a new node with a copy of another node's views."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ledgerpress.cli.shared_options_and_errors import (
    DEFAULT_DATA,
    DEFAULT_LOG,
    MISUSED,
    DataOption,
    LogOption,
    err,
    fail,
    progress,
    run,
)
from ledgerpress.operator.views_copies import PIPE, copy_views, copy_views_to_file, restore_views


def snapshot(
    file: Annotated[
        Path, typer.Argument(help="The file to write, which must not exist; - is standard output.")
    ],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Write the views in use, as of one position, to FILE: for a new node to begin with."""
    if str(file) == PIPE and sys.stdout.isatty():
        fail("standard output is a terminal: name a file, or pipe it to another program", MISUSED)
    with progress("Copying the views") as report:
        if str(file) == PIPE:
            manifest = run(copy_views(data, sys.stdout.buffer, report))
            sys.stdout.buffer.flush()
        else:
            manifest = run(copy_views_to_file(data, file, report))
    err.print(f"The snapshot holds the views as of position {manifest.position:,} ({manifest.size:,} bytes).")


def restore(
    file: Annotated[
        Path, typer.Argument(help="A file that `ledgerpress views snapshot` wrote; - is standard input.")
    ],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Put the views in FILE to use for a node that has none yet; its server goes on from there."""
    with progress("Copying the views") as report:
        if str(file) == PIPE:
            manifest = run(restore_views(sys.stdin.buffer, "standard input", data, log, report))
        else:
            try:
                source = file.open("rb")
            except OSError as error:
                fail(f"{file} cannot be read: {error.strerror}", MISUSED)
            with source:
                manifest = run(restore_views(source, str(file), data, log, report))
    err.print(f"{data} has the views as of position {manifest.position:,}; its server goes on from there.")
