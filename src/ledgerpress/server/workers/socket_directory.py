"""The private directory of the workers of a server: one Unix socket for each, and the files that they share."""

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
_LINK: Final = "sockets"
_LONGEST_NAME: Final = "9" * 10


@contextmanager
def socket_directory(data: Path) -> Iterator[Path]:
    """Create a private directory for workers in `data`, and delete it at the end.

    If the paths of sockets would be too long, or the file system has no sockets, they are in the system's directory for
    temporary files, and the directory has a symbolic link to it. Directories that killed supervisors have left are
    deleted. Raises `OSError`.
    """
    _delete_unused(data)
    directory = _created(data)
    lock = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory
    finally:
        _delete(directory)
        os.close(lock)


def socket_path(directory: Path, worker: int) -> Path:
    """Return the path of the socket of a worker."""
    return _sockets(directory) / str(worker)


def delete_socket(directory: Path, worker: int) -> None:
    """Delete the socket of a worker that has ended."""
    socket_path(directory, worker).unlink(missing_ok=True)


def workers_in(directory: Path) -> list[int]:
    """Return the numbers of the workers that have a socket, in ascending order. Some of them may have ended."""
    with suppress(OSError):
        return sorted(int(path.name) for path in _sockets(directory).iterdir() if path.name.isdecimal())
    return []


def _sockets(directory: Path) -> Path:
    """Return the directory that contains the sockets. It may be gone."""
    link = directory / _LINK
    return link.readlink() if link.is_symlink() else directory


def _created(data: Path) -> Path:
    directory = Path(tempfile.mkdtemp(prefix=WORKERS, dir=data.absolute()))
    if not _holds_sockets(directory):
        (directory / _LINK).symlink_to(tempfile.mkdtemp(prefix=f"ledgerpress{WORKERS}"))
    return directory


def _delete(directory: Path) -> None:
    shutil.rmtree(_sockets(directory), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)


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
                _delete(directory)
            finally:
                os.close(lock)
