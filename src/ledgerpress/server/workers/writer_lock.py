"""The lock that decides which worker applies events to the views and records the appends of all workers.

The operating system releases it when the process ends, also if it is killed.
"""

import fcntl
import os
from pathlib import Path
from typing import Final, Self

_MAX_NUMBER_BYTES: Final = 20


class WriterLock:
    """A file lock (flock(2)) that one worker holds until it ends. The file contains the number of the holder."""

    def __init__(self, file: Path, worker: int) -> None:
        """Open the file, and create it if it is missing. Raises `OSError`."""
        self._worker = worker
        self._descriptor: int | None = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.is_held = False
        """Whether this worker holds the lock."""

    def acquire(self) -> bool:
        """Take the lock if no other worker holds it; return whether this worker holds it."""
        if not self.is_held:
            if self._descriptor is None:
                return False
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(self._worker).encode(), 0)
            self.is_held = True
        return True

    @property
    def holder(self) -> int | None:
        """The number of the worker that took the lock last; `None` if there was none yet. It may have ended."""
        if self._descriptor is None:
            return None
        number = os.pread(self._descriptor, _MAX_NUMBER_BYTES, 0)
        return int(number) if number.isdigit() else None

    def close(self) -> None:
        """Release the lock. Further calls have no effect."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
