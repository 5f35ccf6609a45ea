"""Run the program on a pseudo-terminal, as a person at a terminal does."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent.parent
_SETTINGS: Final = ("NO_COLOR", "FORCE_COLOR", "PAGER", "LESS", "COLUMNS", "LINES", "TERM")


class Session(NamedTuple):
    """The exit code, and everything that the terminal showed."""

    code: int
    shown: str


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a terminal without preferences, and `settings`."""
    inherited = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    return {**inherited, "TERM": "xterm-256color", "PAGER": "cat", **settings}


def on_terminal(
    *arguments: str | Path, answers: str = "", columns: int = 100, settings: Mapping[str, str] | None = None
) -> Session:
    """Run the program on a terminal until it ends, with `answers` typed in."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.write(ours, answers.encode())
    process = subprocess.Popen(
        [sys.executable, "-m", "ledgerpress", *map(str, arguments)],
        cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(settings or {}), start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while part := _read(ours):
            shown += part
        return Session(process.wait(120), shown.decode().replace("\r\n", "\n"))
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux reports the end of a terminal as an error
        return b""
