"""The terminal: options that commands share, progress bars, and how errors end the program.

Exit codes: 0 done; 1 refused or failed; 2 called wrongly, or a file that cannot be read; 3 the data directory or
standard output cannot be used, or the log cannot be reached; 4 a log was copied, and has gone on since.
"""

import os
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledgerpress.commands.errors import Rejection
from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogUnavailable, LogUnusable
from ledgerpress.operator import TaskFailed
from ledgerpress.server.log_url import LOCAL
from ledgerpress.server.settings import InvalidSettings

T = TypeVar("T")

REFUSED: Final = 1
MISUSED: Final = 2
UNUSABLE: Final = 3
INCOMPLETE: Final = 4

MAX_POSITION: Final = 2**53 - 1
"""The greatest number that a position may be."""

out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


def _configured_data(context: typer.Context, value: Path) -> Path:
    """Return the directory in the settings if the command line names none."""
    from ledgerpress.server.settings.loading import data_directory  # noqa: PLC0415 - imports every section

    with clear_errors():
        return data_directory(os.environ) if _is_default(context, "data") else value


def _configured_log(context: typer.Context, value: str) -> str:
    """Return the URL in the settings if the command line names none. An invalid URL ends the program."""
    from ledgerpress.server.settings.loading import log_url  # noqa: PLC0415 - imports every section

    if context.resilient_parsing:
        return value
    with clear_errors():
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
        help="Where the log is: sqlite:, or the URL of a log in PostgreSQL or NATS JetStream (server.log, LEDGERPRESS_LOG).",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DEFAULT_DATA: Final = Path("ledgerpress-data")
DEFAULT_LOG: Final = LOCAL


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command, with clear errors."""
    with clear_errors():
        return uvloop.run(work)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn an error that a person can fix into one line and an exit code."""
    try:
        yield
    except InvalidSettings as error:
        fail("; ".join(error.mistakes), MISUSED)
    except AppendUnresolved as error:
        fail(str(error), REFUSED)
    except (LogUnusable, LogUnavailable) as error:
        fail(str(error), UNUSABLE)
    except Rejection as rejection:
        fail(rejection.message, REFUSED)
    except (EventLogError, TaskFailed, sqlite3.Error) as error:
        fail(str(error), REFUSED)
    except BrokenPipeError:
        # The reader of the output closed it; typer ends the program silently.
        raise
    except OSError as error:
        fail(f"{error.filename or 'the data directory'}: {error.strerror}", UNUSABLE)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def this_program() -> list[str]:
    """Return the command that started this program, without its arguments, to start it again."""
    arguments = len(sys.argv) - 1
    return sys.orig_argv[: len(sys.orig_argv) - arguments]


def fail(message: str, code: int) -> NoReturn:
    """Print an error and end the program."""
    print_error(message)
    raise typer.Exit(code)


def print_error(message: str) -> None:
    """Print an error."""
    err.print(f"ledgerpress: {message}", style="red")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error; the yielded function takes what is done and the total."""
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
