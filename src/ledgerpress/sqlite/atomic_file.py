"""Creates a file so that it appears under its name either complete or not at all.

The file is written under another name, synced, and then linked to its own name. The link fails if the name exists. So
no file is ever overwritten, and no incomplete file ever has the name.
"""

import fcntl
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""The suffixes of the files that SQLite creates next to a database."""


def check_free(*paths: Path) -> None:
    """Raise `FileExistsError` if one of `paths` exists."""
    for path in paths:
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists already; it was not changed")


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Yield the path of a new, empty file in the folder of `target`; delete the file at the end."""
    path = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.unfinished")
    path.touch(mode=0o600, exist_ok=False)
    try:
        yield path
    finally:
        for suffix in ("", *SIDE_FILES):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def write_whole(target: BinaryIO, content: bytes | memoryview) -> None:
    """Write all of `content`: a write to an unbuffered file may be partial, such as when the disk is nearly full.

    Raises `OSError`, which names the file if `target` was opened by its path.
    """
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[target.write(rest) :]
    except OSError as error:
        path = getattr(target, "name", None)
        if error.errno is None or not isinstance(path, str):
            raise
        raise OSError(error.errno, error.strerror, path) from error


def sync(path: Path) -> None:
    """Sync the file or folder at `path` to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync_open(descriptor)
    finally:
        os.close(descriptor)


def sync_open(descriptor: int) -> None:
    """Sync an open file to disk."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def give_name(copy: Path, target: Path) -> None:
    """Give the file `copy` the name `target`. Raises `FileExistsError` if `target` exists."""
    try:
        target.hardlink_to(copy)
    except FileExistsError:
        raise
    except OSError:
        # The file system has no hard links, as on many USB sticks.
        with target.open("xb"):
            pass
        copy.replace(target)
    sync(target.parent)
