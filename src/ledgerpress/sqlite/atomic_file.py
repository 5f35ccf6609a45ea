"""Write a file so that it appears complete under its name, or not at all: under another name, synced, then linked.

The link fails if the name is taken. So no file is ever overwritten, and no incomplete file ever has the name.
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
"""Suffixes of the files that SQLite keeps next to a database."""


def check_free(*paths: Path) -> None:
    """Raise `FileExistsError` if there is anything at one of `paths`."""
    for path in paths:
        if os.path.lexists(path):
            raise FileExistsError(f"{path} exists already, and is left as it is")


@contextmanager
def unfinished(target: Path) -> Iterator[Path]:
    """Yield the path of a new, empty file in the folder of `target`, and delete it at the end."""
    path = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.unfinished")
    path.touch(mode=0o600, exist_ok=False)
    try:
        yield path
    finally:
        for suffix in ("", *SIDE_FILES):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def write_whole(target: BinaryIO, content: bytes | memoryview) -> None:
    """Write all of `content`: an unbuffered file may accept only a part, such as when the disk is nearly full."""
    rest = memoryview(content)
    while rest:
        rest = rest[target.write(rest) :]


def sync(path: Path) -> None:
    """Return when the file, or the folder, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync_open(descriptor)
    finally:
        os.close(descriptor)


def sync_open(descriptor: int) -> None:
    """Return when everything written to an open file is on disk."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def give_name(copy: Path, target: Path) -> None:
    """Link the file `copy` to `target`. Raises `FileExistsError` if there is something already."""
    try:
        target.hardlink_to(copy)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links, such as on many USB sticks.
        with target.open("xb"):
            pass
        copy.replace(target)
    sync(target.parent)
