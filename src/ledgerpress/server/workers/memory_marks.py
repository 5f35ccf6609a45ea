"""States which withdrawals a worker has taken into account in its memory, in a file that other processes read.

A withdrawal is finished only when no worker has the withdrawn text in a cache. The command line cannot
ask them; but withdrawals are rare, so each worker writes a small file.
"""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ledgerpress.retry import poll
from ledgerpress.server.workers.socket_directory import directories_in, socket_path, workers_in

_PREFIX: Final = "memory-"
_POLL_INTERVAL: Final = 0.02


def mark(directory: Path, worker: int, position: int) -> None:
    """State that a worker has nothing in memory that was withdrawn up to `position`. Raises `OSError`."""
    (directory / f"{_PREFIX}{worker}").write_text(str(position), "ascii")


async def workers_behind(data: Path, position: int, timeout: float) -> list[int]:
    """Wait until no worker of a server on `data` has in memory what was withdrawn up to `position`.

    Returns the workers that may still have it after `timeout` seconds.
    """
    behind: list[int] = []

    async def has_none() -> bool | None:
        behind[:] = await asyncio.to_thread(lambda: list(_behind(data, position)))
        return None if behind else True

    await poll(has_none, interval=_POLL_INTERVAL, timeout=timeout)
    return behind


def _behind(data: Path, position: int) -> Iterator[int]:
    for directory in directories_in(data):
        for worker in workers_in(directory):
            if _marked(directory, worker) < position and _is_running(socket_path(directory, worker)):
                yield worker


def _marked(directory: Path, worker: int) -> int:
    try:
        return int((directory / f"{_PREFIX}{worker}").read_text("ascii"))
    except (OSError, ValueError):  # it has not begun to serve, or is writing the file
        return -1


def _is_running(path: Path) -> bool:
    """Return whether a process listens on a Unix socket: a killed worker leaves its file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True
