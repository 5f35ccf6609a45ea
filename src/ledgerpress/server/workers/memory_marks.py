"""States which withdrawals a worker has taken into account in its memory, in a file that other processes read.

A withdrawal is finished only when no worker has the withdrawn text in a cache. The command line cannot
ask them; but withdrawals are rare, so each worker writes a small file, and holds a lock on it as long as it runs.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from ledgerpress.retry import poll
from ledgerpress.server.data_directory import WORKERS

_PREFIX: Final = "memory-"
_POLL_INTERVAL: Final = 0.02
_MAX_POSITION_BYTES: Final = 20


class MemoryMark:
    """The file of one worker. It contains nothing until the worker has opened the views."""

    def __init__(self, directory: Path, worker: int) -> None:
        """Create the file and lock it. Raises `OSError`."""
        path = directory / f"{_PREFIX}{worker}"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def set(self, position: int) -> None:
        """State that nothing is in memory that was withdrawn up to `position`. Raises `OSError`."""
        # Positions grow, so their digits never become fewer.
        os.pwrite(self._descriptor, str(position).encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def delete_mark(directory: Path, worker: int) -> None:
    """Delete the file of a worker that has ended."""
    (directory / f"{_PREFIX}{worker}").unlink(missing_ok=True)


async def workers_behind(data: Path, position: int, timeout: float) -> list[int]:
    """Wait until no worker of a server on `data` has in memory what was withdrawn up to `position`.

    Returns the workers that may still have it after `timeout` seconds. Raises `OSError` if their files cannot be read.
    """
    behind: list[int] = []

    async def has_none() -> bool | None:
        behind[:] = await asyncio.to_thread(lambda: list(_behind(data, position)))
        return None if behind else True

    await poll(has_none, interval=_POLL_INTERVAL, timeout=timeout)
    return behind


def _behind(data: Path, position: int) -> Iterator[int]:
    for directory in data.glob(f"{WORKERS}*"):
        try:
            paths = [path for path in directory.iterdir() if path.name.startswith(_PREFIX)]
        except FileNotFoundError:  # the server has ended
            continue
        for path in paths:
            if _is_behind(path, position):
                yield int(path.name.removeprefix(_PREFIX))


def _is_behind(path: Path, position: int) -> bool:
    """Return whether the worker of a file runs, and may have in memory what was withdrawn up to `position`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        mark = os.pread(descriptor, _MAX_POSITION_BYTES, 0)
        if mark.isdigit() and int(mark) >= position:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
    finally:
        os.close(descriptor)
