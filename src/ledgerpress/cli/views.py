"""`ledgerpress views`: list the views files, roll back, delete unused files, copy views to a new node."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ledgerpress.cli.click_commands import command_group
from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import (
    MISUSED,
    clear_errors,
    err,
    fail,
    out,
    print_json,
    print_table,
    progress,
    reading,
    run,
)
from ledgerpress.features.registry import installed_features
from ledgerpress.operator.rebuild_and_switch_views import drop_views, list_views, roll_back
from ledgerpress.operator.views_copies import PIPE, copy_views, copy_views_to_file, restore_views

commands = command_group("Manage the views: the files that contain the read models.")


@commands.command("list")
def show(data: DataOption = DEFAULT_DATA, json: JsonOption = False) -> None:
    """List the views files of each set of features: the one in use, the former one, and unfinished ones."""
    with clear_errors():
        files = list_views(data, features=installed_features())
    if json:
        print_json(files)
        return
    from rich.filesize import decimal  # noqa: PLC0415 - slow to import

    rows = []
    for file in files:
        position = "unknown" if file.position is None else f"{file.position:,}"
        built_by = "this version" if file.own else "another version or other features"
        is_open = "yes" if file.open else "no"
        rows.append(
            (file.set or "unknown", file.name, file.state, position, decimal(file.size), is_open, built_by)
        )
    print_table(("set", "file", "state", "position", "size", "open", "built by"), rows)


@commands.command()
def rollback(data: DataOption = DEFAULT_DATA) -> None:
    """Use the former views again, in every process of this version on the data directory."""
    with clear_errors():
        views = roll_back(data, features=installed_features())
    out.print(f"{views.name} is in use again. The views that were in use are kept as the former ones.")


@commands.command()
def drop(
    data: DataOption = DEFAULT_DATA,
    other_sets: Annotated[
        bool,
        typer.Option(
            "--other-sets",
            help="Also delete views of other versions and features that no process has open.",
        ),
    ] = False,
) -> None:
    """Delete the former and unfinished views. Views of other versions and features stay."""
    with clear_errors():
        dropped = drop_views(data, features=installed_features(), other_sets=other_sets)
    out.print("\n".join(f"{file.name} deleted" for file in dropped) or "Nothing to delete.")


@commands.command()
def snapshot(
    file: Annotated[
        Path, typer.Argument(help="The file to write, which must not exist; - is standard output.")
    ],
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Copy the views in use, as of one position, to FILE. A new node can start with this copy."""
    if str(file) == PIPE and sys.stdout.isatty():
        fail("standard output is a terminal: specify a file, or pipe it to another program", MISUSED)
    with progress("Copying the views") as report:
        if str(file) == PIPE:
            manifest = run(copy_views(data, sys.stdout.buffer, report, features=installed_features()))
            sys.stdout.buffer.flush()
        else:
            manifest = run(copy_views_to_file(data, file, report, features=installed_features()))
    err.print(f"The copy contains the views as of position {manifest.position:,} ({manifest.size:,} bytes).")


@commands.command()
def restore(
    file: Annotated[
        Path, typer.Argument(help="A file that `ledgerpress views snapshot` wrote; - is standard input.")
    ],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Use the views copy in FILE for a node that has no views yet. Its server continues from the copied position."""
    with progress("Copying the views") as report:
        if str(file) == PIPE:
            manifest = run(
                restore_views(
                    sys.stdin.buffer, "standard input", data, log, report, features=installed_features()
                )
            )
        else:
            with reading(file):
                source = file.open("rb")
            with source:
                manifest = run(
                    restore_views(source, str(file), data, log, report, features=installed_features())
                )
    err.print(f"{data} has the views as of position {manifest.position:,}. Its server continues from there.")
