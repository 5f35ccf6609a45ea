"""Standard output with errors of its own, for example on a full disk.

The error of a write names no file: it could not be distinguished from an error in the data directory.
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
    """A file whose errors are `OutputUnwritable`. After the first one, buffered data is discarded."""

    _has_failed = False

    def write(self, content: "ReadableBuffer", /) -> int:
        if self._has_failed:
            return memoryview(content).nbytes
        try:
            # Another process may have made the pipe non-blocking; a full pipe accepts nothing for the moment.
            while (written := super().write(content)) is None:
                select.select([], [self], [])
            return written
        except BrokenPipeError:
            raise
        except OSError as error:
            self._has_failed = True
            raise OutputUnwritable(f"standard output cannot be written: {error.strerror}") from error


def check_standard_output() -> None:
    """Make every failed write to standard output raise `OutputUnwritable`; raise it at once if it is closed."""
    before = sys.stdout
    if before is None:
        raise OutputUnwritable("standard output is closed: have it go to /dev/null where nobody reads it")
    if not isinstance(before, io.TextIOWrapper):
        return
    before.flush()
    file = _CheckedFile(before.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.line_buffering or before.write_through,
    )
