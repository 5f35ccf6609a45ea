"""Printing to the terminal, progress bars, and exit codes.

Exit codes: 0 done; 1 rejected or failed; 2 invalid arguments, or a file cannot be read; 3 the data directory, the log
or standard output cannot be used; 4 a log was copied, but events have been recorded in the source since.
"""

import sqlite3
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeVar

import msgspec
import typer
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledgerpress.commands.errors import Rejection
from ledgerpress.eventlog.errors import AppendUnresolved, EventLogError, LogUnavailable, LogUnusable
from ledgerpress.operator import TaskFailed
from ledgerpress.server.settings import InvalidSettings
from ledgerpress.sqlite.connection import is_of_disk

T = TypeVar("T")

REFUSED: Final = 1
MISUSED: Final = 2
UNUSABLE: Final = 3
INCOMPLETE: Final = 4

out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine of a command, with `clear_errors`."""
    with clear_errors():
        return uvloop.run(work)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn an error that a user can fix into one line and an exit code."""
    try:
        yield
    except InvalidSettings as error:
        fail("; ".join(error.mistakes), MISUSED)
    except (Rejection, EventLogError, TaskFailed, sqlite3.Error) as error:
        unusable = isinstance(error, LogUnusable | LogUnavailable) and not isinstance(error, AppendUnresolved)
        unusable = unusable or (isinstance(error, sqlite3.Error) and is_of_disk(error))
        fail(str(error), UNUSABLE if unusable else REFUSED)
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


def print_json(value: object) -> None:
    out.print(msgspec.json.encode(value).decode())


def fail(message: str, code: int) -> NoReturn:
    """Print an error and end the program."""
    print_error(message)
    raise typer.Exit(code)


def print_error(message: str) -> None:
    err.print(f"ledgerpress: {message}", style="red")


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error. Call the yielded function with the completed number and the total."""
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
