"""`ledgerpress backup` and `restore`: a copy of the log, taken while the store is in use."""

from pathlib import Path
from typing import Annotated

import typer

from ledgerpress.cli.terminal import DEFAULT_DATA, DataOption, err, progress, run
from ledgerpress.compose import upkeep


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Write a checked copy of the log to FILE. The views are not in it: they are made from the log."""
    with progress("Copying the log") as report:
        head = run(upkeep.backup_log(data, file, progress=report))
    err.print(f"{file} holds the log up to position {head:,}.")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `ledgerpress backup` wrote.")],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Make a store of the copy in FILE, in a directory that is empty or new."""
    with progress("Copying the log") as report:
        head = run(upkeep.restore_log(file, data, progress=report))
    err.print(f"{data} holds the log up to position {head:,}; the views are built when it is opened.")
