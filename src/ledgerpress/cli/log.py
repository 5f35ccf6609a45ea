"""`ledgerpress log`: copy a log to another engine, back it up, restore it."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ledgerpress.cli.options import DEFAULT_DATA, DEFAULT_LOG, DataOption, JsonOption, LogOption
from ledgerpress.cli.printing_and_exit_codes import (
    INCOMPLETE,
    MISUSED,
    err,
    fail,
    out,
    print_json,
    progress,
    run,
)
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.operator.log_copy import copy_log, place_of, place_of_store
from ledgerpress.operator.sqlite_log_backup_and_restore import backup_log, restore_log
from ledgerpress.server.log_url import LogUrl, mask

commands = typer.Typer(help="The log as a whole: its copies, and where it is.", no_args_is_help=True)


def _url(text: str) -> str:
    """Return the URL in `text`, or in the file after an @: every user of a machine sees the arguments of programs."""
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8").strip()
        return LogUrl.parse(text).text
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        fail(f"the file {mask(text[1:])} cannot be read: {reason}", MISUSED)
    except LogUnusable as error:
        fail(str(error), MISUSED)


@commands.command()
def copy(
    source: Annotated[
        str, typer.Argument(metavar="FROM_URL", callback=_url, help="The log to copy; it may be in use.")
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TO_URL",
            callback=_url,
            help="Where no log is yet, or an unfinished copy of the same one.",
        ),
    ],
    keep_open: Annotated[
        bool,
        typer.Option(
            "--keep-open", help="Leave the copy unfinished, to go on with it once nobody writes any more."
        ),
    ] = False,
    data: DataOption = DEFAULT_DATA,
    json: JsonOption = False,
) -> None:
    """Copy a log as it is, in any direction between sqlite:, postgresql: and nats: URLs, and compare every event.

    Cut off at whatever moment, it goes on where it was when it is run again. sqlite: alone is the log in the data
    directory; @FILE is a URL in a file, for one with a password.
    """
    from_url, to_url = LogUrl.parse(source), LogUrl.parse(target)
    if place_of(from_url, data) == place_of(to_url, data):
        fail("that is one place twice: name another one to copy to", MISUSED)
    with progress("Copying the log") as report:
        copied = run(copy_log(from_url, to_url, data, keep_open=keep_open, progress=report))
    head, old, new = copied.head, place_of(from_url, data), place_of(to_url, data)
    if json:
        result = msgspec.to_builtins(head) | {"missing": copied.missing}
        print_json(result)
    elif not copied.finished:
        out.print(f"{new} holds the first {head.size:,} events, root {head.root}.")
    else:
        out.print(f"{new} holds the log of {head.size:,} events, root {head.root}.")
    if not copied.finished:
        err.print(f"It is not a log yet. Stop what writes to {old}, then copy again without --keep-open.")
    elif copied.missing:
        err.print(
            f"{copied.missing:,} events have been recorded in {old} since, and are not in the copy. To move the log, "
            f"stop what writes to {old} first; then delete the copy, and copy again. PostgreSQL deletes no finished log: "
            "name another publication in its URL.",
            style="yellow",
        )
        raise typer.Exit(INCOMPLETE)


@commands.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Write a checked copy of a log in a file, which may be in use, to FILE. The views are made from the log."""
    with progress("Copying the log") as report:
        head = run(backup_log(data, file, log=log, progress=report))
    err.print(f"{file} holds the log up to position {head:,}.")


@commands.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `ledgerpress log backup` wrote.")],
    data: DataOption = DEFAULT_DATA,
    log: LogOption = DEFAULT_LOG,
) -> None:
    """Make a store of the copy in FILE, in a directory that is empty or new."""
    with progress("Copying the log") as report:
        head = run(restore_log(file, data, log=log, progress=report))
    place = place_of_store(log, data)
    err.print(f"{place} holds the log up to position {head:,}; the views are built when it is opened.")
