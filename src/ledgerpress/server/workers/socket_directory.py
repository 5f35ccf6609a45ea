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

    It is in `data`. If the path would be too long, or the file system has no sockets, it is in the system's directory for
    temporary files, and `data` has a symbolic link to it. Directories that killed supervisors have left are deleted.
    Raises `OSError`.
    """
    _delete_unused(data)
    directory, link = _created(data)
    lock = os.open(directory / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory
    finally:
        _delete(directory, link)
        os.close(lock)


def directories_in(data: Path) -> Iterator[Path]:
    """Yield the directories of the servers that use `data`, also those of killed supervisors."""
    for path in data.glob(f"{WORKERS}*"):
        yield path.resolve()


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


def _created(data: Path) -> tuple[Path, Path | None]:
    """Return a new directory, and the link to it if it is not in `data`."""
    link = Path(tempfile.mkdtemp(prefix=WORKERS, dir=data.absolute()))
    if _holds_sockets(link):
        return link, None
    link.rmdir()
    directory = Path(tempfile.mkdtemp(prefix=f"ledgerpress{WORKERS}"))
    link.symlink_to(directory)
    return directory, link


def _delete(directory: Path, link: Path | None) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    if link is not None:
        link.unlink(missing_ok=True)


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
    for path in data.glob(f"{WORKERS}*"):
        link = path if path.is_symlink() else None
        if not path.exists():  # the system has deleted its temporary files
            _delete(path, link)
        with suppress(OSError):
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _delete(path.resolve(), link)
            finally:
                os.close(lock)
