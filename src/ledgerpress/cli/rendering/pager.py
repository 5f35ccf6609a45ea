"""Show long output with the user's pager."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Annotated, Final

import typer

from ledgerpress.cli.printing_and_exit_codes import out

PagerOption = Annotated[
    bool, typer.Option("--no-pager", help="Do not show the output with the program in PAGER.")
]
_LESS: Final = "FRX"
"""Options of less(1), unless LESS has others: show colors, and do not wait for a key if the text fits the screen."""


@contextmanager
def paged(*, no_pager: bool = False) -> Iterator[None]:
    """Send standard output to a pager, if it is a terminal. The pager starts with the first line of output.

    If the user leaves the pager, the rest of the output is not produced.
    """
    command = None if no_pager or not out.is_terminal else _command()
    if command is None:
        yield
        return
    pager = _Pager(command)
    try:
        with out.redirected(pager), suppress(_PagerLeft):
            yield
    finally:
        pager.close()


class _PagerLeft(Exception):
    """The user has left the pager. rich would end the program at a `BrokenPipeError`."""


class _Pager:
    """A file whose text a pager shows. Raises `_PagerLeft` once the pager has ended."""

    encoding: Final = "utf-8"

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None

    def write(self, text: str) -> int:
        try:
            return self._input().write(text)
        except BrokenPipeError:
            raise _PagerLeft from None

    def flush(self) -> None:
        try:
            self._input().flush()
        except BrokenPipeError:
            raise _PagerLeft from None

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        """Return the descriptor of the terminal, which has the number of columns."""
        return sys.stdout.fileno()

    def close(self) -> None:
        """Wait until the user leaves the pager."""
        if self._process is None or self._process.stdin is None:
            return
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        while self._process.poll() is None:
            # Ctrl+C is for the pager.
            with suppress(KeyboardInterrupt):
                self._process.wait()

    def _input(self) -> IO[str]:
        if self._process is None:
            environment = {"LESS": _LESS, **os.environ}
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, text=True, encoding=self.encoding, env=environment
            )
        stream = self._process.stdin
        assert stream is not None  # noqa: S101 - for the type checker
        return stream


def _command() -> list[str] | None:
    """Return the pager's command: PAGER, or less. `None` if there is none, or if PAGER is empty or `cat`."""
    if os.environ.get("TERM") in {None, "", "dumb"}:
        return None
    try:
        words = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:
        return None
    return words if words and words != ["cat"] and shutil.which(words[0]) else None
