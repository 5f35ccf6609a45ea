"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from ledgerpress.cli.printing_and_exit_codes import MISUSED, clear_errors, fail
from ledgerpress.eventlog.clock_guard import set_default_limits
from ledgerpress.eventlog.errors import LogUnusable
from ledgerpress.server.log_url import LOCAL, LogUrl, mask
from ledgerpress.server.settings import FILE, FILE_VARIABLE
from ledgerpress.server.settings.store_location import clock_limits, data_directory, log_url
from ledgerpress.system_errors import reason_of

MAX_POSITION: Final = 2**53 - 1
"""The largest position that the command line accepts."""
DEFAULT_DATA: Final = Path("ledgerpress-data")
DEFAULT_LOG: Final = LOCAL


def _configured_data(context: typer.Context, value: Path) -> Path:
    """Return the directory in the settings if the command line names none."""
    with clear_errors():
        return data_directory(os.environ) if _is_default(context, "data") else value


def _configured_log(context: typer.Context, value: str) -> str:
    """Return the URL in the settings if the command line names none. An invalid URL ends the program."""
    if context.resilient_parsing:
        return value
    with clear_errors():
        set_default_limits(clock_limits(os.environ))
        return log_url(os.environ, None if _is_default(context, "log") else value)


def _is_default(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "DEFAULT" and not context.resilient_parsing


DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        callback=_configured_data,
        help="The directory that holds the store (server.data, LEDGERPRESS_DATA).",
    ),
]
LogOption = Annotated[
    str,
    typer.Option(
        "--log",
        metavar="URL",
        callback=_configured_log,
        help="The URL of the log: sqlite: for the data directory, or a log in PostgreSQL or NATS JetStream "
        "(server.log, LEDGERPRESS_LOG).",
    ),
]
YesOption = Annotated[
    bool,
    typer.Option(
        "--yes",
        "-y",
        help="Do not ask for a confirmation. Needed where no terminal is attached, as in scripts.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", help="The profile: development or production.", show_default="development"),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help=f"The settings file (or {FILE_VARIABLE}).",
        show_default=f"{FILE}, if it exists",
    ),
]


def log_url_or_file(text: str) -> str:
    """Return the URL in `text`, or in the file that follows an @.

    A file hides a password: every user of a machine can see the arguments of programs.
    """
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text("utf-8-sig").strip()
        return LogUrl.parse(text).text
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "it is not UTF-8 text"
        fail(f"the file {mask(text[1:])} cannot be read: {reason}", MISUSED)
    except LogUnusable as error:
        fail(str(error), MISUSED)
