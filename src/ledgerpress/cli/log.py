"""`ledgerpress log`: copy a log to another engine, back it up, restore it."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ledgerpress.cli.click_commands import command_group
from ledgerpress.cli.options import (
    DEFAULT_DATA,
    DEFAULT_LOG,
    DataOption,
    JsonOption,
    LogOption,
    log_url_or_file,
)
from ledgerpress.cli.printing_and_exit_codes import (
    INCOMPLETE,
    MISUSED,
    err,
    fail,
    out,
    print_json,
    progress,
    reading,
    run,
)
from ledgerpress.operator.log_copy import copy_log, place_of, place_of_store
from ledgerpress.operator.sqlite_log_backup_and_restore import backup_log, restore_log
from ledgerpress.server.log_url import LogUrl

commands = command_group("Copy, back up and restore the log.")


@commands.command()
def copy(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FROM_URL", callback=log_url_or_file, help="The log to copy; it may be in use."
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TO_URL",
            callback=log_url_or_file,
            help="A URL that has no log yet, or an unfinished copy of the same log.",
        ),
    ],
    keep_open: Annotated[
        bool,
        typer.Option(
            "--keep-open",
            help="Leave the copy unfinished, to finish it later when nothing writes to the source.",
        ),
    ] = False,
    data: DataOption = DEFAULT_DATA,
    json: JsonOption = False,
) -> None:
    """Copy a log unchanged, between any two of sqlite:, postgresql: and nats: URLs, and compare every event.

    To continue an interrupted copy, run the command again. sqlite: without a path is the log in the data directory.
    @FILE reads the URL from a file; use it if the URL contains a password.
    """
    from_url, to_url = LogUrl.parse(source), LogUrl.parse(target)
    if place_of(from_url, data) == place_of(to_url, data):
        fail("FROM_URL and TO_URL are the same place: use another TO_URL", MISUSED)
    with progress("Copying the log") as report:
        log_copy = run(copy_log(from_url, to_url, data, keep_open=keep_open, progress=report))
    head, old, new = log_copy.head, place_of(from_url, data), place_of(to_url, data)
    if json:
        result = msgspec.to_builtins(head) | {"missing": log_copy.missing}
        print_json(result)
    elif not log_copy.finished:
        out.print(f"{new} holds the first {head.size:,} events, root {head.root}.")
    else:
        out.print(f"{new} holds the log of {head.size:,} events, root {head.root}.")
    if not log_copy.finished:
        err.print(
            f"The copy is unfinished. Stop everything that writes to {old}, then copy again without --keep-open."
        )
    elif log_copy.missing:
        err.print(
            f"{log_copy.missing:,} events were recorded in {old} since and are not in the copy. To move the log, "
            f"stop everything that writes to {old}, delete the copy, and copy again. PostgreSQL cannot delete a "
            "finished log: use another publication in its URL.",
            style="yellow",
        )
        raise typer.Exit(INCOMPLETE)


@commands.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Copy a log that is in a file to FILE, and check the copy. The log may be in use. Views are not included."""
    with progress("Copying the log") as report:
        head = run(backup_log(data, file, log=log, progress=report))
    err.print(f"{file} holds the log up to position {head:,}.")


@commands.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `ledgerpress log backup` wrote.")],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Create a store from the backup in FILE, in a new or empty directory."""
    with reading(file):
        file.open("rb").close()
    with progress("Copying the log") as report:
        head = run(restore_log(file, data, log=log, progress=report))
    place = place_of_store(log, data)
    err.print(f"{place} holds the log up to position {head:,}; the views are built when it is opened.")
