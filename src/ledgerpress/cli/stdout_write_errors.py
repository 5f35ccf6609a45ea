"""A separate exception for failed writes to standard output, for example on a full disk.

The `OSError` of a write names no file, so it could not be distinguished from an error in the data directory.
"""

import io
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputUnwritable(Exception):
    """Standard output cannot be written."""


class _CheckedFile(io.FileIO):
    """A file whose failed writes raise `OutputUnwritable`. After the first failure, data is discarded."""

    _has_failed = False

    def write(self, content: "ReadableBuffer", /) -> int:
        if self._has_failed:
            return memoryview(content).nbytes
        try:
            # If another process made the pipe non-blocking, `write` returns `None` while the pipe is full.
            while (written := super().write(content)) is None:
                select.select([], [self], [])
            return written
        except BrokenPipeError:
            raise
        except OSError as error:
            from ledgerpress.system_errors import reason_of  # noqa: PLC0415 - rarely needed

            self._has_failed = True
            raise OutputUnwritable(f"standard output cannot be written: {reason_of(error)}") from error


def check_standard_output() -> None:
    """Make failed writes to standard output raise `OutputUnwritable`.

    Raises `OutputUnwritable` if standard output is closed.
    """
    original = sys.stdout
    if original is None:
        raise OutputUnwritable("standard output is closed: redirect it to /dev/null if you do not need it")
    if not isinstance(original, io.TextIOWrapper):
        return
    original.flush()
    file = _CheckedFile(original.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=original.encoding,
        errors=original.errors,
        line_buffering=original.line_buffering or original.write_through,
    )
