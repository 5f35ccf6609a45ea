"""Standard output that says so where nothing more can be written to it, as on a full disk.

The error of a write names no file. So it could not be told from one of a write to the data directory.
"""

import io
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputUnwritable(Exception):
    """Standard output takes no more."""


class _Watched(io.FileIO):
    """A file whose errors are `OutputUnwritable`. After one, whatever is still in a buffer is given up."""

    _gone = False

    def write(self, content: "ReadableBuffer", /) -> int:
        if self._gone:
            return memoryview(content).nbytes
        try:
            # Of a pipe that does not block, another process may have asked that: then it takes nothing for the moment.
            while (written := super().write(content)) is None:
                select.select([], [self], [])
            return written
        except BrokenPipeError:
            raise
        except OSError as error:
            self._gone = True
            raise OutputUnwritable(f"standard output cannot be written: {error.strerror}") from error


def watch_standard_output() -> None:
    """Have every write to standard output from now on raise `OutputUnwritable` where it fails; at once, if it is closed."""
    before = sys.stdout
    if before is None:
        raise OutputUnwritable("standard output is closed: have it go to /dev/null where nobody reads it")
    if not isinstance(before, io.TextIOWrapper):
        return
    before.flush()
    file = _Watched(before.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(file),
        encoding=before.encoding,
        errors=before.errors,
        line_buffering=before.line_buffering or before.write_through,
    )
