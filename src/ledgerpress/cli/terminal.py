"""What the commands have in common: options, progress, and how a failure ends the program.

Exit codes: 0 done; 1 refused or failed; 2 called wrongly, or a file that cannot be read; 3 the data directory or
standard output cannot be used, or the log cannot be reached; 4 a log was copied, and has gone on since.
"""

import os
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledgerpress.commands.errors import Rejection
from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogUnavailable, LogUnusable
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.settings.loading import InvalidSettings, data_directory, log_url

T = TypeVar("T")

REFUSED: Final = 1
MISUSED: Final = 2
UNUSABLE: Final = 3
INCOMPLETE: Final = 4

MAX_POSITION: Final = 2**53 - 1
"""The greatest number that a position may be."""

out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


def _as_set(context: typer.Context, value: Path) -> Path:
    """Return the directory that the settings name, where the command line names none."""
    return _set(data_directory) if _is_left_out(context, "data") else value


def _log_as_set(context: typer.Context, value: str) -> str:
    """Return the URL that the settings name, where the command line names none. What is no URL ends the program."""
    if context.resilient_parsing:
        return value
    given = None if _is_left_out(context, "log") else value
    return _set(partial(log_url, log=given))


def _set(setting: Callable[[Mapping[str, str]], T]) -> T:
    try:
        return setting(os.environ)
    except InvalidSettings as error:
        fail("; ".join(error.mistakes), MISUSED)


def _is_left_out(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "DEFAULT" and not context.resilient_parsing


DataOption = Annotated[
    Path,
    typer.Option(
        "--data", callback=_as_set, help="The directory that holds the store (server.data, LEDGERPRESS_DATA)."
    ),
]
LogOption = Annotated[
    str,
    typer.Option(
        "--log",
        metavar="URL",
        callback=_log_as_set,
        help="Where the log is: sqlite:, or the URL of a log in PostgreSQL or NATS JetStream (server.log, LEDGERPRESS_LOG).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DEFAULT_DATA: Final = Path("ledgerpress-data")
DEFAULT_LOG: Final = LOCAL


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command to its end, with clear errors."""
    with clear_errors():
        return uvloop.run(work)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn a failure that a person can mend into one line and an exit code."""
    try:
        yield
    except AppendUnresolved as error:
        fail(str(error), REFUSED)
    except (LogUnusable, LogUnavailable) as error:
        fail(str(error), UNUSABLE)
    except Rejection as refusal:
        fail(refusal.message, REFUSED)
    except (EventLogError, sqlite3.Error) as error:
        fail(str(error), REFUSED)
    except BrokenPipeError:
        # Whoever read the output has seen enough; typer ends the program without a word.
        raise
    except OSError as error:
        fail(f"{error.filename or 'the data directory'}: {error.strerror}", UNUSABLE)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def this_program() -> list[str]:
    """Return how this program was started, without its arguments: so it can start itself once more."""
    arguments = len(sys.argv) - 1
    return sys.orig_argv[: len(sys.orig_argv) - arguments]


def fail(message: str, code: int) -> NoReturn:
    """Say what was wrong and end the program."""
    say_wrong(message)
    raise typer.Exit(code)


def say_wrong(message: str) -> None:
    """Say what was wrong."""
    err.print(f"ledgerpress: {message}", style="red")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on standard error; the function that it gives takes what is done and the total."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
