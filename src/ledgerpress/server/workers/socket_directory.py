"""The private directory with one Unix socket for each worker."""

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ledgerpress.server.data_directory import WORKERS

MAX_PATH_BYTES: Final = 103
"""Bytes of the longest path of a Unix socket: macOS allows 103, Linux 107."""
_LOCK: Final = "lock"
_LONGEST_NAME: Final = "9" * 10


@contextmanager
def socket_directory(data: Path) -> Iterator[Path]:
    """Create a private directory for the sockets of workers, and delete it at the end.

    It is in `data`, or in the system's directory for temporary files if the path would be too long or the file system
    has no sockets. Directories that killed supervisors have left in `data` are deleted. Raises `OSError`.
    """
    _delete_unused(data)
    directory = _created(data)
    lock = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def socket_path(directory: Path, worker: int) -> Path:
    """Return the path of the socket of a worker."""
    return directory / str(worker)


def delete_socket(directory: Path, worker: int) -> None:
    """Delete the socket of a worker that has ended."""
    socket_path(directory, worker).unlink(missing_ok=True)


def workers_in(directory: Path) -> list[int]:
    """Return the numbers of the workers that have a socket, in ascending order. Some of them may have ended."""
    with suppress(OSError):
        return sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())
    return []


def _created(data: Path) -> Path:
    absolute = data.absolute()
    directory = Path(tempfile.mkdtemp(prefix=WORKERS, dir=absolute))
    if _holds_sockets(directory):
        return directory
    directory.rmdir()
    return Path(tempfile.mkdtemp(prefix=f"ledgerpress{WORKERS}"))


def _holds_sockets(directory: Path) -> bool:
    path = directory / _LONGEST_NAME
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(str(path))
            path.unlink()
        except OSError:
            return False
    return True


def _delete_unused(data: Path) -> None:
    """Delete directories whose supervisor was killed: the operating system has released its lock."""
    for directory in data.glob(f"{WORKERS}*"):
        with suppress(OSError):
            lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
            finally:
                os.close(lock)
