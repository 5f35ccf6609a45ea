"""Printing to the terminal, colors, questions, progress bars, and how a command ends."""

import os
import sys
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import typer

from ledgerpress.cli import exit_codes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

T = TypeVar("T")

REFUSED: Final = exit_codes.REFUSED
MISUSED: Final = exit_codes.MISUSED
UNUSABLE: Final = exit_codes.UNUSABLE
INCOMPLETE: Final = exit_codes.INCOMPLETE
UNCONFIRMED: Final = exit_codes.UNCONFIRMED

_UNLIMITED_WIDTH: Final = 10_000
"""The width of output that no terminal shows. Lines and tables are never cut."""


class ColorChoice(StrEnum):
    """When output has colors: on a terminal, always or never."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Output:
    """Standard output or standard error. rich is imported when something that is not plain text is printed."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._choice = ColorChoice.AUTO
        self._file: IO[str] | None = None
        self._console: tuple[object, Console] | None = None

    @property
    def file(self) -> IO[str]:
        stream: IO[str] = self._file or getattr(sys, self._stream)
        return stream

    @property
    def is_terminal(self) -> bool:
        """Whether a person reads the output on a terminal, directly or with a pager."""
        return self._file is not None or _is_terminal(self.file)

    @property
    def has_color(self) -> bool:
        """Whether to print colors: by --color, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal."""
        if self._choice is not ColorChoice.AUTO:
            return self._choice is ColorChoice.ALWAYS
        if os.environ.get("NO_COLOR"):
            return False
        return bool(os.environ.get("FORCE_COLOR")) or (
            self.is_terminal and os.environ.get("TERM", "") not in {"dumb", "unknown"}
        )

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.console.width

    def use_color(self, choice: ColorChoice) -> None:
        self._choice = choice

    @contextmanager
    def redirected(self, file: Any) -> Iterator[None]:
        """Print to a pager."""
        self._file = file
        try:
            yield
        finally:
            self._file = None

    def print(self, *objects: Any, style: str | None = None, end: str = "\n") -> None:
        """Print objects. Plain text needs no rich, whose import takes longer than most commands."""
        if style is not None and self.has_color:
            self.console.print(*objects, style=style, end=end)
        elif all(isinstance(thing, str) for thing in objects):
            self.file.write(" ".join(objects) + end)
            if not end.endswith("\n") or self.is_terminal:
                self.file.flush()
        else:
            self.console.print(*objects, end=end)

    def print_parts(self, *parts: tuple[str, str], end: str = "\n") -> None:
        """Print texts, each with its style, on one line."""
        if not self.has_color:
            self.print("".join(text for text, _ in parts), end=end)
            return
        from rich.text import Text  # noqa: PLC0415 - slow to import

        self.console.print(Text.assemble(*parts), end=end)

    @property
    def console(self) -> "Console":
        """Rich's console for this output."""
        key = (id(self.file), self.has_color, self.is_terminal)
        if self._console is None or self._console[0] != key:
            self._console = (key, self._new_console())
        return self._console[1]

    def _new_console(self) -> "Console":
        from rich.console import Console  # noqa: PLC0415 - slow to import

        return Console(
            file=self.file,
            soft_wrap=True,
            highlight=False,
            markup=False,
            emoji=False,
            force_terminal=self.has_color,
            color_system="standard" if self.has_color else None,
            width=None if self.is_terminal else _UNLIMITED_WIDTH,
        )


out: Final = Output("stdout")
err: Final = Output("stderr")


def use_color(choice: ColorChoice) -> None:
    """Set whether standard output and standard error have colors, for this run of the program."""
    out.use_color(choice)
    err.use_color(choice)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine of a command, with `clear_errors`."""
    import uvloop  # noqa: PLC0415 - not needed by `--help`

    with clear_errors():
        return uvloop.run(work)


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn an error that a user can fix into one line and an exit code."""
    try:
        yield
    except BrokenPipeError:
        # The reader of the output closed it; typer ends the program silently.
        raise
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except Exception as error:
        from ledgerpress.cli.error_messages import explained  # noqa: PLC0415 - slow to import

        if (explanation := explained(error)) is None:
            raise
        fail(explanation.message, explanation.code)


def this_program() -> list[str]:
    """Return the command that started this program, without its arguments, to start it again."""
    arguments = len(sys.argv) - 1
    return sys.orig_argv[: len(sys.orig_argv) - arguments]


def print_json(value: object) -> None:
    import msgspec  # noqa: PLC0415 - only for JSON

    out.print(msgspec.json.encode(value).decode())


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; on a terminal that is too narrow for it, a block of lines for each row."""
    from rich.cells import cell_len  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415

    widths = [
        max(map(cell_len, (column, *cells))) for column, *cells in zip(columns, *rows, strict=True)
    ] if rows else [cell_len(column) for column in columns]  # fmt: skip
    if rows and sum(widths) + len(widths) - 1 > out.width:
        label_width = max(map(cell_len, columns))
        for number, row in enumerate(rows):
            out.print(*([""] if number else []), end="\n" if number else "")
            for column, cell in zip(columns, row, strict=True):
                if cell:
                    out.print(f"{column}{' ' * (label_width - cell_len(column))}  {cell}")
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def fail(message: str, code: int) -> NoReturn:
    """Print an error and end the program."""
    print_error(message)
    raise typer.Exit(code)


@contextmanager
def reading(file: str | Path) -> Iterator[None]:
    """End the program with `MISUSED` if a file that the user named cannot be read."""
    try:
        yield
    except OSError as error:
        from ledgerpress.system_errors import reason_of  # noqa: PLC0415 - imports sqlite3, and is rarely needed

        fail(f"{file} cannot be read: {reason_of(error)}", MISUSED)
    except UnicodeDecodeError:
        fail(f"{file} is not UTF-8 text", MISUSED)


def print_error(message: str) -> None:
    err.print(f"ledgerpress: {message}", style="red")


def print_warning(message: str) -> None:
    """Print a warning about a command that has succeeded."""
    err.print(f"ledgerpress: warning: {message}", style="yellow")


async def confirm(question: str, *, if_not: str) -> None:
    """Ask a question on the terminal. End the program with `UNCONFIRMED` if the answer is not yes.

    An open store works on until there is an answer. Without a terminal there is none: the message then names `--yes`.
    """
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stderr)):
        fail(f"{if_not}: this needs a confirmation; add --yes if you are sure", UNCONFIRMED)
    err.print(f"{question} [y/N] ", end="")
    await _until_readable(sys.stdin)
    if sys.stdin.readline().strip().casefold() not in {"y", "yes"}:
        fail(if_not, UNCONFIRMED)


async def _until_readable(terminal: IO[str]) -> None:
    """Wait for a line. A thread that reads could not be stopped by Ctrl+C."""
    import asyncio  # noqa: PLC0415 - not needed by `--help`

    loop, is_readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(terminal.fileno(), is_readable.set)
    try:
        await is_readable.wait()
    finally:
        loop.remove_reader(terminal.fileno())


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


class ProgressBar:
    """A progress bar, called with the completed number and the total. It does nothing without a terminal."""

    def __init__(self, label: str, bar: "Progress | None") -> None:
        self._bar = bar
        self._task = None if bar is None else bar.add_task(label, total=None)

    def __call__(self, done: int, total: int) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.start()
            self._bar.update(self._task, completed=done, total=total)

    def hide(self, next_label: str) -> None:
        """Make room for a question. The next progress, with another label, shows the bar again."""
        if self._bar is not None and self._task is not None:
            self._bar.stop()
            self._bar.reset(self._task, start=True, total=None, description=next_label)


@contextmanager
def progress(label: str) -> Iterator[ProgressBar]:
    """Show a progress bar on standard error."""
    if not err.is_terminal:
        yield ProgressBar(label, None)
        return
    from rich.progress import (  # noqa: PLC0415 - slow to import
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err.console, transient=True) as bar:
        yield ProgressBar(label, bar)
